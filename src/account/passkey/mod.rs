//! Is this a passkey of somebody's? Making and using passkeys (Web Authentication Level 3 §7), from the relying party's side.
//!
//! What an authenticator signs is for one origin and one challenge. No attestation is asked for: who makes a passkey is
//! signed in, and which model of authenticator they trust is theirs to say. Every refusal looks the same to whoever is
//! refused; the log tells them apart.

pub mod authenticator_data;
pub mod cose_key;
pub mod relying_party;

pub use authenticator_data::{AuthenticatorData, MAX_CREDENTIAL_ID};
pub use cose_key::CoseKey;
pub use relying_party::RelyingParty;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

/// Longest name that an owner gives a passkey, in characters.
pub const MAX_PASSKEY_NAME: usize = 64;
/// Largest client data that is looked at, in bytes.
const MAX_CLIENT_DATA: usize = 8 * 1024;
/// Longest signature, in bytes: RSA with 4096 bits.
const MAX_SIGNATURE: usize = 512;

/// What an authenticator must sign, once.
pub type Challenge = [u8; 32];

/// A passkey of somebody's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    /// What its owner calls it.
    pub name: String,
    /// What the authenticator calls it.
    pub credential: Vec<u8>,
    /// With what it signs.
    pub key: CoseKey,
    /// Its signatures so far; 0 if it does not count.
    pub counter: u32,
    /// Whether it is kept elsewhere as well, in a password manager or a cloud.
    pub backed_up: bool,
}

/// What a browser answers when a passkey was made.
#[derive(Debug, Clone)]
pub struct MadePasskey {
    /// The client data (§5.8.1).
    pub client_data: Vec<u8>,
    /// The authenticator data with the new key (§6.1).
    pub authenticator_data: Vec<u8>,
}

/// What a browser answers when a passkey was used.
#[derive(Debug, Clone)]
pub struct UsedPasskey {
    /// What the authenticator calls it.
    pub credential: Vec<u8>,
    /// Whose it is, where the authenticator knows: what [`Passkey`]s were made with.
    pub owner: Vec<u8>,
    /// The client data (§5.8.1).
    pub client_data: Vec<u8>,
    /// The authenticator data (§6.1).
    pub authenticator_data: Vec<u8>,
    /// Over the authenticator data and the digest of the client data.
    pub signature: Vec<u8>,
}

/// How sure it must be that it is the owner who uses a passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assurance {
    /// The authenticator has asked for a PIN, a finger or a face: the passkey stands alone.
    Verified,
    /// Somebody has touched it: the password was given as well.
    Present,
}

/// Why an answer is refused. For the log; a person is told no more than that it did not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyRefusal {
    /// It cannot be read.
    #[error("the answer of the browser cannot be read")]
    Unreadable,
    /// It is not what was asked for: another act, challenge or origin, or from a frame of another site.
    #[error("the answer is to another question, or of another site")]
    NotOurs,
    /// Nobody was there, or nobody knows who.
    #[error("the authenticator did not check who is there")]
    NobodyThere,
    /// There is no such passkey of this user's.
    #[error("there is no such passkey")]
    Unknown,
    /// The key has not signed this.
    #[error("the signature does not verify")]
    Signature,
    /// It has counted fewer signatures than before: somebody else may have a copy.
    #[error("the passkey counts fewer signatures than before; it may have been copied")]
    WentBack,
}

/// The client data (§5.8.1): JSON by the browser. Members that are not here are passed over, as §5.8.1.2 asks.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
}

impl ClientData {
    /// Reads what must be the answer to this question (§7.1 steps 6 to 12, §7.2 steps 10 to 14).
    fn check(bytes: &[u8], kind: &str, challenge: &Challenge, party: &RelyingParty) -> Result<(), PasskeyRefusal> {
        if bytes.len() > MAX_CLIENT_DATA {
            return Err(PasskeyRefusal::Unreadable);
        }
        let data: Self = serde_json::from_slice(bytes).map_err(|_| PasskeyRefusal::Unreadable)?;
        let answered = URL_SAFE_NO_PAD.decode(&data.challenge).map_err(|_| PasskeyRefusal::NotOurs)?;
        let ours = data.kind == kind
            && bool::from(answered.ct_eq(challenge))
            && data.origin == party.origin()
            && !data.cross_origin;
        if ours { Ok(()) } else { Err(PasskeyRefusal::NotOurs) }
    }
}

impl Passkey {
    /// The passkey that was just made (§7.1), with the name that its owner gives it.
    pub fn register(
        made: &MadePasskey,
        name: String,
        challenge: &Challenge,
        party: &RelyingParty,
    ) -> Result<Self, PasskeyRefusal> {
        ClientData::check(&made.client_data, "webauthn.create", challenge, party)?;
        let data = AuthenticatorData::parse(&made.authenticator_data).ok_or(PasskeyRefusal::Unreadable)?;
        if !party.is_named_by(&data.relying_party) {
            return Err(PasskeyRefusal::NotOurs);
        }
        if !data.user_present {
            return Err(PasskeyRefusal::NobodyThere);
        }
        let credential = data.credential.ok_or(PasskeyRefusal::Unreadable)?;
        let (counter, backed_up) = (data.counter, data.backed_up);
        Ok(Self { name, credential: credential.id, key: credential.key, counter, backed_up })
    }

    /// The passkey after its owner has used it (§7.2).
    pub fn after(
        &self,
        used: &UsedPasskey,
        challenge: &Challenge,
        assurance: Assurance,
        party: &RelyingParty,
    ) -> Result<Self, PasskeyRefusal> {
        if self.credential != used.credential {
            return Err(PasskeyRefusal::Unknown);
        }
        ClientData::check(&used.client_data, "webauthn.get", challenge, party)?;
        let data = AuthenticatorData::parse(&used.authenticator_data).ok_or(PasskeyRefusal::Unreadable)?;
        if !party.is_named_by(&data.relying_party) {
            return Err(PasskeyRefusal::NotOurs);
        }
        if !data.user_present || (assurance == Assurance::Verified && !data.user_verified) {
            return Err(PasskeyRefusal::NobodyThere);
        }
        if used.signature.len() > MAX_SIGNATURE {
            return Err(PasskeyRefusal::Unreadable);
        }
        let signed = [&used.authenticator_data[..], digest(&SHA256, &used.client_data).as_ref()].concat();
        if !self.key.verify(&signed, &used.signature) {
            return Err(PasskeyRefusal::Signature);
        }
        if (data.counter > 0 || self.counter > 0) && data.counter <= self.counter {
            return Err(PasskeyRefusal::WentBack);
        }
        Ok(Self { counter: data.counter, backed_up: data.backed_up, ..self.clone() })
    }
}

/// The name of a passkey: what was typed, without white space around it; 1 to [`MAX_PASSKEY_NAME`] visible characters.
pub fn parse_passkey_name(text: &str) -> Option<String> {
    let text = text.trim();
    let good = (1..=MAX_PASSKEY_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    good.then(|| text.to_owned())
}

#[cfg(test)]
mod tests;

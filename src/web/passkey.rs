//! How does a page ask an authenticator, and how does the answer come back? As fields of an ordinary form.
//!
//! The page carries what to ask (Web Authentication Level 3 §5.4 and §5.5) as JSON, with bytes in base64url; the script puts it
//! to the browser and the answer into the form beside it. So the answer comes with a form token and an origin as every other.

use crate::account::factor::{Factor, FactorKind};
use crate::account::passkey::{CoseKey, MadePasskey, RelyingParty, UsedPasskey};
use crate::account::user::User;
use crate::app::App;
use crate::app::passkeys::{PasskeyAct, PasskeyQuestion, QUESTION_LIFE};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

/// What a page asks an authenticator.
#[derive(Debug, Clone)]
pub struct PasskeyAsk {
    /// The question, sealed; the form sends it as `question`.
    pub question: String,
    /// The options for the browser, as JSON.
    pub options: String,
}

/// What the form of such a page sends.
#[derive(Debug, Clone, Deserialize)]
pub struct PasskeyAnswer {
    /// The question, sealed.
    pub question: String,
    /// Where to go on to.
    #[serde(default)]
    pub next: String,
    /// What the owner calls a passkey that was made.
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    credential: String,
    #[serde(default)]
    owner: String,
    #[serde(default)]
    client_data: String,
    #[serde(default)]
    authenticator_data: String,
    #[serde(default)]
    signature: String,
}

impl PasskeyAsk {
    /// To make a passkey for `user`, who has `factors`, in the browser with this binding.
    pub fn to_add(app: &App, binding: &str, user: &User, factors: &[Factor]) -> Option<Self> {
        let party = app.relying_party()?;
        let question = app.ask_passkey(PasskeyAct::Add, binding);
        let algorithms = CoseKey::ALGORITHMS.map(|algorithm| json!({"type": "public-key", "alg": algorithm}));
        let options = json!({
            "rp": {"id": party.id(), "name": "Keyward"},
            "user": {
                "id": encoded(user.id.as_bytes()),
                "name": user.name.as_str(),
                "displayName": user.name.as_str(),
            },
            "challenge": encoded(&question.challenge),
            "pubKeyCredParams": algorithms,
            "timeout": timeout(),
            "excludeCredentials": credentials(factors),
            "authenticatorSelection": {"residentKey": "preferred", "userVerification": "preferred"},
            "attestation": "none",
        });
        Some(Self::new(question, &options))
    }

    /// To sign in with a passkey alone, whoever it is.
    pub fn to_sign_in(app: &App, binding: &str) -> Option<Self> {
        let party = app.relying_party()?;
        Some(Self::to_use(app, PasskeyAct::SignIn, binding, &party, &[], "required"))
    }

    /// To use one of the passkeys among `factors` after the password; none if there is none.
    pub fn to_finish_sign_in(app: &App, binding: &str, factors: &[Factor]) -> Option<Self> {
        let party = app.relying_party().filter(|_| has_passkey(factors))?;
        Some(Self::to_use(app, PasskeyAct::SecondFactor, binding, &party, factors, "discouraged"))
    }

    /// To prove again who is there, with one of the passkeys among `factors`; none if there is none.
    pub fn to_prove_again(app: &App, binding: &str, factors: &[Factor]) -> Option<Self> {
        let party = app.relying_party().filter(|_| has_passkey(factors))?;
        Some(Self::to_use(app, PasskeyAct::ProveAgain, binding, &party, factors, "required"))
    }

    fn to_use(
        app: &App,
        act: PasskeyAct,
        binding: &str,
        party: &RelyingParty,
        factors: &[Factor],
        verification: &str,
    ) -> Self {
        let question = app.ask_passkey(act, binding);
        let options = json!({
            "rpId": party.id(),
            "challenge": encoded(&question.challenge),
            "timeout": timeout(),
            "allowCredentials": credentials(factors),
            "userVerification": verification,
        });
        Self::new(question, &options)
    }

    fn new(question: PasskeyQuestion, options: &Value) -> Self {
        Self { question: question.sealed, options: options.to_string() }
    }
}

impl PasskeyAnswer {
    /// As the answer of a passkey that was made.
    pub fn made(&self) -> Option<MadePasskey> {
        let (client_data, authenticator_data) = (decoded(&self.client_data)?, decoded(&self.authenticator_data)?);
        Some(MadePasskey { client_data, authenticator_data })
    }

    /// As the answer of a passkey that was used.
    pub fn used(&self) -> Option<UsedPasskey> {
        Some(UsedPasskey {
            credential: decoded(&self.credential)?,
            owner: decoded(&self.owner)?,
            client_data: decoded(&self.client_data)?,
            authenticator_data: decoded(&self.authenticator_data)?,
            signature: decoded(&self.signature)?,
        })
    }
}

/// Whether there is a passkey among these.
pub fn has_passkey(factors: &[Factor]) -> bool {
    factors.iter().any(|factor| matches!(factor.kind, FactorKind::Passkey(_)))
}

fn credentials(factors: &[Factor]) -> Vec<Value> {
    let passkeys = factors.iter().filter_map(|factor| match &factor.kind {
        FactorKind::Passkey(passkey) => Some(passkey),
        FactorKind::Authenticator(_) => None,
    });
    passkeys.map(|passkey| json!({"type": "public-key", "id": encoded(&passkey.credential)})).collect()
}

/// In milliseconds, as browsers count.
fn timeout() -> u64 {
    QUESTION_LIFE.as_secs() * 1_000
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
impl PasskeyAsk {
    pub(crate) fn sample() -> Self {
        let options = json!({"rpId": "mcp.example.org", "challenge": "AAAA", "allowCredentials": []}).to_string();
        Self { question: "v4.local.sample".to_owned(), options }
    }
}

//! How are secrets held? In types that print nothing, wipe themselves and compare in constant time.
//!
//! An opaque credential (refresh token, authorization code, client secret, set-up secret) is a [`PlainToken`] while it
//! is on its way to its owner and a [`TokenDigest`] at rest. The digest is plain SHA-256: the input has 256 random
//! bits, so there is nothing to guess. Passwords are another matter: see [`crate::account`].

use crate::entropy::{Entropy, random_bytes};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A value that must not be printed and is wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Guards `value` from here on.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Every call is a place to look at.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl<'de> serde::Deserialize<'de> for Secret<String> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// What an opaque credential is for; its prefix makes a leaked one recognisable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainTokenKind {
    /// OAuth authorization code (RFC 6749 §4.1.2).
    AuthorizationCode,
    /// OAuth refresh token (RFC 6749 §1.5).
    RefreshToken,
    /// An OAuth client's secret (RFC 6749 §2.3.1).
    ClientSecret,
    /// The one-time secret that opens `/setup`.
    SetUp,
    /// The one-time secret of an invitation.
    Invitation,
    /// The one-time secret with which a new password is set.
    PasswordReset,
}

impl PlainTokenKind {
    /// What the text of such a credential begins with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "kwc_",
            Self::RefreshToken => "kwr_",
            Self::ClientSecret => "kws_",
            Self::SetUp => "kwi_",
            Self::Invitation => "kwn_",
            Self::PasswordReset => "kwp_",
        }
    }
}

/// An opaque credential in the clear: 256 random bits. Exists only between its making and its one showing.
#[derive(Clone, ZeroizeOnDrop)]
pub struct PlainToken(String);

impl PlainToken {
    /// A new credential of 256 random bits.
    pub fn generate(kind: PlainTokenKind, entropy: &dyn Entropy) -> Self {
        Self::from_bytes(kind, &random_bytes(entropy))
    }

    /// The credential of these random bytes.
    pub fn from_bytes(kind: PlainTokenKind, bytes: &[u8; 32]) -> Self {
        Self(format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The text to hand to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What to store.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(&self.0)
    }
}

impl fmt::Debug for PlainToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainToken")
    }
}

/// SHA-256 of a credential: what the store keeps and looks up.
#[derive(Clone, Copy, Eq, serde::Serialize, serde::Deserialize)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The digest of a presented credential.
    pub fn of(presented: &str) -> Self {
        Self(Sha256::digest(presented.as_bytes()).into())
    }

    /// The digest with these bytes, as the store kept them.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for TokenDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest")
    }
}

/// The installation's master secret: 256 bits from which every other symmetric key is derived.
#[derive(Clone, ZeroizeOnDrop)]
pub struct MasterSecret([u8; 32]);

/// The text is not a master secret: 43 characters of unpadded base64url, 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a master secret is 32 random bytes as 43 characters of base64url")]
pub struct NotAMasterSecret;

impl MasterSecret {
    /// A new one.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self(random_bytes(entropy))
    }

    /// Reads the text form; white space around it is ignored.
    pub fn parse(text: &str) -> Result<Self, NotAMasterSecret> {
        let mut bytes = URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| NotAMasterSecret)?;
        let secret = <[u8; 32]>::try_from(bytes.as_slice()).map(Self).map_err(|_| NotAMasterSecret);
        bytes.zeroize();
        secret
    }

    /// The text form, for its file.
    pub fn to_text(&self) -> Secret<String> {
        Secret::new(URL_SAFE_NO_PAD.encode(self.0))
    }

    /// A key of its own for one purpose: HMAC-SHA-256 of `purpose` under the master secret (RFC 5869's expand step for
    /// one block).
    pub fn derive(&self, purpose: &str) -> Secret<[u8; 32]> {
        Secret::new(hmac_sha256(&self.0, &[purpose.as_bytes(), &[1]]))
    }
}

impl fmt::Debug for MasterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterSecret")
    }
}

/// HMAC-SHA-256 (RFC 2104) of the parts, one after another.
pub fn hmac_sha256(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn nothing_secret_is_printed() {
        let entropy = SeededEntropy::new(3);
        let token = PlainToken::generate(PlainTokenKind::RefreshToken, &entropy);
        let master = MasterSecret::generate(&entropy);
        let printed =
            format!("{token:?} {:?} {master:?} {:?} {:?}", token.digest(), master.to_text(), master.derive("x"));
        assert_eq!(printed, "PlainToken TokenDigest MasterSecret Secret Secret");
    }

    #[test]
    fn a_plain_token_tells_its_kind_and_has_256_bits() {
        let token = PlainToken::generate(PlainTokenKind::AuthorizationCode, &SeededEntropy::new(3));
        assert!(token.expose().starts_with("kwc_"));
        assert_eq!(token.expose().len(), 4 + 43);
        assert_eq!(token.digest(), TokenDigest::of(token.expose()));
    }

    #[test]
    fn purposes_have_keys_of_their_own() {
        let master = MasterSecret::generate(&SeededEntropy::new(4));
        assert_ne!(master.derive("a").expose(), master.derive("b").expose());
        let again = MasterSecret::parse(master.to_text().expose()).unwrap();
        assert_eq!(again.derive("a").expose(), master.derive("a").expose());
        assert!(MasterSecret::parse("short").is_err());
    }
}

//! What do other verifiers get to see? The JSON Web Key Set (RFC 7517 §5) of Ed25519 keys (RFC 8037 §2).
//!
//! Invariant: [`JWKS_MAX_AGE`] is short beside the time for which a key is published before it signs
//! ([`super::MIN_PUBLISH_AHEAD`]): whoever keeps the document for as long as it says knows every key in time.

use crate::clock::minutes;
use crate::id::KeyId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use std::time::Duration;

/// For how long the document may be kept: its `Cache-Control: max-age`.
pub const JWKS_MAX_AGE: Duration = minutes(5);

/// The document at `/.well-known/jwks.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwks {
    /// The keys, the active one first.
    pub keys: Vec<Jwk>,
}

/// One public key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    kty: &'static str,
    crv: &'static str,
    /// The key's name.
    pub kid: KeyId,
    /// The public half in base64url (RFC 8037 §2).
    pub x: String,
    #[serde(rename = "use")]
    purpose: &'static str,
    alg: &'static str,
}

impl Jwk {
    pub(super) fn new(kid: KeyId, public: &[u8; 32]) -> Self {
        Self { kty: "OKP", crv: "Ed25519", kid, x: URL_SAFE_NO_PAD.encode(public), purpose: "sig", alg: "EdDSA" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_the_members_of_rfc_8037() {
        let set = Jwks { keys: vec![Jwk::new(KeyId::from_bytes([0; 16]), &[0; 32])] };
        assert_eq!(
            serde_json::to_string(&set).unwrap(),
            r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"key_00000000000000000000000000","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","use":"sig","alg":"EdDSA"}]}"#
        );
    }
}

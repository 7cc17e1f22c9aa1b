//! Is the redeemer of a code the one who asked for it? Proof Key for Code Exchange (RFC 7636), method S256 only.
//!
//! Invariant: a [`CodeChallenge`] is the 32 bytes of an S256 challenge; `plain` and a missing method (which RFC 7636 §4.3
//! reads as `plain`) never become one, so a stored challenge cannot lose its method on the way.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The one method (RFC 7636 §4.2), as metadata and requests name it.
pub const METHOD: &str = "S256";

/// An S256 code challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CodeChallenge([u8; 32]);

/// Why a request has no acceptable challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PkceError {
    /// No `code_challenge`.
    #[error("code_challenge is missing: PKCE is required")]
    Missing,
    /// `code_challenge_method` is missing or not S256.
    #[error("code_challenge_method must be S256")]
    Method,
    /// The challenge is not 43 characters of unpadded base64url.
    #[error("code_challenge must be the unpadded base64url form of a SHA-256 digest, 43 characters")]
    Challenge,
}

impl CodeChallenge {
    /// Parses `code_challenge` and `code_challenge_method` (RFC 7636 §4.3).
    pub fn parse(challenge: Option<&str>, method: Option<&str>) -> Result<Self, PkceError> {
        let challenge = challenge.filter(|text| !text.is_empty()).ok_or(PkceError::Missing)?;
        if method != Some(METHOD) {
            return Err(PkceError::Method);
        }
        let mut digest = [0; 32];
        // 43 characters carry 258 bits: the decoder refuses a last character whose two spare bits are set.
        match URL_SAFE_NO_PAD.decode_slice(challenge, &mut digest) {
            Ok(32) if challenge.len() == 43 => Ok(Self(digest)),
            _ => Err(PkceError::Challenge),
        }
    }

    /// Does this verifier belong to the challenge (RFC 7636 §4.6)? Compared in constant time; a verifier that is not 43 to
    /// 128 unreserved characters (§4.1) never does.
    pub fn verify(&self, verifier: &str) -> bool {
        let well_formed = (43..=128).contains(&verifier.len())
            && verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        let digest: [u8; 32] = Sha256::digest(verifier.as_bytes()).into();
        well_formed && bool::from(digest.ct_eq(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn only_an_s256_challenge_is_one() {
        use PkceError::{Challenge, Method, Missing};
        let long = format!("{CHALLENGE}A");
        let padded = format!("{CHALLENGE}=");
        let spare_bits = format!("{}N", &CHALLENGE[..42]);
        for (challenge, method, outcome) in [
            (Some(CHALLENGE), Some("S256"), Ok(())),
            (None, None, Err(Missing)),
            (None, Some("S256"), Err(Missing)),
            (None, Some("plain"), Err(Missing)),
            (Some(""), Some("S256"), Err(Missing)),
            (Some(CHALLENGE), None, Err(Method)),
            (Some(CHALLENGE), Some(""), Err(Method)),
            (Some(CHALLENGE), Some("plain"), Err(Method)),
            (Some(VERIFIER), Some("plain"), Err(Method)),
            (Some(CHALLENGE), Some("s256"), Err(Method)),
            (Some(CHALLENGE), Some("S256 "), Err(Method)),
            (Some(CHALLENGE), Some("S512"), Err(Method)),
            (Some(&CHALLENGE[..42]), Some("S256"), Err(Challenge)),
            (Some(&long), Some("S256"), Err(Challenge)),
            (Some(&padded), Some("S256"), Err(Challenge)),
            (Some(&spare_bits), Some("S256"), Err(Challenge)),
            (Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"), Some("S256"), Err(Challenge)),
            (Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw cM"), Some("S256"), Err(Challenge)),
        ] {
            assert_eq!(CodeChallenge::parse(challenge, method).map(drop), outcome, "{challenge:?} {method:?}");
        }
    }

    #[test]
    fn only_its_verifier_belongs_to_a_challenge() {
        let challenge = CodeChallenge::parse(Some(CHALLENGE), Some(METHOD)).unwrap();
        assert!(challenge.verify(VERIFIER));
        for wrong in
            ["", CHALLENGE, &VERIFIER[..42], &VERIFIER.to_lowercase(), &format!("{VERIFIER} "), &"a".repeat(129)]
        {
            assert!(!challenge.verify(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_verifier_keeps_to_the_grammar_even_if_its_digest_fits() {
        let challenge_of = |verifier: &str| CodeChallenge(Sha256::digest(verifier).into());
        let unreserved = "aZ09-._~".repeat(16);
        for (verifier, good) in [
            ("a".repeat(42), false),
            ("a".repeat(43), true),
            (unreserved.clone(), true),
            (format!("{unreserved}a"), false),
            (format!("{}+", "a".repeat(43)), false),
            (format!("{}é", "a".repeat(43)), false),
            (format!("{}\0", "a".repeat(43)), false),
        ] {
            assert_eq!(challenge_of(&verifier).verify(&verifier), good, "{verifier}");
        }
    }

    #[test]
    fn a_challenge_survives_storage() {
        let challenge = CodeChallenge::parse(Some(CHALLENGE), Some(METHOD)).unwrap();
        let stored = bincode::serde::encode_to_vec(challenge, bincode::config::standard()).unwrap();
        let (read, _): (CodeChallenge, _) =
            bincode::serde::decode_from_slice(&stored, bincode::config::standard()).unwrap();
        assert!(read.verify(VERIFIER));
    }
}

//! How is something signed, and who can see the private half? Ed25519 (RFC 8032 §5.1.6), deterministic.
//!
//! Invariant: the private half leaves this type by one door, [`ActiveSigner::to_private_jwk`], which only the test
//! fixture opens. It is wiped when dropped and never printed.

use crate::id::KeyId;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer as _;
use std::fmt;
use zeroize::Zeroizing;

/// An Ed25519 signature (RFC 8032 §5.1.6): 64 bytes.
pub type Signature = [u8; 64];

/// A signing key with its private half opened.
#[derive(Clone)]
pub struct ActiveSigner {
    id: KeyId,
    key: ed25519_dalek::SigningKey,
    public: [u8; 32],
}

impl ActiveSigner {
    /// The signer with this seed (RFC 8032 §5.1.5 calls it the private key).
    pub(super) fn from_seed(id: KeyId, seed: &Secret<[u8; 32]>) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(seed.expose());
        let public = key.verifying_key().to_bytes();
        Self { id, key, public }
    }

    /// The key's name: the `kid` of what it signs.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The public half.
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> Signature {
        self.key.sign(message).to_bytes()
    }

    /// The whole key, private half included, as a JSON Web Key (RFC 8037 §2).
    ///
    /// **Whoever reads it can make tokens for everybody.** It exists for `keyward fixture`, whose tokens open nothing
    /// but a test; nothing that serves people may call it.
    pub fn to_private_jwk(&self) -> Secret<String> {
        let private = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.key.as_bytes()));
        let public = URL_SAFE_NO_PAD.encode(self.public);
        Secret::new(format!(
            r#"{{"kty":"OKP","crv":"Ed25519","x":"{public}","d":"{}","kid":"{}","use":"sig","alg":"EdDSA"}}"#,
            *private, self.id
        ))
    }

    pub(super) fn verifying_key(&self) -> ed25519_dalek::VerifyingKey {
        self.key.verifying_key()
    }
}

impl fmt::Debug for ActiveSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActiveSigner({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 §7.1, test 1, and RFC 8037 appendix A.1.
    const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn signer() -> ActiveSigner {
        let seed = URL_SAFE_NO_PAD.decode(SEED).unwrap().try_into().unwrap();
        ActiveSigner::from_seed(KeyId::from_bytes([1; 16]), &Secret::new(seed))
    }

    #[test]
    fn the_private_jwk_is_that_of_rfc_8037() {
        let jwk: serde_json::Value = serde_json::from_str(signer().to_private_jwk().expose()).unwrap();
        assert_eq!(jwk["d"], SEED);
        assert_eq!(jwk["x"], PUBLIC);
        assert_eq!((&jwk["kty"], &jwk["crv"]), (&"OKP".into(), &"Ed25519".into()));
        assert_eq!(jwk["kid"], signer().id().to_string());
    }

    #[test]
    fn signs_as_rfc_8037_appendix_a4() {
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        assert_eq!(
            URL_SAFE_NO_PAD.encode(signer().sign(message)),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    #[test]
    fn a_signer_prints_its_name_only() {
        assert_eq!(format!("{:?}", signer()), format!("ActiveSigner({})", signer().id()));
    }
}

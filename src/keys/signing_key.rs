//! What is a signing key, and what may it do in each state? Ed25519 (RFC 8032); the record as the store keeps it.
//!
//! Invariants: the private half is in the record only sealed, together with the id of the key that it belongs to, and
//! opens only to the half that `public` names. A condemned key stays condemned. [`super::rotation`] alone decides when
//! a state changes.

use crate::clock::Timestamp;
use crate::entropy::{Entropy, random_bytes};
use crate::id::KeyId;
use crate::keys::signer::ActiveSigner;
use crate::seal::{Purpose, Sealer};
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Where a signing key stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyState {
    /// Published ahead of its turn, so that every verifier knows it before it signs.
    Next,
    /// The one that signs.
    Active {
        /// When it began to sign.
        since: Timestamp,
    },
    /// Signs no more; verifies until the last token that it signed has expired.
    Retired {
        /// When it stopped signing.
        since: Timestamp,
        /// From here on it verifies nothing.
        verifies_until: Timestamp,
    },
    /// Nothing that it ever signed is accepted any more.
    Condemned {
        /// When that was decided.
        since: Timestamp,
    },
}

impl KeyState {
    /// Whether a signature of this key counts at `now`. The same keys are published.
    pub fn verifies(self, now: Timestamp) -> bool {
        match self {
            Self::Next | Self::Active { .. } => true,
            Self::Retired { verifies_until, .. } => now < verifies_until,
            Self::Condemned { .. } => false,
        }
    }

    /// The state's name, as pages and logs show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active { .. } => "active",
            Self::Retired { .. } => "retired",
            Self::Condemned { .. } => "condemned",
        }
    }
}

/// A signing key as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// Its name: the `kid` of the tokens that it signs (RFC 7515 §4.1.4).
    pub id: KeyId,
    /// Where it stands in its life.
    pub state: KeyState,
    /// The public half (RFC 8032 §5.1.5).
    pub public: [u8; 32],
    /// The private half, sealed for [`Purpose::SigningKey`].
    pub sealed_secret: String,
    /// When it was made, and so first published.
    pub created_at: Timestamp,
}

/// The sealed private half does not open with this master secret, or is not that of this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed secret does not open to the private half of this key")]
pub struct NotThisKeysSecret;

impl SigningKey {
    /// A new key in the state `state`.
    pub fn generate(state: KeyState, now: Timestamp, sealer: &Sealer, entropy: &dyn Entropy) -> Self {
        let seed = Secret::new(random_bytes::<32>(entropy));
        let id = KeyId::generate(now, entropy);
        let text = Zeroizing::new(format!("{id} {}", *Zeroizing::new(URL_SAFE_NO_PAD.encode(seed.expose()))));
        let sealed_secret = sealer.seal_text(Purpose::SigningKey, &text);
        let public = *ActiveSigner::from_seed(id, &seed).public();
        Self { id, state, public, sealed_secret, created_at: now }
    }

    /// The same key in another state.
    #[must_use]
    pub fn in_state(&self, state: KeyState) -> Self {
        Self { state, ..self.clone() }
    }

    /// Opens the private half. That it opens also proves that this installation made the record: a key that somebody
    /// wrote into the store without the master secret does not pass.
    pub fn signer(&self, sealer: &Sealer) -> Result<ActiveSigner, NotThisKeysSecret> {
        let text = sealer.open_text(Purpose::SigningKey, &self.sealed_secret).map_err(|_| NotThisKeysSecret)?;
        let text = Zeroizing::new(text);
        let (id, seed) = text.split_once(' ').ok_or(NotThisKeysSecret)?;
        if id.parse() != Ok(self.id) {
            return Err(NotThisKeysSecret);
        }
        let seed = Zeroizing::new(URL_SAFE_NO_PAD.decode(seed).map_err(|_| NotThisKeysSecret)?);
        let seed = Secret::new(seed.as_slice().try_into().map_err(|_| NotThisKeysSecret)?);
        let signer = ActiveSigner::from_seed(self.id, &seed);
        if *signer.public() == self.public { Ok(signer) } else { Err(NotThisKeysSecret) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use crate::secret::MasterSecret;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);

    fn sealer(seed: u64) -> Sealer {
        Sealer::new(&MasterSecret::generate(&SeededEntropy::new(seed)))
    }

    #[test]
    fn only_the_installation_that_made_a_key_can_sign_with_it() {
        let entropy = SeededEntropy::new(1);
        let key = SigningKey::generate(KeyState::Next, NOW, &sealer(1), &entropy);
        assert_eq!(key.signer(&sealer(1)).unwrap().public(), &key.public);
        assert_eq!(key.signer(&sealer(2)).unwrap_err(), NotThisKeysSecret);
    }

    #[test]
    fn a_secret_belongs_to_one_id_and_one_public_half() {
        let entropy = SeededEntropy::new(1);
        let key = SigningKey::generate(KeyState::Next, NOW, &sealer(1), &entropy);
        let other = SigningKey::generate(KeyState::Next, NOW, &sealer(1), &entropy);
        for mixed in [
            SigningKey { id: other.id, ..key.clone() },
            SigningKey { public: other.public, ..key.clone() },
            SigningKey { sealed_secret: other.sealed_secret.clone(), ..key.clone() },
            SigningKey { sealed_secret: String::new(), ..key.clone() },
        ] {
            assert_eq!(mixed.signer(&sealer(1)).unwrap_err(), NotThisKeysSecret);
        }
    }

    #[test]
    fn the_states_verify_as_long_as_they_should() {
        let retired = KeyState::Retired { since: NOW, verifies_until: NOW + crate::clock::days(1) };
        assert!(KeyState::Next.verifies(NOW));
        assert!(KeyState::Active { since: NOW }.verifies(NOW));
        assert!(retired.verifies(NOW + crate::clock::hours(23)));
        assert!(!retired.verifies(NOW + crate::clock::hours(24)));
        assert!(!KeyState::Condemned { since: NOW }.verifies(NOW));
    }
}

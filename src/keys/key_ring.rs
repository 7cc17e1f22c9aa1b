//! Which key signs now, and which keys verify? An immutable snapshot that requests read without a lock.
//!
//! Invariants: exactly one key signs. Every key that verifies was made by this installation (its sealed secret opened)
//! and its point is already decompressed. Condemned keys stay in the ring, so that their tokens are told apart from
//! tokens of a stranger. Whether a retired key's time is over is asked of `now`, not of when the ring was built.

use crate::clock::Timestamp;
use crate::id::KeyId;
use crate::keys::jwks::{Jwk, Jwks};
use crate::keys::signer::{ActiveSigner, Signature};
use crate::keys::signing_key::{KeyState, SigningKey};
use crate::seal::Sealer;
use ed25519_dalek::VerifyingKey;

/// The keys of one moment.
#[derive(Debug)]
pub struct KeyRing {
    /// Sorted by id, for the binary search of every request.
    keys: Vec<RingKey>,
    signer: ActiveSigner,
}

#[derive(Debug)]
struct RingKey {
    id: KeyId,
    state: KeyState,
    verification: VerificationKey,
}

/// A public key that is ready to verify.
#[derive(Debug, Clone)]
pub struct VerificationKey(VerifyingKey);

impl VerificationKey {
    /// Whether `signature` is this key's over `message`: RFC 8032 §5.1.7 without its cofactor, and also refusing points
    /// of small order and unreduced scalars, so that nobody but the signer can make a second signature.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        self.0.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
    }
}

/// Why no key of the ring may verify a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRefusal {
    /// Not a key of this installation, or retired for so long that nothing it signed is valid.
    Unknown,
    /// A condemned key.
    Condemned,
}

/// The stored keys do not make a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// A key's secret does not open, or is another's.
    #[error(
        "signing key {0} does not open with this master secret; start with the master secret that belongs to this data, or restore both from one backup"
    )]
    NotSealedHere(KeyId),
    /// No key is active.
    #[error("no signing key is active; carry out the rotation plan first")]
    NoActiveKey,
    /// More than one key is active.
    #[error("signing keys {0} and {1} are both active; carry out the rotation plan first")]
    TwoActiveKeys(KeyId, KeyId),
}

impl KeyRing {
    /// The ring of the stored `keys`. Opens each private half that still matters, to prove where it came from.
    pub fn build(keys: &[SigningKey], sealer: &Sealer) -> Result<Self, KeyRingError> {
        let mut ring = Vec::with_capacity(keys.len());
        let mut active: Option<ActiveSigner> = None;
        for key in keys {
            let signer = match (key.signer(sealer), key.state) {
                (Ok(signer), _) => signer,
                // Its signatures count no more: not worth refusing to start.
                (Err(_), KeyState::Condemned { .. }) => continue,
                (Err(_), _) => return Err(KeyRingError::NotSealedHere(key.id)),
            };
            let verification = VerificationKey(signer.verifying_key());
            ring.push(RingKey { id: key.id, state: key.state, verification });
            if matches!(key.state, KeyState::Active { .. })
                && let Some(other) = active.replace(signer)
            {
                return Err(KeyRingError::TwoActiveKeys(other.id(), key.id));
            }
        }
        ring.sort_unstable_by_key(|key| key.id);
        Ok(Self { keys: ring, signer: active.ok_or(KeyRingError::NoActiveKey)? })
    }

    /// The key that signs.
    pub const fn signer(&self) -> &ActiveSigner {
        &self.signer
    }

    /// The key `id`, if what it signed counts at `now`.
    pub fn verification_key(&self, id: KeyId, now: Timestamp) -> Result<&VerificationKey, KeyRefusal> {
        let place = self.keys.binary_search_by_key(&id, |key| key.id).map_err(|_| KeyRefusal::Unknown)?;
        let key = &self.keys[place];
        match key.state {
            KeyState::Condemned { .. } => Err(KeyRefusal::Condemned),
            state if state.verifies(now) => Ok(&key.verification),
            _ => Err(KeyRefusal::Unknown),
        }
    }

    /// What to publish at `now`: the active key first, then the next, then the retired ones that still verify, latest
    /// first.
    pub fn jwks(&self, now: Timestamp) -> Jwks {
        let mut published: Vec<&RingKey> = self.keys.iter().filter(|key| key.state.verifies(now)).collect();
        published.sort_by_key(|key| {
            std::cmp::Reverse(match key.state {
                KeyState::Active { .. } => (3, Timestamp::EPOCH),
                KeyState::Next => (2, Timestamp::EPOCH),
                KeyState::Retired { since, .. } => (1, since),
                KeyState::Condemned { since } => (0, since),
            })
        });
        Jwks { keys: published.iter().map(|key| Jwk::new(key.id, key.verification.0.as_bytes())).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::days;
    use crate::entropy::SeededEntropy;
    use crate::secret::MasterSecret;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);

    fn keys(states: &[KeyState]) -> (Vec<SigningKey>, Sealer) {
        let entropy = SeededEntropy::new(1);
        let sealer = Sealer::new(&MasterSecret::generate(&entropy));
        (states.iter().map(|state| SigningKey::generate(*state, NOW, &sealer, &entropy)).collect(), sealer)
    }

    const ACTIVE: KeyState = KeyState::Active { since: NOW };

    fn retired(until: Timestamp) -> KeyState {
        KeyState::Retired { since: NOW, verifies_until: until }
    }

    #[test]
    fn each_state_verifies_as_it_should() {
        let (keys, sealer) =
            keys(&[KeyState::Next, ACTIVE, retired(NOW + days(1)), KeyState::Condemned { since: NOW }]);
        let ring = KeyRing::build(&keys, &sealer).unwrap();
        let refusal = |key: &SigningKey, now| ring.verification_key(key.id, now).err();

        assert_eq!(ring.signer().id(), keys[1].id);
        assert_eq!(refusal(&keys[0], NOW), None);
        assert_eq!(refusal(&keys[1], NOW), None);
        assert_eq!(refusal(&keys[2], NOW), None);
        assert_eq!(refusal(&keys[2], NOW + days(1)), Some(KeyRefusal::Unknown));
        assert_eq!(refusal(&keys[3], NOW), Some(KeyRefusal::Condemned));
        assert_eq!(ring.verification_key(KeyId::from_bytes([9; 16]), NOW).unwrap_err(), KeyRefusal::Unknown);
    }

    #[test]
    fn the_published_set_is_the_set_that_verifies() {
        let (keys, sealer) =
            keys(&[retired(NOW + days(1)), KeyState::Next, ACTIVE, KeyState::Condemned { since: NOW }]);
        let ring = KeyRing::build(&keys, &sealer).unwrap();
        let published = |now| ring.jwks(now).keys.into_iter().map(|jwk| jwk.kid).collect::<Vec<_>>();

        assert_eq!(published(NOW), [keys[2].id, keys[1].id, keys[0].id]);
        assert_eq!(published(NOW + days(1)), [keys[2].id, keys[1].id]);
    }

    #[test]
    fn keys_that_make_no_ring_are_refused_by_name() {
        let (none, sealer) = keys(&[KeyState::Next]);
        assert_eq!(KeyRing::build(&none, &sealer).unwrap_err(), KeyRingError::NoActiveKey);

        let (two, sealer) = keys(&[ACTIVE, ACTIVE]);
        let error = KeyRingError::TwoActiveKeys(two[0].id, two[1].id);
        assert_eq!(KeyRing::build(&two, &sealer).unwrap_err(), error);

        let (one, _) = keys(&[ACTIVE]);
        let stranger = Sealer::new(&MasterSecret::generate(&SeededEntropy::new(2)));
        assert_eq!(KeyRing::build(&one, &stranger).unwrap_err(), KeyRingError::NotSealedHere(one[0].id));
    }

    #[test]
    fn a_signature_is_checked_strictly() {
        let (keys, sealer) = keys(&[ACTIVE]);
        let ring = KeyRing::build(&keys, &sealer).unwrap();
        let key = ring.verification_key(keys[0].id, NOW).unwrap();
        let signature = ring.signer().sign(b"message");

        assert!(key.verify(b"message", &signature));
        assert!(!key.verify(b"massage", &signature));
        assert!(!key.verify(b"message", &[0; 64]));
    }

    /// Made with the key of RFC 8032 §7.1, test 1, and the neutral point as R: satisfies the equation of RFC 8032 §5.1.7.
    #[test]
    fn a_signature_with_a_point_of_small_order_is_refused() {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        use ed25519_dalek::Verifier as _;

        let decode = |text| URL_SAFE_NO_PAD.decode(text).unwrap();
        let public = decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").try_into().unwrap();
        let text = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABSCi4lsPEVR6muKthI7Xcxx3-Z8ahxLTY0VdNE2zOsBA";
        let signature: Signature = decode(text).try_into().unwrap();

        let key = VerificationKey(VerifyingKey::from_bytes(&public).unwrap());
        assert!(key.0.verify(b"message", &ed25519_dalek::Signature::from_bytes(&signature)).is_ok());
        assert!(!key.verify(b"message", &signature));
    }

    #[test]
    fn a_key_of_small_order_verifies_nothing() {
        // With the neutral point as key, R = neutral and S = 0 satisfy the equation for every message.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut signature: Signature = [0; 64];
        signature[0] = 1;
        let key = VerificationKey(VerifyingKey::from_bytes(&neutral).unwrap());
        assert!(!key.verify(b"message", &signature));
    }
}

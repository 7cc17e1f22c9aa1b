//! Signing keys: their states, rotation, sealing and the published JWKS.
//!
//! | File | Question |
//! | --- | --- |
//! | `signer` | How is something signed, and who can see the private half? |
//! | `signing_key` | What is a signing key, and what may it do in each state? |
//! | `key_ring` | Which key signs now, and which keys verify? |
//! | `rotation` | What has to change about the keys at this moment? |
//! | `jwks` | What do other verifiers get to see? |
//!
//! The only home of Ed25519: [`crate::token`] hands over bytes and gets bytes or a verdict back.

mod signer;
mod signing_key;
mod key_ring;
mod rotation;
mod jwks;

pub use jwks::{JWKS_MAX_AGE, Jwk, Jwks};
pub use key_ring::{KeyRefusal, KeyRing, KeyRingError, VerificationKey};
pub use rotation::{Change, FirstState, MIN_PUBLISH_AHEAD, RotationPolicy, RotationRefusal, Step};
pub use rotation::{carry_out, condemn, plan, rotatable_from, rotate_now};
pub use signer::{ActiveSigner, Signature};
pub use signing_key::{KeyState, NotThisKeysSecret, SigningKey};

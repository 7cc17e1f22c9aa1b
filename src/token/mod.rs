//! Signed tokens: claims, the JWS format, issuing, verifying (the hot path) and revocation.
//!
//! | File | Question |
//! | --- | --- |
//! | `claims` | What does a token say? |
//! | `refusal` | Why was a token not accepted, and who may know how much? |
//! | `jws` | How do claims become a string, and which strings are looked at? |
//! | `issue` | How is a token made? |
//! | `revocation` | Which tokens are no good although they are genuine? |
//! | `genuine` | What does somebody hold who has checked a token? |
//! | `verified_cache` | Was this very token verified before? |
//! | `verify` | Is this token good now? |
//! | `assertion` | How does a guarded server learn who calls, without sharing a secret? |
//!
//! Refresh tokens and authorization codes are opaque: see [`crate::oauth`].

mod claims;
mod refusal;
mod jws;
mod issue;
mod revocation;
mod genuine;
mod verified_cache;
mod verify;
mod assertion;
#[cfg(test)]
pub(crate) mod workshop;

pub use assertion::{ASSERTION_LIFE, Addressee, AssertionMaker, Caller};
pub use claims::{Audience, Claims, TokenKind};
pub use genuine::{GenuineToken, VerifiedToken};
pub use issue::{AccessGrant, IssueError, PersonalGrant, SignedToken, TokenIssuer};
pub use jws::{ACCESS_TOKEN_PREFIX, MAX_TOKEN, PERSONAL_TOKEN_PREFIX};
pub use refusal::{RevokedBy, TokenRefusal};
pub use revocation::{Revocation, RevocationEntry, RevocationSet};
pub use verify::{Verifier, VerifierOptions};

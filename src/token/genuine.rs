//! What does somebody hold who has checked a token? Proofs that cannot be made elsewhere.
//!
//! [`GenuineToken`]: we signed it, and at the moment of the check it was neither over nor revoked.
//! [`VerifiedToken`]: and it is for this server (RFC 8707 §2, RFC 9068 §4). Forwarding a request needs one.
//!
//! A proof is of one moment and belongs to one request: do not keep it. What goes on for longer asks again, see
//! [`super::Verifier::verify_again`].

use crate::id::KeyId;
use crate::oauth::resource::ResourceUri;
use crate::secret::TokenDigest;
use crate::token::claims::Claims;
use crate::token::refusal::TokenRefusal;
use std::sync::Arc;

/// A token that [`super::Verifier`] found good. Cheap to clone.
#[derive(Debug, Clone)]
pub struct GenuineToken(Arc<Signed>);

/// What the signature proves, for as long as the process runs.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) digest: TokenDigest,
    pub(super) key: KeyId,
    pub(super) claims: Claims,
}

impl GenuineToken {
    pub(super) const fn new(signed: Arc<Signed>) -> Self {
        Self(signed)
    }

    /// What does not change about it.
    pub(super) fn signed(&self) -> &Signed {
        &self.0
    }

    /// What it says.
    pub fn claims(&self) -> &Claims {
        &self.0.claims
    }

    /// The key that signed it.
    pub fn key(&self) -> KeyId {
        self.0.key
    }

    /// The proof that the token is for `resource`, or the refusal that says for which servers it is.
    pub fn for_resource(&self, resource: &ResourceUri) -> Result<VerifiedToken, TokenRefusal> {
        if self.claims().audience.covers(resource) {
            return Ok(VerifiedToken { token: self.clone(), resource: resource.clone() });
        }
        Err(TokenRefusal::WrongAudience { token: self.claims().audience.clone(), wanted: resource.clone() })
    }
}

/// A good token for one server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct VerifiedToken {
    token: GenuineToken,
    resource: ResourceUri,
}

impl VerifiedToken {
    /// The proof that it is of us.
    pub(super) const fn genuine(&self) -> &GenuineToken {
        &self.token
    }

    /// Its digest.
    pub(super) fn digest(&self) -> &TokenDigest {
        &self.token.0.digest
    }

    /// What it says.
    pub fn claims(&self) -> &Claims {
        self.token.claims()
    }

    /// The server that it was checked for.
    pub const fn resource(&self) -> &ResourceUri {
        &self.resource
    }
}

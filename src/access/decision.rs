//! May the holder of this token do that at this server? The last question before a request goes on.
//!
//! The token is genuine, good now and for the server: [`VerifiedToken`] proves it. What is left is its scope (RFC 6750
//! §3.1, `insufficient_scope`). Fails closed: a proof for another server allows nothing here.

use crate::access::server::GuardedServer;
use crate::oauth::scope::ScopeSet;
use crate::token::VerifiedToken;

/// The token is good but does not reach that far: a 403 that names the scopes to ask for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the token lacks a scope; this needs: {needed}")]
pub struct InsufficientScope {
    /// All scopes that the request needs.
    pub needed: ScopeSet,
}

/// Decides whether `token` may do at `server` what needs the scopes `needed`.
pub fn decide(token: &VerifiedToken, server: &GuardedServer, needed: &ScopeSet) -> Result<(), InsufficientScope> {
    if token.resource() == &server.resource && token.claims().scopes.contains_all(needed) {
        Ok(())
    } else {
        Err(InsufficientScope { needed: needed.clone() })
    }
}

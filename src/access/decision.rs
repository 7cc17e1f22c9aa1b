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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::server::{ServerKind, ServerName};
    use crate::token::Audience;
    use crate::token::workshop::{NOW, Workshop, issuer};

    fn server(name: &str) -> GuardedServer {
        GuardedServer::further(&issuer(), ServerName::parse(name).unwrap(), name, ServerKind::Builtin).unwrap()
    }

    #[test]
    fn a_token_does_what_its_scopes_say_at_the_server_it_was_checked_for() {
        let workshop = Workshop::new(1);
        let (files, mail) = (server("files"), server("mail"));
        let token = workshop.personal(Audience::EveryServer);
        let token = workshop.verify(token.expose(), NOW).unwrap().for_resource(&files.resource).unwrap();
        let scopes = |text| ScopeSet::parse(text).unwrap();

        assert_eq!(decide(&token, &files, &ScopeSet::mcp()), Ok(()));
        assert_eq!(decide(&token, &files, &ScopeSet::empty()), Ok(()));
        for needed in ["admin", "mcp admin", "mcp:read", "mc"] {
            let refusal = Err(InsufficientScope { needed: scopes(needed) });
            assert_eq!(decide(&token, &files, &scopes(needed)), refusal, "{needed}");
        }
        assert!(decide(&token, &mail, &ScopeSet::mcp()).is_err(), "a proof for another server");
        assert!(decide(&token, &mail, &ScopeSet::empty()).is_err(), "a proof for another server");
    }
}

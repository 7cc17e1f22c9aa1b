//! What does a client read that may not pass? A challenge from which it finds its way by itself: RFC 6750 §3, RFC 9728 §5.1
//! and MCP's authorization specification.
//!
//! Invariants: `resource_metadata` and `scope` stand in every challenge; `error` stands in it only when something was
//! presented, so that a client without a token is not told that its token is bad. `scope` is what to ask for: the default,
//! or exactly what a refused operation needs. Where no token would help there is no challenge. The body is a JSON-RPC error
//! with a sentence for people. Nothing here repeats what a stranger sent.

use crate::access::{GuardedServer, InsufficientScope};
use crate::gateway::admit::Refusal;
use crate::gateway::error::NO_SERVER;
use crate::mcp::RpcError;
use crate::oauth::scope::ScopeSet;
use crate::token::TokenRefusal;
use crate::wire::bearer::BearerProblem;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::borrow::Cow;
use std::fmt::Write as _;

/// RFC 6750 §3.1.
const INSUFFICIENT_SCOPE: &str = "insufficient_scope";
const SIGN_IN: &str = "This MCP server needs a token. A client that supports sign-in finds its way from here by itself; \
    otherwise send a personal access token in the header Authorization: Bearer.";
const NOT_IN_THE_URL: &str = "This MCP server takes a token only in the header Authorization: Bearer, never in the URL. \
    Treat a token that was sent in a URL as known to others: revoke it.";

/// The answer to a request for `server` that may not pass. `query` is that of the request.
pub(super) fn answer(server: &GuardedServer, refusal: &Refusal, query: Option<&str>) -> Response {
    let Told { status, error, sentence } = told(refusal, query);
    let scopes = match refusal {
        Refusal::Scope(lack) => lack.needed.clone(),
        _ => server.default_scopes(),
    };
    let challenge = (!matches!(refusal, Refusal::NotForUser(_) | Refusal::NoServer))
        .then(|| challenge(server, error, &sentence, &scopes));
    let mut response = RpcError::http(status, sentence).into_response();
    if let Some(value) = challenge.and_then(|challenge| HeaderValue::try_from(challenge).ok()) {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    response
}

/// The challenge to a message that needs another token than the one it came with.
pub(super) fn insufficient_scope(server: &GuardedServer, lack: &InsufficientScope) -> Option<HeaderValue> {
    HeaderValue::try_from(challenge(server, Some(INSUFFICIENT_SCOPE), &lack.to_string(), &lack.needed)).ok()
}

/// `sentence` has only characters that may stand in a header's quotation marks.
fn challenge(server: &GuardedServer, error: Option<&str>, sentence: &str, scopes: &ScopeSet) -> String {
    let mut challenge = String::with_capacity(256);
    challenge.push_str("Bearer ");
    if let Some(error) = error {
        let _ = write!(challenge, "error=\"{error}\", error_description=\"{sentence}\", ");
    }
    let _ = write!(challenge, "resource_metadata=\"{}\", scope=\"{scopes}\"", server.metadata_url);
    challenge
}

struct Told {
    status: StatusCode,
    /// RFC 6750 §3.1.
    error: Option<&'static str>,
    /// For people; in a header if there is an error, so of its characters only (RFC 6750 §3).
    sentence: Cow<'static, str>,
}

fn told(refusal: &Refusal, query: Option<&str>) -> Told {
    let (status, error, sentence) = match refusal {
        Refusal::NoToken if query.is_some_and(has_token) => {
            (StatusCode::UNAUTHORIZED, None, Cow::Borrowed(NOT_IN_THE_URL))
        }
        Refusal::NoToken => (StatusCode::UNAUTHORIZED, None, Cow::Borrowed(SIGN_IN)),
        Refusal::Unreadable(BearerProblem::TooLong) => {
            let sentence = TokenRefusal::TooLong.description();
            (StatusCode::UNAUTHORIZED, Some("invalid_token"), sentence)
        }
        Refusal::Unreadable(problem) => {
            (StatusCode::BAD_REQUEST, Some("invalid_request"), Cow::Owned(problem.to_string()))
        }
        Refusal::Token(refusal) => (StatusCode::UNAUTHORIZED, Some("invalid_token"), refusal.description()),
        Refusal::NoUser(_) => {
            let sentence = "The user of this token has no account here any more, or it is disabled";
            (StatusCode::UNAUTHORIZED, Some("invalid_token"), Cow::Borrowed(sentence))
        }
        Refusal::NotForUser(_) => {
            let sentence = "This user may not use this server. An admin can change that";
            (StatusCode::FORBIDDEN, None, Cow::Borrowed(sentence))
        }
        Refusal::Scope(lack) => (StatusCode::FORBIDDEN, Some(INSUFFICIENT_SCOPE), Cow::Owned(lack.to_string())),
        Refusal::NoServer => (StatusCode::NOT_FOUND, None, Cow::Borrowed(NO_SERVER)),
    };
    Told { status, error, sentence }
}

fn has_token(query: &str) -> bool {
    query.split('&').any(|pair| pair.starts_with("access_token="))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{ServerKind, ServerName};
    use crate::id::UserId;
    use crate::oauth::issuer::Issuer;
    use crate::token::RevokedBy;

    const METADATA: &str = "resource_metadata=\"https://h/.well-known/oauth-protected-resource/mcp/files\"";
    const FILES: &str = "resource_metadata=\"https://h/.well-known/oauth-protected-resource/mcp/files\", scope=\"mcp\"";

    fn server() -> GuardedServer {
        let name = ServerName::parse("files").unwrap();
        GuardedServer::further(&Issuer::parse("https://h").unwrap(), name, "Files", ServerKind::Builtin).unwrap()
    }

    fn answered(refusal: &Refusal, query: Option<&str>) -> (u16, String) {
        let response = answer(&server(), refusal, query);
        let challenge = response.headers()[WWW_AUTHENTICATE].to_str().unwrap().to_owned();
        (response.status().as_u16(), challenge)
    }

    #[test]
    fn without_a_token_the_challenge_shows_the_way_and_names_no_error() {
        assert_eq!(answered(&Refusal::NoToken, None), (401, format!("Bearer {FILES}")));
        assert_eq!(answered(&Refusal::NoToken, Some("access_token=x")), (401, format!("Bearer {FILES}")));
    }

    #[test]
    fn with_a_token_the_challenge_names_the_error() {
        let told =
            |error, description| format!("Bearer error=\"{error}\", error_description=\"{description}\", {FILES}");
        for (refusal, status, error, description) in [
            (Refusal::Token(TokenRefusal::Expired), 401, "invalid_token", "The token has expired"),
            (Refusal::Token(TokenRefusal::Revoked(RevokedBy::Token)), 401, "invalid_token", "The token was revoked"),
            (
                Refusal::NoUser(UserId::from_bytes([7; 16])),
                401,
                "invalid_token",
                "The user of this token has no account here any more, or it is disabled",
            ),
            (
                Refusal::Unreadable(BearerProblem::TooLong),
                401,
                "invalid_token",
                "This is not a token that this server issued",
            ),
            (
                Refusal::Unreadable(BearerProblem::Repeated),
                400,
                "invalid_request",
                "There is more than one Authorization header; send one",
            ),
        ] {
            assert_eq!(answered(&refusal, None), (status, told(error, description)), "{refusal:?}");
        }
    }

    #[test]
    fn a_refused_operation_is_told_the_scopes_that_it_needs_and_no_other() {
        let lack = InsufficientScope { needed: ScopeSet::parse("mcp:read files:write").unwrap() };
        let told = format!(
            "Bearer error=\"insufficient_scope\", error_description=\"The token lacks a scope; this needs: files:write \
             mcp:read\", {METADATA}, scope=\"files:write mcp:read\""
        );
        assert_eq!(insufficient_scope(&server(), &lack).unwrap(), told);
        assert_eq!(answered(&Refusal::Scope(lack), None), (403, told));
    }

    #[test]
    fn whom_no_token_would_help_gets_no_challenge() {
        let response = answer(&server(), &Refusal::NotForUser(UserId::from_bytes([7; 16])), None);
        assert_eq!(response.status(), 403);
        assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
    }

    #[test]
    fn every_sentence_fits_into_a_header() {
        use BearerProblem::{Empty, Repeated, TooLong, Unreadable};
        for problem in [Repeated, Empty, Unreadable, TooLong] {
            let Told { sentence, .. } = told(&Refusal::Unreadable(problem), None);
            assert!(sentence.bytes().all(|byte| matches!(byte, b' ' | 0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{sentence}");
        }
    }
}

//! What does a person agree to? The consent page of the authorization endpoint (RFC 6749 §4.1.1), and the page that
//! helps when the way back to the client did not work.

use crate::web::dashboard::Vouched;
use crate::web::scopes::ScopeRow;
use crate::web::when::When;
use crate::wire::paths;
use askama::Template;

/// `GET /authorize`. Posts `form_token`, `request`, `decision` (`approve` or `deny`), `extent` ([`crate::web::scopes::Extent`])
/// and a `scope` for each chosen one to the same path.
#[derive(Debug, Template)]
#[template(path = "oauth/consent.html")]
pub struct ConsentView {
    /// Bound to the session.
    pub form_token: String,
    /// The authorization request, sealed.
    pub request: String,
    /// Who is signed in.
    pub username: String,
    /// The same request for somebody else: the authorization URL with `prompt=login`.
    pub other_user_url: String,
    /// The client as it calls itself.
    pub client_name: String,
    /// Who vouches for it.
    pub vouched: Vouched,
    /// Where the code will be sent.
    pub destination: Destination,
    /// Title of the server.
    pub server_title: String,
    /// Its address.
    pub server_url: String,
    /// Whether all that the user may do there was asked for. Less can be given all the same.
    pub everything: bool,
    /// Whether the server has scopes of its own among `rows`.
    pub has_own: bool,
    /// The single scopes that can be given.
    pub rows: Vec<ScopeRow>,
    /// Whether the client wants to stay connected.
    pub stays: bool,
    /// When the user agreed to the same before.
    pub agreed_before: Option<When>,
}

/// Where the code goes: the redirect URI, told apart by what can be known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// An https address; its host.
    Web(String),
    /// A program on the computer where the browser runs; host and port.
    Loopback(String),
    /// An application that registered this scheme with the operating system.
    App(String),
}

/// `GET /authorize` with a request that this browser has just approved: the person came back with the Back button,
/// because the client was not reached. Also `POST /authorize` with a form that was approved before: then without address.
#[derive(Template)]
#[template(path = "oauth/consent_done.html")]
pub struct ConsentDoneView {
    /// The client as it calls itself.
    pub client_name: String,
    /// Where the code was sent.
    pub destination: Destination,
    /// The whole callback address with code and state, and until when the code in it works; if it still does.
    pub callback: Option<(String, When)>,
}

#[cfg(test)]
impl ConsentView {
    pub(crate) fn sample() -> Self {
        Self {
            form_token: "v4.local.sample".to_owned(),
            request: format!("v4.local.{}", "r".repeat(400)),
            username: "ada".to_owned(),
            other_user_url: "/authorize?client_id=a&prompt=login".to_owned(),
            client_name: "Claude".to_owned(),
            vouched: Vouched::ByHost("claude.ai".to_owned()),
            destination: Destination::Web("claude.ai".to_owned()),
            server_title: "Notes".to_owned(),
            server_url: "https://mcp.example.org/mcp/notes".to_owned(),
            everything: true,
            has_own: true,
            rows: vec![ScopeRow::new("mcp:read", None, false), ScopeRow::sample("notes:<i>write", false)],
            stays: true,
            agreed_before: Some(When::sample(-86_400 * 9)),
        }
    }

    pub(crate) fn sample_loopback() -> Self {
        Self {
            client_name: "</h1><script>alert(1)</script> Claude Code (official)".to_owned(),
            vouched: Vouched::Nobody,
            destination: Destination::Loopback("localhost:53124".to_owned()),
            has_own: false,
            rows: vec![ScopeRow::new("mcp:read", None, false)],
            agreed_before: None,
            ..Self::sample()
        }
    }

    pub(crate) fn sample_app() -> Self {
        Self {
            client_name: "Cursor".to_owned(),
            vouched: Vouched::ByAdmin,
            destination: Destination::App("cursor".to_owned()),
            everything: false,
            rows: vec![ScopeRow::new("mcp:read", None, true), ScopeRow::sample("notes:write", true)],
            ..Self::sample()
        }
    }

    pub(crate) fn sample_narrow() -> Self {
        Self {
            everything: false,
            has_own: false,
            rows: vec![ScopeRow::new("mcp:read", None, true)],
            stays: false,
            ..Self::sample()
        }
    }
}

#[cfg(test)]
impl ConsentDoneView {
    pub(crate) fn sample() -> Self {
        Self {
            client_name: "Claude Code".to_owned(),
            destination: Destination::Loopback("localhost:53124".to_owned()),
            callback: Some((
                format!(
                    "http://localhost:53124/callback?code=kwc_{}&state={}&iss=https%3A%2F%2Fmcp.example.org",
                    "c".repeat(43),
                    "s".repeat(43)
                ),
                When::sample(50),
            )),
        }
    }

    pub(crate) fn sample_over() -> Self {
        Self { callback: None, ..Self::sample() }
    }
}

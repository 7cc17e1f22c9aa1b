//! The answer to the form of a new token: the token, this once, or that it was shown before.
//!
//! The token is in this answer and nowhere else: not in an address, a cookie or a session.

use super::reach_in_words;
use crate::access::GuardedServer;
use crate::account::personal_token::{PersonalToken, Reach};
use crate::id::TokenId;
use crate::token::SignedToken;
use crate::web::dashboard::Frame;
use crate::web::extract::SignedIn;
use crate::web::notice::Done;
use crate::web::page::Page;
use crate::web::scopes::in_words;
use crate::web::state::WebState;
use crate::web::when::When;
use crate::wire::paths;
use crate::wire::snippets::{self, Snippet};
use askama::Template;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// The answer to a successful `POST /dashboard/api-keys/new`: the one time that the token is shown.
#[derive(Template)]
#[template(path = "dashboard/personal_tokens/created.html")]
pub struct TokenCreatedView {
    /// Around the page.
    pub frame: Frame,
    /// Its id.
    pub id: TokenId,
    /// The name it was given.
    pub name: String,
    /// The token.
    pub token: String,
    /// The name of the file that it is downloaded as.
    pub file: String,
    /// Until when the token that it replaces works, if there is one.
    pub old_until: Option<OldToken>,
    /// When it stops working.
    pub expires: When,
    /// "All servers" or the titles of the chosen ones.
    pub reach: String,
    /// What it may do there, in words.
    pub allows: String,
    /// The first server it reaches; `snippets` are for this one.
    pub server_title: String,
    /// [`crate::wire::snippets::with_token`].
    pub snippets: Vec<Snippet>,
    /// Title and URL of the other servers it reaches.
    pub other_servers: Vec<(String, String)>,
}

/// What becomes of the token whose place a new one takes.
#[derive(Debug, Clone)]
pub enum OldToken {
    /// It has ended.
    Ended,
    /// It works until then.
    Until(When),
}

/// The answer when the browser posts the same creation again: the token is not shown a second time.
#[derive(Debug, Template)]
#[template(path = "dashboard/personal_tokens/already_shown.html")]
pub struct TokenAlreadyShownView {
    /// Around the page.
    pub frame: Frame,
    /// The token that exists.
    pub id: TokenId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: When,
}

/// Shows the token.
pub(super) fn created(
    state: &WebState,
    signed_in: &SignedIn,
    token: &PersonalToken,
    secret: &SignedToken,
    old_until: Option<OldToken>,
) -> Response {
    let servers = state.app.live().servers();
    let reached: Vec<Arc<GuardedServer>> = match &token.reach {
        Reach::AllServers => {
            servers.iter().filter(|server| server.rule.admits(signed_in.user.person())).cloned().collect()
        }
        Reach::Servers(chosen) => chosen.iter().filter_map(|resource| servers.by_resource(resource).cloned()).collect(),
    };
    let (first, others) = reached.split_first().map_or((None, &[][..]), |(first, others)| (Some(first), others));
    let snippets =
        first.map(|server| snippets::with_token(server.name.as_str(), server.resource.as_str(), secret.expose()));
    let view = TokenCreatedView {
        frame: Frame::new(state, signed_in, Done(None)),
        id: token.id,
        name: token.name.to_string(),
        file: file_name(token.name.as_str()),
        old_until,
        token: secret.expose().to_owned(),
        expires: When::new(token.expires_at, state.app.now()),
        reach: reach_in_words(&token.reach, &servers),
        allows: in_words(&token.scopes),
        server_title: first.map(|server| server.title.clone()).unwrap_or_default(),
        snippets: snippets.unwrap_or_default(),
        other_servers: others.iter().map(|server| (server.title.clone(), server.resource.to_string())).collect(),
    };
    Page::new(view).into_response()
}

/// "keyward-claude-code-on-laptop.txt".
fn file_name(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(str::to_ascii_lowercase).collect();
    if words.is_empty() { "keyward-token.txt".to_owned() } else { format!("keyward-{}.txt", words.join("-")) }
}

/// Says that it was shown.
pub(super) fn already_shown(state: &WebState, signed_in: &SignedIn, token: &PersonalToken) -> Response {
    let view = TokenAlreadyShownView {
        frame: Frame::new(state, signed_in, Done(None)),
        id: token.id,
        name: token.name.to_string(),
        created: When::new(token.created_at, state.app.now()),
    };
    Page::new(view).into_response()
}

#[cfg(test)]
impl TokenCreatedView {
    pub(crate) fn sample() -> Self {
        let token =
            format!("eyJ0eXAiOiJwYXQrand0IiwiYWxnIjoiRWREU0EiLCJraWQiOiJr{}.{}", "ZXlf".repeat(90), "c2ln".repeat(22));
        Self {
            frame: Frame::sample(),
            id: TokenId::from_bytes([0x5a; 16]),
            name: "Claude Code on the laptop".to_owned(),
            file: file_name("Claude Code on the laptop"),
            old_until: None,
            snippets: snippets::with_token("keyward", "https://mcp.example.org/mcp", &token),
            token,
            expires: When::sample(86_400 * 365),
            reach: "All servers".to_owned(),
            allows: "everything that you may do".to_owned(),
            server_title: "Keyward".to_owned(),
            other_servers: vec![("Notes".to_owned(), "https://mcp.example.org/mcp/notes".to_owned())],
        }
    }
}

#[cfg(test)]
impl TokenCreatedView {
    pub(crate) fn sample_rotated() -> Self {
        Self { old_until: Some(OldToken::Until(When::sample(3_600))), ..Self::sample() }
    }
}

#[cfg(test)]
impl TokenAlreadyShownView {
    pub(crate) fn sample() -> Self {
        Self {
            frame: Frame::sample(),
            id: TokenId::from_bytes([0x5a; 16]),
            name: "Claude Code on the laptop".to_owned(),
            created: When::sample(-40),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_as_the_token_is_and_by_no_path() {
        for (name, file) in [
            ("Claude Code on laptop", "keyward-claude-code-on-laptop.txt"),
            ("../../etc/passwd", "keyward-etc-passwd.txt"),
            ("Büro", "keyward-b-ro.txt"),
            ("中文", "keyward-token.txt"),
        ] {
            assert_eq!(file_name(name), file);
        }
    }
}

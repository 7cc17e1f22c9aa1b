//! What does a person see first? The address to paste into a client, and how things stand.

use crate::access::GuardedServer;
use crate::web::dashboard::Frame;
use crate::web::dashboard::upstream_key::KeyRow;
use crate::web::extract::SignedIn;
use crate::web::notice::Done;
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::state::WebState;
use crate::wire::paths;
use crate::wire::snippets::{self, Snippet};
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// `GET /dashboard`.
#[derive(Debug, Template)]
#[template(path = "dashboard/home.html")]
pub struct HomeView {
    /// Around the page.
    pub frame: Frame,
    /// Those that the user may reach.
    pub servers: Vec<ServerCard>,
    /// Personal tokens that work now.
    pub personal_tokens: usize,
    /// Of these, how many expire soon.
    pub expiring_soon: usize,
    /// Connected apps.
    pub connections: usize,
    /// Recovery codes that are left, if it is time for new ones.
    pub few_codes: Option<usize>,
}

/// One guarded server.
#[derive(Debug, Clone)]
pub struct ServerCard {
    /// Its name, unique on the page.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// What to paste into a client.
    pub url: String,
    /// The user's own key for it, if it wants one.
    pub key: Option<KeyRow>,
    /// How each client connects by signing in: [`crate::wire::snippets::with_sign_in`].
    pub guides: Vec<Snippet>,
}

/// The page.
pub async fn get(State(state): State<WebState>, signed_in: SignedIn, notice: Done) -> Result<Response, Response> {
    let (user, person) = (signed_in.user.id, signed_in.user.clone());
    let own = operate(&state, move |app| {
        let factors = app.factors(&person)?;
        Ok((app.personal_token_summary(user)?, app.connections(user)?.len(), app.upstream_key_places(user)?, factors))
    });
    let (tokens, connections, keys, factors) = own.await?;
    let now = state.app.now();
    let servers = state.app.live().servers();
    let key_for = |server: &Arc<GuardedServer>| {
        let place = keys.iter().find(|place| place.server.name == server.name);
        place.map(|place| KeyRow::of(place, now))
    };
    let usable = |server: &&Arc<GuardedServer>| server.rule.admits(signed_in.user.person());
    let view = HomeView {
        frame: Frame::new(&state, &signed_in, notice),
        servers: servers.iter().filter(usable).map(|server| ServerCard::of(server, key_for(server))).collect(),
        personal_tokens: tokens.live,
        expiring_soon: tokens.expiring_soon,
        connections,
        few_codes: factors.few_codes(),
    };
    Ok(Page::new(view).into_response())
}

impl ServerCard {
    pub(super) fn of(server: &GuardedServer, key: Option<KeyRow>) -> Self {
        let (name, url) = (server.name.to_string(), server.resource.to_string());
        Self { guides: snippets::with_sign_in(&name, &url), title: server.title.clone(), key, name, url }
    }
}

#[cfg(test)]
impl HomeView {
    pub(crate) fn sample() -> Self {
        Self {
            frame: Frame::sample(),
            servers: vec![
                ServerCard::sample("keyward", "Keyward", "https://mcp.example.org/mcp"),
                ServerCard {
                    key: Some(KeyRow::sample(None)),
                    ..ServerCard::sample("notes", "Notes & <drafts>", "https://mcp.example.org/mcp/notes")
                },
            ],
            personal_tokens: 4,
            expiring_soon: 2,
            connections: 3,
            few_codes: Some(2),
        }
    }

    pub(crate) fn sample_empty() -> Self {
        let frame = Frame { is_admin: false, notice: Some("Your password is changed.".to_owned()), ..Frame::sample() };
        Self { frame, servers: Vec::new(), personal_tokens: 0, expiring_soon: 0, connections: 0, few_codes: None }
    }
}

#[cfg(test)]
impl ServerCard {
    fn sample(name: &str, title: &str, url: &str) -> Self {
        let guides = snippets::with_sign_in(name, url);
        Self { name: name.to_owned(), title: title.to_owned(), url: url.to_owned(), key: None, guides }
    }
}

//! What does a person see first? The address to paste into a client, and how things stand.

use crate::access::GuardedServer;
use crate::app::notices::{Dismissal, UserNotice};
use crate::clock::Timestamp;
use crate::event::EventKind;
use crate::web::dashboard::Frame;
use crate::web::dashboard::upstream_key::KeyRow;
use crate::web::error::ErrorView;
use crate::web::extract::{CsrfForm, SignedIn};
use crate::web::notice::Done;
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::respond::see_other;
use crate::web::state::WebState;
use crate::web::when::When;
use crate::wire::paths;
use crate::wire::snippets::{self, Snippet};
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
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
    /// What the user should see and has not dismissed.
    pub notices: Vec<NoticeRow>,
    /// Recovery codes that are left, if it is time for new ones.
    pub few_codes: Option<usize>,
}

/// Something that the user should see.
#[derive(Debug, Clone)]
pub struct NoticeRow {
    /// What names it in the form that dismisses it.
    pub name: String,
    /// As a sentence.
    pub text: String,
    /// When it was, or will be.
    pub at: When,
    /// Where to do something about it: label and address.
    pub link: Option<(&'static str, String)>,
}

impl NoticeRow {
    fn of(notice: UserNotice, now: Timestamp) -> Self {
        match notice {
            UserNotice::Expiring(token) => Self {
                name: token.id.to_string(),
                text: format!("The token “{}” expires.", token.name),
                at: When::new(token.expires_at, now),
                link: Some(("Rotate it", paths::personal_token_rotate(&token.id))),
            },
            UserNotice::Line(id, event) => Self {
                name: id.to_string(),
                text: format!("{}.", event.sentence(id.made_at())),
                at: When::new(id.made_at(), now),
                link: match (event.kind, &event.token) {
                    (EventKind::TokenOnNewNetwork, Some(token)) => {
                        Some(("Look at the token", paths::personal_token(&token.id)))
                    }
                    (EventKind::CodesSlowed, _) => Some(("Change your password", paths::SECURITY.to_owned())),
                    (EventKind::FactorRemoved, _) => Some(("Add a second factor", paths::SECURITY.to_owned())),
                    _ => Some(("Activity", paths::ACTIVITY.to_owned())),
                },
            },
        }
    }
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
        let notices = app.notices(user)?.into_iter().map(|notice| NoticeRow::of(notice, app.now())).collect();
        let connections = app.connections(user)?.len();
        Ok((app.personal_token_summary(user)?, connections, app.upstream_key_places(user)?, factors, notices))
    });
    let (tokens, connections, keys, factors, notices) = own.await?;
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
        notices,
        few_codes: factors.few_codes(),
    };
    Ok(Page::new(view).into_response())
}

/// What is dismissed: the name of a notice, or `all`.
#[derive(Deserialize)]
pub struct DismissForm {
    notice: String,
}

/// Dismisses a notice.
pub async fn post_dismiss(
    State(state): State<WebState>,
    signed_in: SignedIn,
    CsrfForm(form): CsrfForm<DismissForm>,
) -> Result<Response, Response> {
    let what = match (form.notice.parse(), form.notice.parse()) {
        (Ok(id), _) => Dismissal::Line(id),
        (_, Ok(id)) => Dismissal::Expiring(id),
        _ if form.notice == "all" => Dismissal::All,
        _ => return Err(ErrorView::not_found().into_response()),
    };
    let user = signed_in.user.id;
    operate(&state, move |app| app.dismiss_notice(user, what)).await?;
    Ok(see_other(paths::DASHBOARD))
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
            notices: NoticeRow::samples(),
            few_codes: Some(2),
        }
    }

    pub(crate) fn sample_empty() -> Self {
        let frame = Frame { is_admin: false, notice: Some("Your password is changed.".to_owned()), ..Frame::sample() };
        Self {
            frame,
            servers: Vec::new(),
            personal_tokens: 0,
            expiring_soon: 0,
            connections: 0,
            notices: Vec::new(),
            few_codes: None,
        }
    }
}

#[cfg(test)]
impl NoticeRow {
    fn samples() -> Vec<Self> {
        let notice = |name: &str, text: &str, offset, link| Self {
            name: name.to_owned(),
            text: text.to_owned(),
            at: When::sample(offset),
            link: Some((link, paths::ACTIVITY.to_owned())),
        };
        vec![
            notice("a", "The token “Backup <script>job</script>” expires.", 86_400 * 6, "Rotate it"),
            notice("b", "Somebody found the token “Laptop” of ada and ended it.", -7_200, "Activity"),
        ]
    }
}

#[cfg(test)]
impl ServerCard {
    fn sample(name: &str, title: &str, url: &str) -> Self {
        let guides = snippets::with_sign_in(name, url);
        Self { name: name.to_owned(), title: title.to_owned(), url: url.to_owned(), key: None, guides }
    }
}

//! `/dashboard/servers/{name}/key`: a user's own key for a server that wants one of each. Entered, replaced and removed,
//! never shown.
//!
//! The key is always that of whoever is signed in here, whoever gave them the link (MCP 2025-11-25, elicitation, phishing).

use crate::access::{MAX_UPSTREAM_KEY, ServerName};
use crate::app::error::OperationError;
use crate::app::upstream_keys::KeyPlace;
use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::web::dashboard::Frame;
use crate::web::extract::{Confirmed, CsrfForm, PathId, SignedIn};
use crate::web::notice::{Done, Notice};
use crate::web::operate::{attempt, operate};
use crate::web::page::Page;
use crate::web::respond::{operation_error, see_other};
use crate::web::state::WebState;
use crate::web::when::When;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// `GET` and a refused `POST` of `/dashboard/servers/{name}/key`. Sends `form_token` and `key`.
#[derive(Debug, Template)]
#[template(path = "dashboard/upstream_key/key.html")]
pub struct UpstreamKeyView {
    /// Around the page.
    pub frame: Frame,
    /// What it is for.
    pub row: KeyRow,
    /// Most characters of a key.
    pub longest: usize,
    /// What is wrong with what was entered, as a sentence.
    pub problem: Option<String>,
}

/// `GET /dashboard/servers/{name}/key/remove`. Posts `form_token` to the same path.
#[derive(Debug, Template)]
#[template(path = "dashboard/upstream_key/remove.html")]
pub struct UpstreamKeyRemoveView {
    /// Around the page.
    pub frame: Frame,
    /// The key to remove.
    pub row: KeyRow,
}

/// A server for which the user has a key, or needs one.
#[derive(Debug, Clone)]
pub struct KeyRow {
    /// The server's name.
    pub name: ServerName,
    /// The server's name for people.
    pub title: String,
    /// Whether the server wants a key of this user.
    pub wanted: bool,
    /// Since when there is one.
    pub since: Option<When>,
    /// Whether the server has moved since.
    pub moved: bool,
}

impl KeyRow {
    /// For a page at `now`.
    pub fn of(place: &KeyPlace, now: Timestamp) -> Self {
        Self {
            name: place.server.name.clone(),
            title: place.server.title.clone(),
            wanted: place.wanted,
            since: place.since.map(|since| When::new(since, now)),
            moved: place.moved,
        }
    }
}

/// What the form sends.
#[derive(Deserialize)]
pub struct KeyForm {
    key: Secret<String>,
}

/// The page.
pub async fn get(
    State(state): State<WebState>,
    signed_in: SignedIn,
    notice: Done,
    PathId(server): PathId<ServerName>,
) -> Result<Response, Response> {
    let view = UpstreamKeyView::new(&state, &signed_in, notice, server).await?;
    Ok(Page::new(view).into_response())
}

/// Stores a key.
pub async fn post(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PathId(server): PathId<ServerName>,
    CsrfForm(KeyForm { key }): CsrfForm<KeyForm>,
) -> Result<Response, Response> {
    let (user, name) = (signed_in.user.id, server.clone());
    match attempt(&state, move |app| app.set_upstream_key(user, &name, key.expose())).await? {
        Ok(()) => Ok(see_other(&Notice::UpstreamKeyStored.at(&paths::upstream_key(&server)))),
        Err(OperationError::Invalid(why)) => {
            let view = UpstreamKeyView::new(&state, &signed_in, Done(None), server).await?;
            let view = UpstreamKeyView { problem: Some(why), ..view };
            Ok(Page::new(view).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
        Err(error) => Err(operation_error(&error)),
    }
}

/// Asks before it is removed.
pub async fn get_remove(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PathId(server): PathId<ServerName>,
) -> Result<Response, Response> {
    let row = row_of(&state, &signed_in, server.clone()).await?;
    if row.since.is_none() {
        return Ok(see_other(&paths::upstream_key(&server)));
    }
    let view = UpstreamKeyRemoveView { frame: Frame::new(&state, &signed_in, Done(None)), row };
    Ok(Page::new(view).into_response())
}

/// Removes it.
pub async fn post_remove(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PathId(server): PathId<ServerName>,
    CsrfForm(_): CsrfForm<Confirmed>,
) -> Result<Response, Response> {
    let user = signed_in.user.id;
    operate(&state, move |app| app.remove_upstream_key(user, &server)).await?;
    Ok(see_other(&Notice::UpstreamKeyRemoved.at(paths::DASHBOARD)))
}

async fn row_of(state: &WebState, signed_in: &SignedIn, server: ServerName) -> Result<KeyRow, Response> {
    let user = signed_in.user.id;
    operate(state, move |app| Ok(KeyRow::of(&app.upstream_key_place(user, &server)?, app.now()))).await
}

impl UpstreamKeyView {
    async fn new(state: &WebState, signed_in: &SignedIn, notice: Done, server: ServerName) -> Result<Self, Response> {
        let row = row_of(state, signed_in, server).await?;
        Ok(Self { frame: Frame::new(state, signed_in, notice), row, longest: MAX_UPSTREAM_KEY, problem: None })
    }
}

#[cfg(test)]
impl KeyRow {
    pub(crate) fn sample(since: Option<When>) -> Self {
        let name = ServerName::parse("notes").expect("a name");
        Self { name, title: "Notes & <drafts>".to_owned(), wanted: true, since, moved: false }
    }
}

#[cfg(test)]
impl UpstreamKeyView {
    pub(crate) fn sample() -> Self {
        Self { frame: Frame::sample(), row: KeyRow::sample(None), longest: MAX_UPSTREAM_KEY, problem: None }
    }

    pub(crate) fn sample_stored() -> Self {
        let frame = Frame { notice: Done(Some(Notice::UpstreamKeyStored)).sentence(), ..Frame::sample() };
        Self { frame, row: KeyRow::sample(Some(When::sample(-60))), ..Self::sample() }
    }

    pub(crate) fn sample_moved() -> Self {
        let row = KeyRow { moved: true, ..KeyRow::sample(Some(When::sample(-86_400 * 9))) };
        Self { row, problem: Some("Enter the key.".to_owned()), ..Self::sample() }
    }

    pub(crate) fn sample_unwanted() -> Self {
        let row = KeyRow { wanted: false, ..KeyRow::sample(Some(When::sample(-86_400 * 9))) };
        Self { row, ..Self::sample() }
    }
}

#[cfg(test)]
impl UpstreamKeyRemoveView {
    pub(crate) fn sample() -> Self {
        Self { frame: Frame::sample(), row: KeyRow::sample(Some(When::sample(-86_400 * 9))) }
    }
}

//! `/dashboard/security/sessions`: in which browsers is a person signed in? Lists them; ends one, or all but this one.

use crate::account::device::device_of;
use crate::account::session::Session;
use crate::app::App;
use crate::app::error::OperationError;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::web::dashboard::Frame;
use crate::web::extract::{Confirmed, CsrfForm, PathId, SignedIn};
use crate::web::notice::{Done, Notice};
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::respond::see_other;
use crate::web::state::WebState;
use crate::web::when::When;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

/// `GET /dashboard/security/sessions`.
#[derive(Debug, Template)]
#[template(path = "dashboard/sessions/list.html")]
pub struct SessionsView {
    /// Around the page.
    pub frame: Frame,
    /// The one that was seen last first.
    pub sessions: Vec<SessionRow>,
}

/// `GET /dashboard/security/sessions/{id}/end`. Posts `form_token` to the same path.
#[derive(Debug, Template)]
#[template(path = "dashboard/sessions/end.html")]
pub struct SessionEndView {
    /// Around the page.
    pub frame: Frame,
    /// Which would end.
    pub session: SessionRow,
}

/// `GET /dashboard/security/sign-out-everywhere`. Posts `form_token` to the same path.
#[derive(Debug, Template)]
#[template(path = "dashboard/sessions/end_others.html")]
pub struct SessionsEndOthersView {
    /// Around the page.
    pub frame: Frame,
    /// Those that would end.
    pub sessions: Vec<SessionRow>,
}

/// One browser that is signed in.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// "Firefox on Linux".
    pub device: String,
    /// Whether it is the one that looks.
    pub is_this: bool,
    /// When it signed in.
    pub signed_in: When,
    /// From which address; may be empty.
    pub signed_in_from: String,
    /// Its last visit.
    pub seen: When,
    /// From which address; may be empty.
    pub seen_from: String,
}

/// The list.
pub async fn get(State(state): State<WebState>, signed_in: SignedIn, notice: Done) -> Result<Response, Response> {
    let sessions = SessionRow::all(&state, &signed_in).await?;
    let view = SessionsView { frame: Frame::new(&state, &signed_in, notice), sessions };
    Ok(Page::new(view).into_response())
}

/// Asks before one is ended.
pub async fn get_end(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PathId(id): PathId<SessionId>,
) -> Result<Response, Response> {
    let (user, own, now) = (signed_in.user.clone(), signed_in.session.id, state.app.now());
    let found = operate(&state, move |app| {
        let session = app.sessions(&user)?.into_iter().find(|session| session.id == id);
        session.map(|session| SessionRow::of(session, own, now)).ok_or(OperationError::NotFound("session"))
    });
    let view = SessionEndView { session: found.await?, frame: Frame::new(&state, &signed_in, Done(None)) };
    Ok(Page::new(view).into_response())
}

/// Ends one. If it was this browser's own, the next page is the one to sign in.
pub async fn post_end(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PathId(id): PathId<SessionId>,
    CsrfForm(_): CsrfForm<Confirmed>,
) -> Result<Response, Response> {
    let user = signed_in.user.id;
    operate(&state, move |app| app.end_session(user, id)).await?;
    Ok(see_other(&Notice::SessionEnded.at(paths::SESSIONS)))
}

/// Asks before all others are ended.
pub async fn get_end_others(State(state): State<WebState>, signed_in: SignedIn) -> Result<Response, Response> {
    let mut sessions = SessionRow::all(&state, &signed_in).await?;
    sessions.retain(|session| !session.is_this);
    if sessions.is_empty() {
        return Ok(see_other(paths::SESSIONS));
    }
    let view = SessionsEndOthersView { frame: Frame::new(&state, &signed_in, Done(None)), sessions };
    Ok(Page::new(view).into_response())
}

/// Ends all others.
pub async fn post_end_others(
    State(state): State<WebState>,
    signed_in: SignedIn,
    CsrfForm(_): CsrfForm<Confirmed>,
) -> Result<Response, Response> {
    let (session, user) = (signed_in.session.id, signed_in.user.id);
    operate(&state, move |app| app.sign_out_others(user, session)).await?;
    Ok(see_other(&Notice::OthersSignedOut.at(paths::SESSIONS)))
}

impl SessionRow {
    async fn all(state: &WebState, signed_in: &SignedIn) -> Result<Vec<Self>, Response> {
        let (user, own, now) = (signed_in.user.clone(), signed_in.session.id, state.app.now());
        let row = move |session| Self::of(session, own, now);
        operate(state, move |app: &App| Ok(app.sessions(&user)?.into_iter().map(row).collect())).await
    }

    fn of(session: Session, own: SessionId, now: Timestamp) -> Self {
        Self {
            id: session.id,
            device: device_of(&session.user_agent),
            is_this: session.id == own,
            signed_in: When::new(session.signed_in_at, now),
            signed_in_from: session.address,
            seen: When::new(session.seen_at, now),
            seen_from: session.seen_from,
        }
    }
}

#[cfg(test)]
impl SessionRow {
    fn samples() -> Vec<Self> {
        let row = |id, device: &str, signed_in, seen, from: &str| Self {
            id: SessionId::from_bytes([id; 16]),
            device: device.to_owned(),
            is_this: id == 1,
            signed_in: When::sample(signed_in),
            signed_in_from: "203.0.113.7".to_owned(),
            seen: When::sample(seen),
            seen_from: from.to_owned(),
        };
        vec![
            row(1, "Firefox on Linux", -3_600, 0, "203.0.113.7"),
            row(2, "Safari on iPhone", -86_400 * 12, -7_200, "2001:db8:2f1a:77:4c1d:9aff:fe02:8b31"),
            row(3, "a browser", -86_400 * 40, -86_400 * 9, ""),
        ]
    }
}

#[cfg(test)]
impl SessionsView {
    pub(crate) fn sample() -> Self {
        Self { frame: Frame::sample(), sessions: SessionRow::samples() }
    }

    pub(crate) fn sample_alone() -> Self {
        Self { frame: Frame::sample(), sessions: SessionRow::samples().into_iter().take(1).collect() }
    }
}

#[cfg(test)]
impl SessionEndView {
    pub(crate) fn sample() -> Self {
        Self { frame: Frame::sample(), session: SessionRow::samples().swap_remove(1) }
    }
}

#[cfg(test)]
impl SessionsEndOthersView {
    pub(crate) fn sample() -> Self {
        Self { frame: Frame::sample(), sessions: SessionRow::samples().split_off(1) }
    }
}

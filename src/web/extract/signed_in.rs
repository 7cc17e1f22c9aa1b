//! Who is at this browser? [`SignedIn`] and [`Admin`] are proof that a good session stands behind the request.
//!
//! A browser without one is sent to sign in and comes back to the page that it asked for. So is, to add a second factor,
//! somebody who must have one and has none: the pages on the way there take [`AnySignedIn`].

use crate::account::session::Session;
use crate::account::usage::shorten_user_agent;
use crate::account::user::User;
use crate::app::second_factor::Standing;
use crate::app::usage::CallerRef;
use crate::id::SessionId;
use crate::seal::Purpose;
use crate::web::cookies::CookieKind;
use crate::web::error::ErrorView;
use crate::web::extract::csrf_form::FormBinding;
use crate::web::operate::operate;
use crate::web::respond::{header_text, to_enrolment, to_login};
use crate::web::state::WebState;
use crate::wire::client_address::ClientAddress;
use crate::wire::request_context;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;

/// A good session and its user.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// Whose it is.
    pub user: User,
}

/// A good session and its user, who may have to add a second factor before anything else. Only for the pages where that is
/// done, and for signing out.
#[derive(Debug, Clone)]
pub struct AnySignedIn {
    /// The session.
    pub session: Session,
    /// Whose it is.
    pub user: User,
    /// Nothing else is open to them.
    pub must_add_factor: bool,
}

/// [`SignedIn`], and the user is an admin.
#[derive(Debug, Clone)]
pub struct Admin(pub SignedIn);

impl SignedIn {
    /// What this browser's forms are bound to.
    pub fn binding(&self) -> String {
        self.session.id.to_string()
    }

    async fn find(parts: &mut Parts, state: &WebState) -> Result<Option<Self>, Response> {
        match standing(parts, state).await? {
            Some(Standing::SignedIn(session, user)) => Ok(Some(Self { session, user })),
            Some(Standing::MustAddFactor(..)) => Err(to_enrolment(&parts.method, &parts.uri)),
            None => Ok(None),
        }
    }
}

impl AnySignedIn {
    /// What this browser's forms are bound to.
    pub fn binding(&self) -> String {
        self.session.id.to_string()
    }
}

/// What the session that the cookie names is good for, if it is.
pub(super) async fn standing(parts: &mut Parts, state: &WebState) -> Result<Option<Standing>, Response> {
    let Some(id) = session_id(parts, state) else { return Ok(None) };
    let Ok(ClientAddress(address)) = ClientAddress::from_request_parts(parts, state).await;
    let user_agent = shorten_user_agent(header_text(&parts.headers, &USER_AGENT));
    let found = operate(state, move |app| {
        let address = Some(address).filter(|address| !address.is_unspecified());
        app.session(id, CallerRef { address, user_agent: &user_agent })
    });
    let found = found.await?;
    if let Some(found) = &found {
        request_context::is_of(found.user().id);
        parts.extensions.insert(FormBinding(bindings_of(found.session()).collect()));
    }
    Ok(found)
}

/// What the forms of a browser with this session may be bound to: those that were shown before it was renewed are good still.
pub(super) fn bindings_of(session: &Session) -> impl Iterator<Item = String> {
    [Some(session.id), session.renewed_from].into_iter().flatten().map(|id| id.to_string())
}

/// The session that the cookie names, good or not.
pub fn session_id(parts: &Parts, state: &WebState) -> Option<SessionId> {
    let sealed = state.cookies().read(&parts.headers, CookieKind::Session)?;
    state.app.sealer().open::<SessionId>(Purpose::SessionCookie, sealed, state.app.now()).ok()
}

impl FromRequestParts<WebState> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Response> {
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let signed_in = Self::find(parts, state).await?.ok_or_else(|| to_login(&parts.method, &parts.uri))?;
        parts.extensions.insert(signed_in.clone());
        Ok(signed_in)
    }
}

impl OptionalFromRequestParts<WebState> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Option<Self>, Response> {
        Self::find(parts, state).await
    }
}

impl FromRequestParts<WebState> for AnySignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Response> {
        match standing(parts, state).await? {
            Some(Standing::SignedIn(session, user)) => Ok(Self { session, user, must_add_factor: false }),
            Some(Standing::MustAddFactor(session, user)) => Ok(Self { session, user, must_add_factor: true }),
            None => Err(to_login(&parts.method, &parts.uri)),
        }
    }
}

impl FromRequestParts<WebState> for Admin {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Response> {
        let signed_in = <SignedIn as FromRequestParts<WebState>>::from_request_parts(parts, state).await?;
        if signed_in.user.is_admin() { Ok(Self(signed_in)) } else { Err(ErrorView::forbidden().into_response()) }
    }
}

/// The id of the session that the cookie names, for replacing it; proves nothing.
#[derive(Debug, Clone, Copy)]
pub struct PreviousSession(pub Option<SessionId>);

impl FromRequestParts<WebState> for PreviousSession {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Infallible> {
        Ok(Self(session_id(parts, state)))
    }
}

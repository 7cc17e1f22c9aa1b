//! Is it surely them? [`RecentlySignedIn`] is proof that who is at this browser proved it a short while ago.
//!
//! What hands out power takes its form as a [`RecentForm`]. If the last proof is too old, the form is kept: sealed into a
//! page at the same address that asks who is there, and done once the answer is right. Nothing is done before, and nothing
//! that was entered is lost for half an hour. A page that gives something away when it is looked at takes [`RecentlySignedIn`] itself.

use super::csrf_form;
use super::signed_in::{AnySignedIn, SignedIn};
use crate::account::session::Session;
use crate::account::user::User;
use crate::app::Caller;
use crate::clock::{Timestamp, days, minutes};
use crate::id::UserId;
use crate::seal::{MAX_SEALED, Purpose};
use crate::web::error::ErrorView;
use crate::web::respond::{LocalPath, bad_form, confirm_path, header_text, see_other, with_cookie};
use crate::web::sign_in::confirm::{ProofForm, Question, Unproved, prove};
use crate::web::state::WebState;
use crate::wire::paths;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::Method;
use axum::http::header::{REFERER, SET_COOKIE};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What an answer takes beside the form that is kept, in bytes: that of a passkey is the longest.
const ROOM_FOR_ANSWER: usize = 6 * 1024;
/// How long a form is kept. The page that asks says so.
const KEPT_FOR: Duration = minutes(30);
/// How long one is told apart from a form that was never kept.
const REMEMBERED_FOR: Duration = days(1);

/// Somebody with a good session.
pub trait Present: FromRequestParts<WebState, Rejection = Response> + Send + Sync {
    /// The session.
    fn session(&self) -> &Session;
    /// Whose it is.
    fn user(&self) -> &User;
    /// The same, after the session was renewed.
    #[must_use]
    fn renewed(self, session: Session) -> Self;
}

impl Present for SignedIn {
    fn session(&self) -> &Session {
        &self.session
    }

    fn user(&self) -> &User {
        &self.user
    }

    fn renewed(self, session: Session) -> Self {
        Self { session, ..self }
    }
}

impl Present for AnySignedIn {
    fn session(&self) -> &Session {
        &self.session
    }

    fn user(&self) -> &User {
        &self.user
    }

    fn renewed(self, session: Session) -> Self {
        Self { session, ..self }
    }
}

/// Somebody with a good session, and that it is them was proved a short while ago.
#[derive(Debug, Clone)]
pub struct Recently<P>(P);

/// [`SignedIn`], and who is there was proved a short while ago.
pub type RecentlySignedIn = Recently<SignedIn>;

impl<P> Deref for Recently<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.0
    }
}

impl<P: Present> FromRequestParts<WebState> for Recently<P> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Response> {
        let person = P::from_request_parts(parts, state).await?;
        if state.app.is_recently_proved(person.session()) {
            return Ok(Self(person));
        }
        let next = if parts.method == Method::GET { own_path(parts) } else { page_before(parts, state) };
        Err(see_other(&confirm_path(next.as_ref())))
    }
}

/// A form of ours ([`super::CsrfForm`]) from somebody who proved a short while ago who they are.
///
/// Whoever takes it shows pages of the session that it holds: an answer to the question has renewed it.
#[derive(Debug, Clone)]
pub struct RecentForm<T, P = SignedIn>(pub Recently<P>, pub T);

/// A form that waits for the proof.
#[derive(Serialize, Deserialize)]
struct KeptForm {
    user: UserId,
    /// Where it was sent.
    path: String,
    /// The page from which it was sent.
    back: Option<String>,
    /// Since when it waits.
    since: Timestamp,
    body: String,
}

/// What the page that asks sends: [`crate::web::sign_in::confirm::ConfirmView`].
#[derive(Deserialize)]
struct AnswerForm {
    kept_form: String,
    #[serde(flatten)]
    proof: ProofForm,
}

impl<T: DeserializeOwned, P: Present> FromRequest<WebState> for RecentForm<T, P> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &WebState) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let person = P::from_request_parts(&mut parts, state).await?;
        let sent = csrf_form::read(&mut parts, body, state).await.map_err(IntoResponse::into_response)?;
        let Ok(AnswerForm { kept_form, proof }) = csrf_form::fields_of(&sent) else {
            {
                let form = csrf_form::fields_of(&sent).map_err(|why| bad_form(&why))?;
                if state.app.is_recently_proved(person.session()) {
                    return Ok(Self(Recently(person), form));
                }
            }
            let back = page_before(&parts, state);
            let question = match KeptForm::seal(&parts, state, person.user(), back.as_ref(), &sent) {
                Some(kept) => Question::of_form(path_of(&parts), kept, back),
                None => Question::too_long(back),
            };
            return Err(question.ask(state, &person, None).await);
        };
        let Some(kept) = KeptForm::open(&parts, state, person.user(), &kept_form) else {
            return Err(ErrorView::stale_form().into_response());
        };
        let back = kept.back.as_deref().and_then(LocalPath::parse);
        if kept.waited_too_long(state.app.now()) {
            return Err(ErrorView::waited_too_long(back.as_ref().map(LocalPath::as_str)).into_response());
        }
        // Without a place for the renewed session's cookie, the browser would be signed out.
        let place = parts.extensions.get::<RenewedCookie>().cloned();
        let place = place.ok_or_else(|| ErrorView::internal().into_response())?;
        let Ok(caller) = Caller::from_request_parts(&mut parts, state).await;
        match prove(state, person.session(), proof, caller).await {
            Ok((session, cookie)) => {
                let _ = place.0.set(cookie);
                let form = csrf_form::fields_of(kept.body.as_bytes()).map_err(|why| bad_form(&why))?;
                Ok(Self(Recently(person.renewed(session)), form))
            }
            Err(Unproved::Problem(problem)) => {
                let question = Question::of_form(path_of(&parts), kept_form, back);
                Err(question.ask(state, &person, Some(problem)).await)
            }
            Err(Unproved::Otherwise(response)) => Err(response),
        }
    }
}

impl KeptForm {
    /// The form, sealed for the page that asks; nothing if the answer would not fit into a form again.
    fn seal(parts: &Parts, state: &WebState, user: &User, back: Option<&LocalPath>, sent: &[u8]) -> Option<String> {
        let (body, since) = (str::from_utf8(sent).ok()?.to_owned(), state.app.now());
        let back = back.map(|back| back.as_str().to_owned());
        let kept = Self { user: user.id, path: path_of(parts), back, since, body };
        let sealed = state.app.sealer().seal(Purpose::KeptForm, &kept, since, REMEMBERED_FOR);
        let most = MAX_SEALED.min(state.limits().form_body.saturating_sub(ROOM_FOR_ANSWER));
        (sealed.len() <= most).then_some(sealed)
    }

    /// The form, if it is this user's and was sent to this address.
    fn open(parts: &Parts, state: &WebState, user: &User, sealed: &str) -> Option<Self> {
        let kept: Self = state.app.sealer().open(Purpose::KeptForm, sealed, state.app.now()).ok()?;
        (kept.user == user.id && kept.path == path_of(parts)).then_some(kept)
    }

    fn waited_too_long(&self, now: Timestamp) -> bool {
        now.since(self.since) >= KEPT_FOR
    }
}

fn path_of(parts: &Parts) -> String {
    parts.uri.path_and_query().map_or_else(|| paths::DASHBOARD.to_owned(), ToString::to_string)
}

fn own_path(parts: &Parts) -> Option<LocalPath> {
    LocalPath::parse(&path_of(parts))
}

/// The page of ours from which a form was sent, as far as the browser tells.
fn page_before(parts: &Parts, state: &WebState) -> Option<LocalPath> {
    let referrer = header_text(&parts.headers, &REFERER);
    LocalPath::parse(referrer.strip_prefix(state.app.options().issuer.as_str())?)
}

/// Where an extractor leaves the cookie of a session that it has renewed.
#[derive(Debug, Clone, Default)]
struct RenewedCookie(Arc<OnceLock<String>>);

/// Middleware: gives the browser the cookie of a session that was renewed on the way.
pub async fn hand_over_renewed(mut request: Request, next: Next) -> Response {
    let place = RenewedCookie::default();
    request.extensions_mut().insert(place.clone());
    let response = next.run(request).await;
    // The handler may have renewed the session once more: the last one counts.
    let name = |cookie: &str| cookie.split('=').next().unwrap_or_default().to_owned();
    let set = |cookie: &str| {
        let all = response.headers().get_all(SET_COOKIE).iter();
        all.filter_map(|value| value.to_str().ok()).any(|own| name(own) == name(cookie))
    };
    match place.0.get() {
        Some(cookie) if !set(cookie) => with_cookie(response, cookie),
        _ => response,
    }
}

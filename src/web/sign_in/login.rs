//! `/login`: from name and password to a session, or to the page that asks for the second factor.
//!
//! Whatever is wrong with the two, the answer is the same. A form that is too old, or of another process, brings the page
//! again with everything but the password. Signing in always makes a new session and ends the one that the browser had.

use crate::account::user::Username;
use crate::app::Caller;
use crate::app::error::OperationError;
use crate::app::sign_in::SignIn;
use crate::oauth::client::ClientId;
use crate::oauth::redirect_uri::RedirectUri;
use crate::web::extract::{CsrfForm, FormRefusal, NextQuery, PageQuery, PreviousSession, SignedIn, Visitor};
use crate::web::notice::Done;
use crate::web::operate::{attempt, attempt_hashing};
use crate::web::page::{FormAction, Page};
use crate::web::passkey::PasskeyAsk;
use crate::web::respond::{LocalPath, on_the_way, operation_error, see_other, with_cookie};
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// `GET /login`, and a refused `POST /login`. Sends `form_token`, `username`, `password` and `next`.
#[derive(Debug, Template)]
#[template(path = "sign_in/login.html")]
pub struct LoginView {
    /// Bound to the browser's anonymous cookie.
    pub form_token: String,
    /// What is written in the name field.
    pub username: String,
    /// Where to go after signing in: a path of this origin.
    pub next: String,
    /// The client on whose behalf the person came, as it calls itself.
    pub for_client: Option<String>,
    /// What was just done, as a sentence: "You are signed out."
    pub notice: Option<String>,
    /// What an authenticator is asked that signs in alone; none where there are no passkeys.
    pub passkey: Option<PasskeyAsk>,
    /// Why the last attempt failed.
    pub problem: Option<LoginProblem>,
}

/// Why a person was not signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginProblem {
    /// Name and password do not belong together.
    Wrong,
    /// Too many attempts; the next one is looked at after so many seconds.
    SlowedDown {
        /// How long to wait.
        seconds: u64,
    },
    /// The page was open too long, or cookies are off.
    Stale,
    /// The passkey was not accepted.
    Passkey,
}

/// The form; for somebody who is signed in, the way on.
pub async fn get(
    State(state): State<WebState>,
    signed_in: Option<SignedIn>,
    visitor: Visitor,
    notice: Done,
    PageQuery(query): PageQuery<NextQuery>,
) -> Response {
    let next = LocalPath::parse(&query.next);
    if signed_in.is_some() && !next.as_ref().is_some_and(asks_to_sign_in_again) {
        return see_other(next.as_ref().map_or(paths::DASHBOARD, LocalPath::as_str));
    }
    let form = Form { next, notice: notice.sentence(), ..Form::default() };
    form.page(&state, visitor, StatusCode::OK).await
}

/// What the form sends.
#[derive(Deserialize)]
pub struct LoginForm {
    username: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// Name and password.
pub async fn post(
    State(state): State<WebState>,
    visitor: Visitor,
    PreviousSession(previous): PreviousSession,
    caller: Caller,
    form: Result<CsrfForm<LoginForm>, FormRefusal>,
) -> Result<Response, Response> {
    let LoginForm { username, password, next } = match form {
        Ok(CsrfForm(form)) => form,
        Err(FormRefusal::NotOurs { body }) => {
            return Ok(Form::again(&body).page(&state, visitor, StatusCode::FORBIDDEN).await);
        }
        Err(refusal) => return Err(refusal.into_response()),
    };
    let (name, next) = (username.clone(), LocalPath::parse(&next));
    let signed_in = attempt_hashing(&state, move |app| app.sign_in(&name, &password, previous, &caller)).await?;
    let (problem, status) = match signed_in {
        Ok(SignIn::Half(half)) => {
            let on =
                next.map_or_else(|| paths::SECOND_FACTOR.to_owned(), |next| on_the_way(paths::SECOND_FACTOR, &next));
            return Ok(with_cookie(see_other(&on), &state.half_session_cookie(half)));
        }
        Ok(SignIn::Done(session)) => {
            let on = see_other(next.as_ref().map_or(paths::DASHBOARD, LocalPath::as_str));
            let on = with_cookie(on, &state.session_cookie(session));
            return Ok(match Username::parse(&username) {
                Ok(name) => with_cookie(on, &state.known_browser_cookie(&name.canonical())),
                Err(_) => on,
            });
        }
        Err(OperationError::Invalid(_)) => (LoginProblem::Wrong, StatusCode::UNAUTHORIZED),
        Err(OperationError::TooSoon(too_soon)) => {
            let seconds = too_soon.wait.as_secs().max(1);
            (LoginProblem::SlowedDown { seconds }, StatusCode::TOO_MANY_REQUESTS)
        }
        Err(error) => return Err(operation_error(&error)),
    };
    let form = Form { username, next, problem: Some(problem), notice: None };
    Ok(form.page(&state, visitor, status).await)
}

/// The page again, after the form of a passkey that was not taken.
pub(super) async fn stale(state: &WebState, visitor: Visitor, body: &[u8]) -> Response {
    Form::again(body).page(state, visitor, StatusCode::FORBIDDEN).await
}

/// The page again, after a passkey that was not accepted.
pub(super) async fn passkey_refused(state: &WebState, visitor: Visitor, next: Option<LocalPath>) -> Response {
    let form = Form { next, problem: Some(LoginProblem::Passkey), ..Form::default() };
    form.page(state, visitor, StatusCode::UNAUTHORIZED).await
}

/// What the page is filled in with.
#[derive(Default)]
struct Form {
    username: String,
    next: Option<LocalPath>,
    notice: Option<String>,
    problem: Option<LoginProblem>,
}

impl Form {
    /// After a form that was not taken: with what it said, as far as that does no harm.
    fn again(body: &[u8]) -> Self {
        let mut form = Self { problem: Some(LoginProblem::Stale), ..Self::default() };
        for (name, value) in url::form_urlencoded::parse(body) {
            match &*name {
                "username" => form.username = value.chars().take(crate::account::user::MAX_USERNAME).collect(),
                "next" => form.next = LocalPath::parse(&value),
                _ => {}
            }
        }
        form
    }

    async fn page(self, state: &WebState, visitor: Visitor, status: StatusCode) -> Response {
        let seconds = match self.problem {
            Some(LoginProblem::SlowedDown { seconds }) => Some(seconds),
            _ => None,
        };
        let request = self.next.as_ref().map(AuthorizationPath::of).unwrap_or_default();
        let view = LoginView {
            form_token: state.form_token(visitor.binding()),
            passkey: PasskeyAsk::to_sign_in(&state.app, visitor.binding()),
            username: self.username,
            for_client: request.client_name(state).await,
            next: self.next.map(|next| next.as_str().to_owned()).unwrap_or_default(),
            notice: self.notice,
            problem: self.problem,
        };
        let page = Page::new(view).status(status).form_action(request.form_action());
        let mut response = page.into_response();
        if let Some(seconds) = seconds {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        match visitor.set_cookie {
            Some(cookie) => with_cookie(response, &cookie),
            None => response,
        }
    }
}

/// What is known of an authorization request to which the person goes on; nothing of it is checked here.
#[derive(Default)]
pub(in crate::web) struct AuthorizationPath {
    is_one: bool,
    client: Option<ClientId>,
    scheme: Option<String>,
}

impl AuthorizationPath {
    pub(in crate::web) fn of(next: &LocalPath) -> Self {
        let Some(query) = next.query_at(paths::AUTHORIZE) else { return Self::default() };
        let value = |wanted: &str| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
        };
        Self {
            is_one: true,
            client: value("client_id").and_then(|id| ClientId::parse(&id).ok()),
            scheme: value("redirect_uri")
                .and_then(|uri| RedirectUri::parse(&uri).ok())
                .map(|uri| uri.scheme().to_owned()),
        }
    }

    /// A browser holds the redirects after a form against the policy of the form's page, and signing in may go all the way
    /// to the client: `prompt=none` or an error asks nobody.
    pub(in crate::web) fn form_action(&self) -> FormAction {
        if self.is_one {
            FormAction::ToClient { scheme: self.scheme.clone().unwrap_or_else(|| "https".to_owned()) }
        } else {
            FormAction::SelfOnly
        }
    }

    /// The client's name if it is at hand. A document is not fetched for somebody who has not signed in.
    async fn client_name(&self, state: &WebState) -> Option<String> {
        let id = self.client.clone()?;
        let client = attempt(state, move |app| app.client(&id)).await.ok()?.ok()??;
        Some(client.display_name().to_owned())
    }
}

/// `prompt=login` (`OpenID` Connect Core §3.1.2.1).
fn asks_to_sign_in_again(next: &LocalPath) -> bool {
    let query = next.query_at(paths::AUTHORIZE).unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.any(|(name, value)| name == "prompt" && value.split(' ').any(|prompt| prompt == "login"))
}

#[cfg(test)]
impl LoginView {
    pub(crate) fn sample() -> Self {
        Self {
            form_token: "v4.local.sample".to_owned(),
            username: String::new(),
            next: "/dashboard".to_owned(),
            for_client: None,
            notice: Some("You are signed out.".to_owned()),
            passkey: Some(PasskeyAsk::sample()),
            problem: None,
        }
    }

    pub(crate) fn sample_for_client(problem: LoginProblem) -> Self {
        Self {
            username: "ada\"><script>alert(1)</script>".to_owned(),
            next: "/authorize?client_id=a&state=b".to_owned(),
            for_client: Some("Claude Code".to_owned()),
            notice: None,
            problem: Some(problem),
            ..Self::sample()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> LocalPath {
        LocalPath::parse(text).unwrap()
    }

    #[test]
    fn the_page_lets_its_form_go_on_to_the_client_that_waits() {
        let action = |next: &str| AuthorizationPath::of(&path(next)).form_action();
        let to = |scheme: &str| FormAction::ToClient { scheme: scheme.to_owned() };
        assert_eq!(action("/authorize?client_id=a&redirect_uri=cursor%3A%2F%2Fanysphere%2Fcallback"), to("cursor"));
        assert_eq!(action("/authorize?client_id=a"), to("https"));
        assert_eq!(action("/authorize?redirect_uri=javascript%3Aalert(1)"), to("https"));
        assert_eq!(action("/dashboard?redirect_uri=cursor%3A%2F%2Fx"), FormAction::SelfOnly);
    }

    #[test]
    fn only_a_request_that_says_so_asks_to_sign_in_again() {
        assert!(asks_to_sign_in_again(&path("/authorize?client_id=a&prompt=login")));
        assert!(asks_to_sign_in_again(&path("/authorize?prompt=login+consent")));
        assert!(!asks_to_sign_in_again(&path("/authorize?prompt=none&state=prompt%3Dlogin")));
        assert!(!asks_to_sign_in_again(&path("/dashboard?prompt=login")));
    }
}

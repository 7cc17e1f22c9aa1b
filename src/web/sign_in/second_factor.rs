//! `/login/second-factor`: from the right password to a session.
//!
//! Only for a browser whose person gave the password in the last five minutes. What is typed is a code of an authenticator app
//! or a recovery code; whatever is wrong with it, the answer is the same.

use crate::account::factor::TypedCode;
use crate::app::Caller;
use crate::app::error::OperationError;
use crate::app::second_factor::UsedCode;
use crate::web::cookies::CookieKind;
use crate::web::extract::{CsrfForm, FormRefusal, HalfSignedIn, NextQuery, PageQuery, PreviousSession};
use crate::web::notice::Notice;
use crate::web::operate::{attempt, operate};
use crate::web::page::Page;
use crate::web::passkey::PasskeyAsk;
use crate::web::respond::{LocalPath, login_path, operation_error, see_other, with_cookie};
use crate::web::sign_in::LoginProblem;
use crate::web::sign_in::login::AuthorizationPath;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// `GET` and a refused `POST` of `/login/second-factor`. Sends `form_token`, `code` and `next`.
#[derive(Debug, Template)]
#[template(path = "sign_in/second_factor.html")]
pub struct SecondFactorView {
    /// Bound to this sign-in.
    pub form_token: String,
    /// Whose password was right.
    pub username: String,
    /// Where to go afterwards: a path of this origin; may be empty.
    pub next: String,
    /// Whether there is an app that shows codes.
    pub has_app: bool,
    /// What an authenticator is asked; none where the user has no passkey.
    pub passkey: Option<PasskeyAsk>,
    /// Why the last attempt failed.
    pub problem: Option<LoginProblem>,
}

/// The form.
pub async fn get(
    State(state): State<WebState>,
    half: Option<HalfSignedIn>,
    PageQuery(query): PageQuery<NextQuery>,
) -> Result<Response, Response> {
    let next = LocalPath::parse(&query.next);
    match half {
        Some(half) => page(&state, &half, next.as_ref(), None, StatusCode::OK).await,
        None => Ok(over(next.as_ref())),
    }
}

/// What the form sends.
#[derive(Deserialize)]
pub struct SecondFactorForm {
    code: String,
    #[serde(default)]
    next: String,
}

/// The factor.
pub async fn post(
    State(state): State<WebState>,
    half: Option<HalfSignedIn>,
    PreviousSession(previous): PreviousSession,
    caller: Caller,
    headers: HeaderMap,
    form: Result<CsrfForm<SecondFactorForm>, FormRefusal>,
) -> Result<Response, Response> {
    let (CsrfForm(form), half) = match (form, half) {
        (Ok(form), Some(half)) => (form, half),
        (Ok(CsrfForm(form)), None) => return Ok(over(LocalPath::parse(&form.next).as_ref())),
        (Err(FormRefusal::NotOurs { body }), Some(half)) => {
            let next = next_in(&body);
            return page(&state, &half, next.as_ref(), Some(LoginProblem::Stale), StatusCode::FORBIDDEN).await;
        }
        // The password was given here, and is too long ago.
        (Err(FormRefusal::NotOurs { body }), None)
            if state.cookies().read(&headers, CookieKind::HalfSession).is_some() =>
        {
            return Ok(over(next_in(&body).as_ref()));
        }
        (Err(refusal), _) => return Err(refusal.into_response()),
    };
    let (next, code, key) = (LocalPath::parse(&form.next), TypedCode::parse(&form.code), half.key);
    let (problem, status) = match attempt(&state, move |app| app.finish_sign_in(key, code, previous, &caller)).await? {
        Ok((session, used)) => {
            let on = match (next, used) {
                (Some(next), _) => next.as_str().to_owned(),
                (None, UsedCode::Recovery { .. }) => Notice::RecoveryCodeUsed.at(paths::SECURITY),
                (None, UsedCode::Totp) => paths::DASHBOARD.to_owned(),
            };
            let on = with_cookie(see_other(&on), &state.session_cookie(session));
            let on = with_cookie(on, &state.known_browser_cookie(&half.user.name.canonical()));
            return Ok(with_cookie(on, &state.cookies().clear(CookieKind::HalfSession)));
        }
        // Five minutes were over in between, or the same form was sent twice.
        Err(OperationError::NotFound(_)) => return Ok(over(next.as_ref())),
        Err(OperationError::Invalid(_)) => (LoginProblem::Wrong, StatusCode::UNAUTHORIZED),
        Err(OperationError::TooSoon(too_soon)) => {
            let seconds = too_soon.wait.as_secs().max(1);
            (LoginProblem::SlowedDown { seconds }, StatusCode::TOO_MANY_REQUESTS)
        }
        Err(error) => return Err(operation_error(&error)),
    };
    page(&state, &half, next.as_ref(), Some(problem), status).await
}

pub(super) async fn page(
    state: &WebState,
    half: &HalfSignedIn,
    next: Option<&LocalPath>,
    problem: Option<LoginProblem>,
    status: StatusCode,
) -> Result<Response, Response> {
    let user = half.user.clone();
    let factors = operate(state, move |app| app.factors(&user)).await?;
    let view = SecondFactorView {
        has_app: factors.has_authenticator(),
        passkey: PasskeyAsk::to_finish_sign_in(&state.app, &half.binding(), &factors.all),
        form_token: state.form_token(&half.binding()),
        username: half.user.name.to_string(),
        next: next.map(|next| next.as_str().to_owned()).unwrap_or_default(),
        problem,
    };
    let on_the_way = next.map(AuthorizationPath::of).unwrap_or_default();
    let mut response = Page::new(view).status(status).form_action(on_the_way.form_action()).into_response();
    if let Some(LoginProblem::SlowedDown { seconds }) = problem {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    Ok(response)
}

/// To the password again.
pub(super) fn over(next: Option<&LocalPath>) -> Response {
    let begin = Notice::SignInOver.at(paths::LOGIN);
    let next = next.map(login_path);
    let next = next.as_deref().and_then(|path| path.split_once('?')).map(|(_, query)| query);
    see_other(&next.map_or_else(|| begin.clone(), |query| format!("{begin}&{query}")))
}

/// Where a form that was not taken leads.
fn next_in(body: &[u8]) -> Option<LocalPath> {
    let mut fields = url::form_urlencoded::parse(body);
    fields.find(|(name, _)| name == "next").and_then(|(_, next)| LocalPath::parse(&next))
}

impl SecondFactorView {
    /// The login page, on the same way.
    fn other_user_url(&self) -> String {
        LocalPath::parse(&self.next).map_or_else(|| paths::LOGIN.to_owned(), |next| login_path(&next))
    }
}

#[cfg(test)]
impl SecondFactorView {
    pub(crate) fn sample() -> Self {
        Self {
            form_token: "v4.local.sample".to_owned(),
            username: "ada".to_owned(),
            next: "/authorize?client_id=a&state=\"><script>alert(1)</script>".to_owned(),
            has_app: true,
            passkey: None,
            problem: None,
        }
    }

    pub(crate) fn sample_refused(problem: LoginProblem) -> Self {
        Self { problem: Some(problem), next: String::new(), ..Self::sample() }
    }

    pub(crate) fn sample_of_passkey() -> Self {
        Self { has_app: false, passkey: Some(PasskeyAsk::sample()), ..Self::sample() }
    }
}

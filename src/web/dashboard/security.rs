//! How does a person keep the account safe? Changes the password, looks after second factors, leads to the sessions.

use crate::account::password::{MAX_PASSWORD, MIN_PASSWORD, NewPassword};
use crate::app::Caller;
use crate::app::error::OperationError;
use crate::web::dashboard::Frame;
use crate::web::dashboard::second_factor::FactorSection;
use crate::web::extract::{CsrfForm, RecentForm, SignedIn};
use crate::web::notice::{Done, Notice};
use crate::web::operate::{attempt_hashing, operate};
use crate::web::page::Page;
use crate::web::respond::{operation_error, see_other, with_cookie};
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// `GET /dashboard/security`, and a refused `POST /dashboard/security/password`.
///
/// The form sends `form_token`, `current_password`, `new_password` and `new_password_again` to
/// `/dashboard/security/password`.
#[derive(Debug, Template)]
#[template(path = "dashboard/security.html")]
pub struct SecurityView {
    /// Around the page.
    pub frame: Frame,
    /// The fewest and the most characters of a password.
    pub password_length: (usize, usize),
    /// What is wrong with the current password, as a sentence.
    pub current_problem: Option<String>,
    /// What is wrong with the new one, as a sentence.
    pub new_problem: Option<String>,
    /// The second factors.
    pub factors: FactorSection,
    /// How many sessions the user has, this one included.
    pub sessions: usize,
}

/// The page.
pub async fn get(State(state): State<WebState>, signed_in: SignedIn, notice: Done) -> Result<Response, Response> {
    let view = SecurityView::new(&state, &signed_in, notice).await?;
    Ok(Page::new(view).into_response())
}

/// What the form of the password sends.
#[derive(Deserialize)]
pub struct PasswordForm {
    current_password: String,
    new_password: String,
    new_password_again: String,
}

/// The form of the password. Whoever has a second factor is asked again who they are, as before a change of that; of the
/// others the page that asks could ask for nothing but the password, which is in the form.
pub struct PasswordChange(SignedIn, PasswordForm);

impl FromRequest<WebState> for PasswordChange {
    type Rejection = Response;

    async fn from_request(request: Request, state: &WebState) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let signed_in = <SignedIn as FromRequestParts<WebState>>::from_request_parts(&mut parts, state).await?;
        let user = signed_in.user.clone();
        let factors = operate(state, move |app| app.factors(&user)).await?;
        let request = Request::from_parts(parts, body);
        if factors.all.is_empty() {
            let form = CsrfForm::from_request(request, state).await;
            return form.map(|CsrfForm(form)| Self(signed_in, form)).map_err(IntoResponse::into_response);
        }
        let RecentForm(recently, form) = RecentForm::<_, SignedIn>::from_request(request, state).await?;
        Ok(Self(SignedIn::clone(&recently), form))
    }
}

/// Changes the password: the other sessions end, and this browser gets a new one.
pub async fn post_password(
    State(state): State<WebState>,
    caller: Caller,
    PasswordChange(signed_in, form): PasswordChange,
) -> Result<Response, Response> {
    let view = SecurityView::new(&state, &signed_in, Done(None)).await?;
    if let Some(problem) = form.new_problem(&signed_in.user.name.canonical()) {
        let view = SecurityView { new_problem: Some(problem), ..view };
        return Ok(Page::new(view).status(StatusCode::UNPROCESSABLE_ENTITY).into_response());
    }
    let (session, user) = (signed_in.session.id, signed_in.user.id);
    let PasswordForm { current_password: current, new_password: new, .. } = form;
    let changed = attempt_hashing(&state, move |app| app.change_password(session, user, &current, &new, &caller));
    let (problem, status, wait) = match changed.await? {
        Ok(renewed) => {
            let response = see_other(&Notice::PasswordChanged.at(paths::SECURITY));
            return Ok(with_cookie(response, &state.session_cookie(renewed)));
        }
        Err(OperationError::Invalid(why)) => (why, StatusCode::UNPROCESSABLE_ENTITY, None),
        Err(OperationError::TooSoon(too_soon)) => {
            (too_soon.to_string(), StatusCode::TOO_MANY_REQUESTS, Some(too_soon.wait.as_secs().max(1)))
        }
        Err(error) => return Err(operation_error(&error)),
    };
    let view = SecurityView { current_problem: Some(problem), ..view };
    let mut response = Page::new(view).status(status).into_response();
    if let Some(seconds) = wait {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    Ok(response)
}

impl PasswordForm {
    fn new_problem(&self, canonical_name: &str) -> Option<String> {
        let weak = NewPassword::parse(&self.new_password, canonical_name).err().map(|weak| weak.to_string());
        let differs = self.new_password != self.new_password_again;
        weak.or_else(|| differs.then(|| "The two new passwords differ.".to_owned()))
    }
}

impl SecurityView {
    async fn new(state: &WebState, signed_in: &SignedIn, notice: Done) -> Result<Self, Response> {
        let user = signed_in.user.clone();
        let read = operate(state, move |app| Ok((app.session_count(&user)?, app.factors(&user)?)));
        let (sessions, factors) = read.await?;
        Ok(Self {
            frame: Frame::new(state, signed_in, notice),
            password_length: (MIN_PASSWORD, MAX_PASSWORD),
            current_problem: None,
            new_problem: None,
            factors: FactorSection::of(&factors, state.app.relying_party().is_some(), state.app.now()),
            sessions,
        })
    }
}

#[cfg(test)]
impl SecurityView {
    pub(crate) fn sample() -> Self {
        Self {
            frame: Frame::sample(),
            password_length: (8, 128),
            current_problem: None,
            new_problem: None,
            factors: FactorSection::sample(),
            sessions: 3,
        }
    }

    pub(crate) fn sample_refused() -> Self {
        Self {
            current_problem: Some("This is not your current password.".to_owned()),
            new_problem: Some("This password is on the list of the most common ones. Choose another.".to_owned()),
            factors: FactorSection::sample_none(),
            sessions: 1,
            ..Self::sample()
        }
    }
}

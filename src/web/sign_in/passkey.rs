//! `/login/passkey` and `/login/second-factor/passkey`: what an authenticator answered, alone or after the password.
//!
//! Both forms stand on the pages of the other ways in, which come again when the answer is not taken.

use super::login::{self, LoginProblem};
use super::second_factor;
use crate::app::Caller;
use crate::app::error::OperationError;
use crate::web::cookies::CookieKind;
use crate::web::extract::{CsrfForm, FormRefusal, HalfSignedIn, PreviousSession, Visitor};
use crate::web::operate::attempt;
use crate::web::passkey::PasskeyAnswer;
use crate::web::respond::{LocalPath, operation_error, see_other, with_cookie};
use crate::web::state::WebState;
use crate::wire::paths;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// A passkey that has checked who holds it.
pub async fn post_alone(
    State(state): State<WebState>,
    visitor: Visitor,
    PreviousSession(previous): PreviousSession,
    caller: Caller,
    form: Result<CsrfForm<PasskeyAnswer>, FormRefusal>,
) -> Result<Response, Response> {
    let answer = match form {
        Ok(CsrfForm(answer)) => answer,
        Err(FormRefusal::NotOurs { body }) => return Ok(login::stale(&state, visitor, &body).await),
        Err(refusal) => return Err(refusal.into_response()),
    };
    let (next, binding) = (LocalPath::parse(&answer.next), visitor.binding().to_owned());
    let Some(used) = answer.used() else { return Ok(login::passkey_refused(&state, visitor, next).await) };
    let question = answer.question;
    let signed_in = attempt(&state, move |app| app.sign_in_with_passkey(&binding, &question, &used, previous, &caller));
    match signed_in.await? {
        Ok((session, owner)) => {
            let on = see_other(next.as_ref().map_or(paths::DASHBOARD, LocalPath::as_str));
            let on = with_cookie(on, &state.session_cookie(session));
            Ok(with_cookie(on, &state.known_browser_cookie(&owner.name.canonical())))
        }
        Err(OperationError::Invalid(_)) => Ok(login::passkey_refused(&state, visitor, next).await),
        Err(error) => Err(operation_error(&error)),
    }
}

/// A passkey of somebody whose password was right.
pub async fn post_after_password(
    State(state): State<WebState>,
    half: Option<HalfSignedIn>,
    PreviousSession(previous): PreviousSession,
    caller: Caller,
    CsrfForm(answer): CsrfForm<PasskeyAnswer>,
) -> Result<Response, Response> {
    let next = LocalPath::parse(&answer.next);
    let Some(half) = half else { return Ok(second_factor::over(next.as_ref())) };
    let key = half.key;
    let signed_in = match answer.used() {
        Some(used) => {
            let question = answer.question;
            attempt(&state, move |app| app.finish_sign_in_with_passkey(key, &question, &used, previous, &caller))
                .await?
        }
        None => Err(OperationError::Invalid(String::new())),
    };
    match signed_in {
        Ok(session) => {
            let on = see_other(next.as_ref().map_or(paths::DASHBOARD, LocalPath::as_str));
            let on = with_cookie(on, &state.session_cookie(session));
            let on = with_cookie(on, &state.known_browser_cookie(&half.user.name.canonical()));
            Ok(with_cookie(on, &state.cookies().clear(CookieKind::HalfSession)))
        }
        Err(OperationError::Invalid(_)) => {
            let problem = Some(LoginProblem::Passkey);
            second_factor::page(&state, &half, next.as_ref(), problem, StatusCode::UNAUTHORIZED).await
        }
        Err(OperationError::NotFound(_)) => Ok(second_factor::over(next.as_ref())),
        Err(error) => Err(operation_error(&error)),
    }
}

//! `/reset`: a new password for whoever has the one-time link that was made for them.

use crate::account::password::{MAX_PASSWORD, MIN_PASSWORD, NewPassword};
use crate::account::user::Username;
use crate::app::error::OperationError;
use crate::web::error::ErrorView;
use crate::web::extract::{CsrfForm, LinkQuery, PageQuery, Visitor};
use crate::web::notice::Notice;
use crate::web::operate::{attempt_hashing, operate};
use crate::web::page::Page;
use crate::web::respond::{operation_error, see_other, with_cookie};
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// `GET /reset?secret=…`, and a refused `POST /reset`. Sends `form_token`, `secret`, `password` and `password_again`.
#[derive(Template)]
#[template(path = "sign_in/reset.html")]
pub struct ResetView {
    /// Bound to the browser's anonymous cookie.
    pub form_token: String,
    /// The one-time secret of the link.
    pub secret: String,
    /// Whose password it is.
    pub username: String,
    /// What is wrong with the new password, as a sentence.
    pub password_problem: Option<String>,
    /// The fewest and the most characters of a password.
    pub password_length: (usize, usize),
}

/// The form, for whoever has the secret.
pub async fn get(
    State(state): State<WebState>,
    visitor: Visitor,
    PageQuery(LinkQuery { secret }): PageQuery<LinkQuery>,
) -> Result<Response, Response> {
    let name = whose(&state, &secret).await?;
    Ok(page(&state, visitor, secret, &name, None))
}

/// What the form sends.
#[derive(Deserialize)]
pub struct ResetForm {
    secret: String,
    password: String,
    password_again: String,
}

/// The new password.
pub async fn post(
    State(state): State<WebState>,
    visitor: Visitor,
    CsrfForm(form): CsrfForm<ResetForm>,
) -> Result<Response, Response> {
    let name = whose(&state, &form.secret).await?;
    let weak = NewPassword::parse(&form.password, &name.canonical()).err().map(|weak| weak.to_string());
    let differs = || (form.password != form.password_again).then(|| "The two passwords differ.".to_owned());
    if let Some(problem) = weak.or_else(differs) {
        return Ok(page(&state, visitor, form.secret, &name, Some(problem)));
    }
    let ResetForm { secret, password, .. } = form;
    match attempt_hashing(&state, move |app| app.set_password_by_link(&secret, &password)).await? {
        Ok(_) => Ok(see_other(&Notice::PasswordSet.at(paths::LOGIN))),
        Err(OperationError::NotFound(_)) => Err(over()),
        Err(error) => Err(operation_error(&error)),
    }
}

/// Whose password the link sets; a page that says what to do, if it sets nobody's.
async fn whose(state: &WebState, secret: &str) -> Result<Username, Response> {
    let presented = secret.to_owned();
    operate(state, move |app| app.password_reset_for(&presented)).await?.ok_or_else(over)
}

fn over() -> Response {
    ErrorView::new(
        StatusCode::GONE,
        "This link no longer works",
        "It works once and for 24 hours, and only the newest one that was made for you.",
        "Ask an admin of this Keyward for a new one. If you know your password, sign in.",
    )
    .link("To the sign-in page", paths::LOGIN)
    .into_response()
}

fn page(state: &WebState, visitor: Visitor, secret: String, name: &Username, problem: Option<String>) -> Response {
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let view = ResetView {
        form_token: state.form_token(visitor.binding()),
        secret,
        username: name.to_string(),
        password_problem: problem,
        password_length: (MIN_PASSWORD, MAX_PASSWORD),
    };
    let response = Page::new(view).status(status).into_response();
    match visitor.set_cookie {
        Some(cookie) => with_cookie(response, &cookie),
        None => response,
    }
}

#[cfg(test)]
impl ResetView {
    pub(crate) fn sample() -> Self {
        Self {
            form_token: "v4.local.sample".to_owned(),
            secret: format!("kwp_{}", "s".repeat(43)),
            username: "ben".to_owned(),
            password_problem: None,
            password_length: (8, 128),
        }
    }

    pub(crate) fn sample_refused() -> Self {
        let problem = "This password is one of the most common. Choose another, such as four random words.";
        Self { password_problem: Some(problem.to_owned()), ..Self::sample() }
    }
}

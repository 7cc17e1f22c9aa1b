//! `/setup`: the first admin, made by whoever has the one-time secret.
//!
//! Without the right secret, and after set-up, the answer is the one of an address where nothing is.

use crate::account::password::{MAX_PASSWORD, MIN_PASSWORD, NewPassword};
use crate::account::user::Username;
use crate::app::Caller;
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

/// `GET /setup?secret=…`, and a refused `POST /setup`. Sends `form_token`, `secret`, `username`, `password` and
/// `password_again`.
#[derive(Template)]
#[template(path = "sign_in/set_up.html")]
pub struct SetUpView {
    /// Bound to the browser's anonymous cookie.
    pub form_token: String,
    /// The one-time secret of the link.
    pub secret: String,
    /// What is written in the name field.
    pub username: String,
    /// What is wrong with it, as a sentence.
    pub username_problem: Option<String>,
    /// What is wrong with the password, as a sentence.
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
    require_secret(&state, &secret).await?;
    let form = SetUpForm { secret, ..SetUpForm::default() };
    Ok(form.page(&state, visitor, Problems::default(), StatusCode::OK))
}

/// What the form sends.
#[derive(Default, Deserialize)]
pub struct SetUpForm {
    secret: String,
    username: String,
    password: String,
    password_again: String,
}

/// The account.
pub async fn post(
    State(state): State<WebState>,
    visitor: Visitor,
    caller: Caller,
    CsrfForm(form): CsrfForm<SetUpForm>,
) -> Result<Response, Response> {
    require_secret(&state, &form.secret).await?;
    let problems = Problems::of(&form);
    if problems != Problems::default() {
        return Ok(form.page(&state, visitor, problems, StatusCode::UNPROCESSABLE_ENTITY));
    }
    let SetUpForm { secret, username, password, .. } = form;
    let made = attempt_hashing(&state, move |app| app.set_up(&secret, &username, &password, &caller)).await?;
    let session = made.map_err(|error| match error {
        OperationError::NotFound(_) => ErrorView::not_found().into_response(),
        error => operation_error(&error),
    })?;
    Ok(with_cookie(see_other(&Notice::SetUp.at(paths::DASHBOARD)), &state.session_cookie(session)))
}

async fn require_secret(state: &WebState, secret: &str) -> Result<(), Response> {
    let presented = secret.to_owned();
    let good = operate(state, move |app| app.may_set_up(&presented)).await?;
    if good { Ok(()) } else { Err(ErrorView::not_found().into_response()) }
}

/// What is wrong with which field, as sentences.
#[derive(Debug, Default, PartialEq, Eq)]
struct Problems {
    username: Option<String>,
    password: Option<String>,
}

impl Problems {
    fn of(form: &SetUpForm) -> Self {
        let name = Username::parse(&form.username);
        let canonical = name.as_ref().map(Username::canonical).unwrap_or_default();
        let weak = NewPassword::parse(&form.password, &canonical).err().map(|weak| weak.to_string());
        let differs = (form.password != form.password_again).then(|| "The two passwords differ.".to_owned());
        Self { username: name.err().map(|error| error.to_string()), password: weak.or(differs) }
    }
}

impl SetUpForm {
    fn page(self, state: &WebState, visitor: Visitor, problems: Problems, status: StatusCode) -> Response {
        let view = SetUpView {
            form_token: state.form_token(visitor.binding()),
            secret: self.secret,
            username: self.username,
            username_problem: problems.username,
            password_problem: problems.password,
            password_length: (MIN_PASSWORD, MAX_PASSWORD),
        };
        let response = Page::new(view).status(status).into_response();
        match visitor.set_cookie {
            Some(cookie) => with_cookie(response, &cookie),
            None => response,
        }
    }
}

#[cfg(test)]
impl SetUpView {
    pub(crate) fn sample() -> Self {
        Self {
            form_token: "v4.local.sample".to_owned(),
            secret: format!("kwi_{}", "s".repeat(43)),
            username: String::new(),
            username_problem: None,
            password_problem: None,
            password_length: (8, 128),
        }
    }

    pub(crate) fn sample_refused() -> Self {
        Self {
            username: "a b".to_owned(),
            username_problem: Some("A name has letters, digits, dots and hyphens only.".to_owned()),
            password_problem: Some("The two passwords differ.".to_owned()),
            ..Self::sample()
        }
    }
}

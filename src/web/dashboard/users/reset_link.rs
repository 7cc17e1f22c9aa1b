//! `/dashboard/users/{id}/reset-link`: a one-time link to a new password, after a question, shown this once.

use crate::app::error::OperationError;
use crate::app::users::By;
use crate::id::UserId;
use crate::web::dashboard::Frame;
use crate::web::extract::{Admin, Confirmed, PathId, RecentForm};
use crate::web::notice::Done;
use crate::web::operate::{attempt, operate};
use crate::web::page::Page;
use crate::web::respond::operation_error;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// `GET` and `POST` of `/dashboard/users/{id}/reset-link`. Posts `form_token` to the same path.
#[derive(Template)]
#[template(path = "dashboard/users/reset_link.html")]
pub struct ResetLinkView {
    /// Around the page.
    pub frame: Frame,
    /// For whom.
    pub id: UserId,
    /// Their name.
    pub username: String,
    /// The link, once it is made: the only time that it is shown.
    pub link: Option<String>,
    /// Why none was made, as a sentence.
    pub problem: Option<String>,
}

/// The question.
pub async fn get(
    State(state): State<WebState>,
    Admin(admin): Admin,
    PathId(id): PathId<UserId>,
) -> Result<Response, Response> {
    let username = operate(&state, move |app| Ok(app.user_entry(id)?.user.name.to_string())).await?;
    let frame = Frame::new(&state, &admin, Done(None));
    Ok(Page::new(ResetLinkView { frame, id, username, link: None, problem: None }).into_response())
}

/// Makes it.
pub async fn post(
    State(state): State<WebState>,
    _: Admin,
    PathId(id): PathId<UserId>,
    RecentForm(admin, _): RecentForm<Confirmed>,
) -> Result<Response, Response> {
    let by = By::Admin(admin.user.id);
    let username = operate(&state, move |app| Ok(app.user_entry(id)?.user.name.to_string())).await?;
    let made =
        attempt(&state, move |app| app.make_password_reset(by, id).map(|secret| app.password_reset_url(&secret)));
    let (link, problem, status) = match made.await? {
        Ok(link) => (Some(link), None, StatusCode::OK),
        Err(OperationError::Invalid(why)) => (None, Some(why), StatusCode::UNPROCESSABLE_ENTITY),
        Err(error) => return Err(operation_error(&error)),
    };
    let frame = Frame::new(&state, &admin, Done(None));
    Ok(Page::new(ResetLinkView { frame, id, username, link, problem }).status(status).into_response())
}

#[cfg(test)]
impl ResetLinkView {
    pub(crate) fn sample() -> Self {
        let (id, username) = (UserId::from_bytes([0x44; 16]), "ben".to_owned());
        Self { frame: Frame::sample(), id, username, link: None, problem: None }
    }

    pub(crate) fn sample_made() -> Self {
        let link = format!("https://mcp.example.org/reset?secret=kwp_{}", "s".repeat(43));
        Self { link: Some(link), ..Self::sample() }
    }
}

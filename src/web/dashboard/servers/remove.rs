//! `/dashboard/servers/{name}/remove`: a server of the dashboard goes, after a question.

use super::{edition_of, read_edition};
use crate::access::ServerName;
use crate::app::error::OperationError;
use crate::app::servers::ServerRefusal;
use crate::web::dashboard::Frame;
use crate::web::extract::{Admin, CsrfForm, PathId, SignedIn};
use crate::web::notice::{Done, Notice};
use crate::web::operate::{attempt, operate};
use crate::web::page::Page;
use crate::web::respond::{operation_error, see_other};
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// `GET` of `/dashboard/servers/{name}/remove`. Posts `form_token` and `edition`.
#[derive(Debug, Template)]
#[template(path = "dashboard/servers/remove.html")]
pub struct ServerRemoveView {
    /// Around the page.
    pub frame: Frame,
    /// Its name.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Its URL; nothing if it is not served.
    pub url: Option<String>,
    /// Which edition is shown.
    pub edition: String,
    /// Why it was not removed.
    pub problem: Option<String>,
}

/// What the form sends.
#[derive(Deserialize)]
pub struct Removal {
    edition: String,
}

/// The question.
pub async fn get(
    State(state): State<WebState>,
    Admin(admin): Admin,
    PathId(name): PathId<ServerName>,
) -> Result<Response, Response> {
    Ok(Page::new(view(&state, &admin, name, None).await?).into_response())
}

async fn view(
    state: &WebState,
    admin: &SignedIn,
    name: ServerName,
    problem: Option<String>,
) -> Result<ServerRemoveView, Response> {
    let entry = operate(state, move |app| app.server_entry(&name)).await?;
    let stored = entry.stored.ok_or_else(|| operation_error(&OperationError::NotFound("server of the dashboard")))?;
    let server = entry.server.filter(|_| entry.not_served.is_none());
    let name = entry.name.to_string();
    Ok(ServerRemoveView {
        frame: Frame::new(state, admin, Done(None)),
        title: server.as_ref().map_or_else(|| name.clone(), |server| server.title.clone()),
        url: server.map(|server| server.resource.to_string()),
        name,
        edition: edition_of(&stored),
        problem,
    })
}

/// Removes it.
pub async fn post(
    State(state): State<WebState>,
    Admin(admin): Admin,
    PathId(name): PathId<ServerName>,
    CsrfForm(Removal { edition }): CsrfForm<Removal>,
) -> Result<Response, Response> {
    let (by, which) = (admin.user.id, name.clone());
    let removed = attempt(&state, move |app| app.remove_server(&which, read_edition(&edition), by)).await?;
    match removed {
        Ok(()) => Ok(see_other(&Notice::ServerRemoved.at(paths::SERVERS))),
        Err(ServerRefusal::Operation(error)) => Err(operation_error(&error)),
        Err(refusal) => {
            let view = view(&state, &admin, name, Some(refusal.to_string())).await?;
            Ok(Page::new(view).status(StatusCode::CONFLICT).into_response())
        }
    }
}

#[cfg(test)]
impl ServerRemoveView {
    pub(crate) fn sample() -> Self {
        Self {
            frame: Frame::sample(),
            name: "files".to_owned(),
            title: "Files".to_owned(),
            url: Some("https://mcp.example.org/mcp/files".to_owned()),
            edition: "0000000000000007".to_owned(),
            problem: None,
        }
    }
}

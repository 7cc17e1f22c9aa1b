//! `/dashboard/servers/{name}/edit`: what was said about a server of the dashboard is changed.
//!
//! The form names the edition that it was made from. If somebody has changed the server meanwhile, nothing is saved: the form
//! comes back with what was entered, says who it was, and is made from their edition now; so whoever saves again does so
//! knowingly.

use super::form::{Fields, Problems, Secrets};
use super::new::problems_of;
use super::{edition_of, read_edition, tested};
use crate::access::{ServerDescription, ServerName, StoredServer};
use crate::app::error::OperationError;
use crate::app::servers::ServerRefusal;
use crate::web::extract::{Admin, PathId, RecentForm};
use crate::web::notice::Notice;
use crate::web::operate::{attempt, operate};
use crate::web::page::Page;
use crate::web::respond::{operation_error, see_other};
use crate::web::state::WebState;
use crate::wire::paths;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// The server as it is kept, and what it says.
async fn stored(state: &WebState, name: &ServerName) -> Result<(StoredServer, ServerDescription), Response> {
    let name = name.clone();
    let found = operate(state, move |app| {
        let stored = app.server_entry(&name)?.stored.ok_or(OperationError::NotFound("server of the dashboard"))?;
        let (description, _) = app.describe_server(&stored);
        Ok((stored, description))
    });
    found.await
}

fn title_of(description: &ServerDescription) -> String {
    description.title.clone().unwrap_or_else(|| description.name.to_string())
}

/// The form.
pub async fn get(
    State(state): State<WebState>,
    Admin(admin): Admin,
    PathId(name): PathId<ServerName>,
) -> Result<Response, Response> {
    let (stored, description) = stored(&state, &name).await?;
    let (fields, before) = (Fields::of(&description, edition_of(&stored)), Secrets::of(&description));
    let view = fields.view(&state, &admin, Some(title_of(&description)), before, Problems::default(), None);
    Ok(Page::new(view).into_response())
}

/// Tries the changed server, or saves it.
pub async fn post(
    State(state): State<WebState>,
    _: Admin,
    PathId(name): PathId<ServerName>,
    RecentForm(admin, mut fields): RecentForm<Fields>,
) -> Result<Response, Response> {
    let (by, is_test) = (admin.user.id, fields.is_test());
    let (_, old) = stored(&state, &name).await?;
    let title = title_of(&old);
    let before = fields.before(&state, by, Some(&old));
    fields.name = name.to_string();
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    let description = match fields.read(name.clone(), &before) {
        Ok(description) => description,
        Err(problems) => {
            let view = fields.view(&state, &admin, Some(title), before, problems, None);
            return Ok(Page::new(view).status(refused).into_response());
        }
    };
    if is_test {
        let judged = attempt(&state, move |app| app.judge_server(&description)).await?;
        let (problems, test, status) = match judged {
            Ok(server) => {
                (Problems::default(), Some(tested::test(&state, &admin, Arc::new(server)).await), StatusCode::OK)
            }
            Err(refusal) => (problems_of(refusal).map_err(|error| operation_error(&error))?, None, refused),
        };
        let view = fields.view(&state, &admin, Some(title), before, problems, test);
        return Ok(Page::new(view).status(status).into_response());
    }
    let edition = read_edition(&fields.edition);
    match attempt(&state, move |app| app.change_server(edition, &description, by)).await? {
        Ok(server) => Ok(see_other(&Notice::ServerChanged.at(&paths::server(server.name.as_str())))),
        Err(refusal) => {
            let mut status = refused;
            if let ServerRefusal::Stale { edition, .. } = &refusal {
                fields.edition = format!("{edition:016x}");
                status = StatusCode::CONFLICT;
            }
            let view = fields.view(
                &state,
                &admin,
                Some(title),
                before,
                problems_of(refusal).map_err(|error| operation_error(&error))?,
                None,
            );
            Ok(Page::new(view).status(status).into_response())
        }
    }
}

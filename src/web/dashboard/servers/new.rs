//! `/dashboard/servers/new`: a server is described, tried, and added.

use super::form::{Fields, Problems, Secrets, ServerFormView};
use super::tested;
use crate::access::ServerName;
use crate::app::error::OperationError;
use crate::app::servers::ServerRefusal;
use crate::web::extract::{Admin, RecentForm};
use crate::web::notice::Notice;
use crate::web::operate::attempt;
use crate::web::page::Page;
use crate::web::respond::{operation_error, see_other};
use crate::web::state::WebState;
use crate::wire::paths;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// The form.
pub async fn get(State(state): State<WebState>, Admin(admin): Admin) -> Response {
    let (before, problems) = (Secrets::default(), Problems::default());
    let view: ServerFormView = Fields::default().view(&state, &admin, None, before, problems, None);
    Page::new(view).into_response()
}

/// Tries the server, or adds it.
pub async fn post(
    State(state): State<WebState>,
    _: Admin,
    RecentForm(admin, fields): RecentForm<Fields>,
) -> Result<Response, Response> {
    let (by, is_test) = (admin.user.id, fields.is_test());
    let before = fields.before(&state, by, None);
    let name = ServerName::parse(fields.name.trim());
    let read = match name {
        Ok(name) => fields.read(name, &before),
        Err(_) if fields.name.trim().is_empty() => Err(Problems::of("name", "Give the server a name.".to_owned())),
        Err(why) => Err(Problems::of("name", format!("{}.", capital(&why.to_string())))),
    };
    let again = |problems, test| fields.view(&state, &admin, None, before, problems, test);
    let description = match read {
        Ok(description) => description,
        Err(problems) => {
            let view = again(problems, None);
            return Ok(Page::new(view).status(StatusCode::UNPROCESSABLE_ENTITY).into_response());
        }
    };
    if is_test {
        let judged = attempt(&state, move |app| app.judge_server(&description)).await?;
        let view = match judged {
            Ok(server) => {
                let result = tested::test(&state, &admin, Arc::new(server)).await;
                Page::new(again(Problems::default(), Some(result)))
            }
            Err(refusal) => Page::new(again(problems_of(refusal).map_err(|error| operation_error(&error))?, None))
                .status(StatusCode::UNPROCESSABLE_ENTITY),
        };
        return Ok(view.into_response());
    }
    match attempt(&state, move |app| app.add_server(&description, by)).await? {
        Ok(server) => Ok(see_other(&Notice::ServerAdded.at(&paths::server(server.name.as_str())))),
        Err(refusal) => {
            let view = again(problems_of(refusal).map_err(|error| operation_error(&error))?, None);
            Ok(Page::new(view).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
    }
}

/// What is wrong with which field; an error if it is not about what was entered.
pub(super) fn problems_of(refusal: ServerRefusal) -> Result<Problems, OperationError> {
    match refusal {
        ServerRefusal::Part { part, why } => Ok(Problems::of(part, why)),
        ServerRefusal::Stale { .. } => Ok(Problems::of("", refusal.to_string())),
        ServerRefusal::Operation(error) => Err(error),
    }
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    let first: String = rest.next().into_iter().flat_map(char::to_uppercase).collect();
    first + rest.as_str()
}

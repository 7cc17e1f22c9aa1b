//! `/dashboard/servers/{name}/enable`: switches a server on or off.

use crate::access::ServerName;
use crate::web::extract::{Admin, CsrfForm, PathId};
use crate::web::notice::Notice;
use crate::web::operate::operate;
use crate::web::respond::see_other;
use crate::web::state::WebState;
use crate::wire::paths;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

/// What the form sends.
#[derive(Deserialize)]
pub struct Switch {
    /// On or off.
    enabled: bool,
}

/// Switches it.
pub async fn post(
    State(state): State<WebState>,
    Admin(admin): Admin,
    PathId(name): PathId<ServerName>,
    CsrfForm(Switch { enabled }): CsrfForm<Switch>,
) -> Result<Response, Response> {
    let (by, path) = (admin.user.id, paths::server(name.as_str()));
    operate(&state, move |app| app.enable_server(&name, enabled, by)).await?;
    let notice = if enabled { Notice::ServerEnabled } else { Notice::ServerDisabled };
    Ok(see_other(&notice.at(&path)))
}

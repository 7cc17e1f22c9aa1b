//! `/dashboard/servers`: those that the person may use; for admins all.

use super::{ServerRow, ServerState};
use crate::access::GuardedServer;
use crate::app::App;
use crate::web::dashboard::Frame;
use crate::web::dashboard::home::ServerCard;
use crate::web::extract::SignedIn;
use crate::web::notice::Done;
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// `GET /dashboard/servers`.
#[derive(Debug, Template)]
#[template(path = "dashboard/servers/list.html")]
pub struct ServersView {
    /// Around the page.
    pub frame: Frame,
    /// Those that the person may use.
    pub usable: Vec<ServerCard>,
    /// All of them, for admins.
    pub rows: Vec<ServerRow>,
}

/// The list.
pub async fn get(State(state): State<WebState>, signed_in: SignedIn, notice: Done) -> Result<Response, Response> {
    let rows = if signed_in.user.is_admin() { operate(&state, App::server_entries).await? } else { Vec::new() };
    let servers = state.app.live().servers();
    let usable = |server: &&Arc<GuardedServer>| server.rule.admits(signed_in.user.person());
    let usable = servers.iter().filter(usable).map(|server| ServerCard::of(server, None)).collect();
    let rows = rows.iter().map(ServerRow::of).collect();
    let view = ServersView { frame: Frame::new(&state, &signed_in, notice), usable, rows };
    Ok(Page::new(view).into_response())
}

#[cfg(test)]
impl ServersView {
    pub(crate) fn sample() -> Self {
        use ServerState::{NotServed, Off, On};
        Self {
            frame: Frame::sample(),
            usable: Vec::new(),
            rows: vec![
                ServerRow::sample("keyward", "Keyward", On, "Keyward’s own tools", "Keyward itself"),
                ServerRow::sample("files", "Files & <b>drafts</b>", On, "http://127.0.0.1:9000", "configuration file"),
                ServerRow::sample("git", "Git", Off, "uvx mcp-server-git --repository /srv/project", "dashboard"),
                ServerRow::sample("mail", "mail", NotServed, "", "dashboard"),
            ],
        }
    }

    pub(crate) fn sample_of_member() -> Self {
        let frame = Frame { is_admin: false, ..Frame::sample() };
        Self { frame, usable: crate::web::dashboard::home::HomeView::sample().servers, rows: Vec::new() }
    }

    pub(crate) fn sample_empty() -> Self {
        Self { usable: Vec::new(), ..Self::sample_of_member() }
    }
}

//! `/dashboard/clients`: who registered.

use super::ClientRow;
use crate::app::App;
use crate::web::dashboard::Frame;
use crate::web::extract::{Admin, PageQuery};
use crate::web::leaf::{Leaf, LeafQuery};
use crate::web::notice::Done;
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

/// `GET /dashboard/clients`.
#[derive(Debug, Template)]
#[template(path = "dashboard/clients/list.html")]
pub struct ClientsView {
    /// Around the page.
    pub frame: Frame,
    /// Newest first.
    pub clients: Vec<ClientRow>,
    /// Whether there are more than can be shown.
    pub truncated: bool,
    /// Which page.
    pub leaf: Leaf,
}

/// The list.
pub async fn get(
    State(state): State<WebState>,
    Admin(admin): Admin,
    notice: Done,
    PageQuery(query): PageQuery<LeafQuery>,
) -> Result<Response, Response> {
    let (mut entries, truncated) = operate(&state, App::clients).await?;
    let leaf = Leaf::turn(&mut entries, &query, paths::CLIENTS);
    let now = state.app.now();
    let clients = entries.into_iter().map(|entry| ClientRow::of(entry, now)).collect();
    let view = ClientsView { frame: Frame::new(&state, &admin, notice), clients, truncated, leaf };
    Ok(Page::new(view).into_response())
}

#[cfg(test)]
impl ClientsView {
    pub(crate) fn sample() -> Self {
        let claude = "https://claude.ai/oauth/claude-code-client-metadata";
        let clients = vec![
            ClientRow {
                pinned: true,
                ..ClientRow::sample(
                    claude,
                    "Claude Code",
                    crate::web::dashboard::Vouched::ByHost("claude.ai".to_owned()),
                )
            },
            ClientRow {
                connections: 0,
                ..ClientRow::sample(
                    "cli_0123456789abcdefghjkmnpqrs",
                    "<script>alert(1)</script>",
                    crate::web::dashboard::Vouched::Nobody,
                )
            },
            ClientRow::sample("cli_1123456789abcdefghjkmnpqrs", "Team portal", crate::web::dashboard::Vouched::ByAdmin),
        ];
        Self {
            frame: Frame::sample(),
            clients,
            truncated: true,
            leaf: Leaf::of(2, 20, |page| paths::leaf(paths::CLIENTS, page)),
        }
    }

    pub(crate) fn sample_empty() -> Self {
        Self { frame: Frame::sample(), clients: Vec::new(), truncated: false, leaf: Leaf::of(1, 1, |_| String::new()) }
    }
}

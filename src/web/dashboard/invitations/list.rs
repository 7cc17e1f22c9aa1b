//! `/dashboard/invitations`: the invitations and what became of them.

use super::{InvitationRow, State as Standing};
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

/// `GET /dashboard/invitations`.
#[derive(Debug, Template)]
#[template(path = "dashboard/invitations/list.html")]
pub struct InvitationsView {
    /// Around the page.
    pub frame: Frame,
    /// Newest first.
    pub invitations: Vec<InvitationRow>,
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
    let mut entries = operate(&state, App::invitations).await?;
    let leaf = Leaf::turn(&mut entries, &query, paths::INVITATIONS);
    let now = state.app.now();
    let invitations = entries.into_iter().map(|entry| InvitationRow::of(entry, now)).collect();
    Ok(Page::new(InvitationsView { frame: Frame::new(&state, &admin, notice), invitations, leaf }).into_response())
}

#[cfg(test)]
impl InvitationsView {
    pub(crate) fn sample() -> Self {
        use crate::id::UserId;
        use crate::web::when::When;
        let by = Some((UserId::from_bytes([0x44; 16]), "ben".to_owned()));
        let note = "our new colleague <b>from</b> Ghent".to_owned();
        let invitations = vec![
            InvitationRow { note, is_admin: true, ..InvitationRow::sample("grace", Standing::Open) },
            InvitationRow::sample("ben", Standing::Used(When::sample(-600), by)),
            InvitationRow { groups: String::new(), ..InvitationRow::sample("somebody", Standing::Expired) },
            InvitationRow::sample("the summer intern", Standing::Revoked(When::sample(-60))),
            InvitationRow::sample("carl", Standing::Used(When::sample(-86_400), None)),
            InvitationRow::sample("somebody", Standing::MakerGone),
        ];
        let leaf = Leaf::of(1, 2, |page| paths::leaf(paths::INVITATIONS, page));
        Self { frame: Frame::sample(), invitations, leaf }
    }

    pub(crate) fn sample_empty() -> Self {
        Self { frame: Frame::sample(), invitations: Vec::new(), leaf: Leaf::of(1, 1, |_| String::new()) }
    }
}

//! `/dashboard/invitations/{id}/revoke`: an invitation is taken back, after a question.

use super::InvitationRow;
use crate::app::users::By;
use crate::id::InvitationId;
use crate::web::dashboard::Frame;
use crate::web::extract::{Admin, Confirmed, CsrfForm, PathId};
use crate::web::notice::{Done, Notice};
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::respond::see_other;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

/// `GET /dashboard/invitations/{id}/revoke`. Posts `form_token` to the same path.
#[derive(Debug, Template)]
#[template(path = "dashboard/invitations/revoke.html")]
pub struct InvitationRevokeView {
    /// Around the page.
    pub frame: Frame,
    /// The invitation.
    pub invitation: InvitationRow,
}

/// The question.
pub async fn get(
    State(state): State<WebState>,
    Admin(admin): Admin,
    PathId(id): PathId<InvitationId>,
) -> Result<Response, Response> {
    let entry = operate(&state, move |app| app.invitation(id)).await?;
    let invitation = InvitationRow::of(entry, state.app.now());
    Ok(Page::new(InvitationRevokeView { frame: Frame::new(&state, &admin, Done(None)), invitation }).into_response())
}

/// Takes it back.
pub async fn post(
    State(state): State<WebState>,
    Admin(admin): Admin,
    PathId(id): PathId<InvitationId>,
    CsrfForm(_): CsrfForm<Confirmed>,
) -> Result<Response, Response> {
    let by = By::Admin(admin.user.id);
    operate(&state, move |app| app.revoke_invitation(by, id)).await?;
    Ok(see_other(&Notice::InvitationRevoked.at(paths::INVITATIONS)))
}

#[cfg(test)]
impl InvitationRevokeView {
    pub(crate) fn sample() -> Self {
        let invitation = InvitationRow::sample("grace", super::State::Open);
        Self { frame: Frame::sample(), invitation }
    }
}

//! `/dashboard/security/factors/{id}/remove`: one second factor fewer, after a question.

use super::{FactorRow, FactorSection};
use crate::id::FactorId;
use crate::web::dashboard::Frame;
use crate::web::error::ErrorView;
use crate::web::extract::{Confirmed, PathId, RecentForm, SignedIn};
use crate::web::notice::{Done, Notice};
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::respond::see_other;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

/// `GET /dashboard/security/factors/{id}/remove`. Posts `form_token` to the same path.
#[derive(Debug, Template)]
#[template(path = "dashboard/second_factor/remove.html")]
pub struct FactorRemoveView {
    /// Around the page.
    pub frame: Frame,
    /// The factor.
    pub factor: FactorRow,
    /// Whether none is left then.
    pub is_last: bool,
    /// Whether the user must have one.
    pub demanded: bool,
}

/// The question.
pub async fn get(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PathId(id): PathId<FactorId>,
) -> Result<Response, Response> {
    let user = signed_in.user.clone();
    let factors = operate(&state, move |app| app.factors(&user)).await?;
    let FactorSection { rows, demanded, .. } = FactorSection::of(&factors, false, state.app.now());
    let is_last = rows.len() == 1;
    let factor = rows.into_iter().find(|row| row.id == id).ok_or_else(|| ErrorView::not_found().into_response())?;
    let frame = Frame::new(&state, &signed_in, Done(None));
    Ok(Page::new(FactorRemoveView { frame, factor, is_last, demanded }).into_response())
}

/// Removes it.
pub async fn post(
    State(state): State<WebState>,
    PathId(id): PathId<FactorId>,
    RecentForm(signed_in, _): RecentForm<Confirmed>,
) -> Result<Response, Response> {
    let user = signed_in.user.id;
    operate(&state, move |app| app.remove_factor(user, id)).await?;
    Ok(see_other(&Notice::FactorRemoved.at(paths::SECURITY)))
}

#[cfg(test)]
impl FactorRemoveView {
    pub(crate) fn sample() -> Self {
        Self { frame: Frame::sample(), factor: FactorRow::sample(), is_last: true, demanded: true }
    }
}

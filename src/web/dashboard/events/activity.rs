//! `/dashboard/activity`: what a person did, and what was done in their name or to their account.

use super::filter::{FilterForm, FilterQuery};
use super::rows::{Log, RefusalRow};
use crate::app::events::{KEPT, Kept, PAGE};
use crate::web::dashboard::Frame;
use crate::web::extract::{PageQuery, SignedIn};
use crate::web::notice::Done;
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

/// Refusals that the page shows at most.
const REFUSALS: usize = 10;

/// `GET /dashboard/activity`.
#[derive(Debug, Template)]
#[template(path = "dashboard/events/activity.html")]
pub struct ActivityView {
    /// Around the page.
    pub frame: Frame,
    /// What was refused of late, the newest first.
    pub refusals: Vec<RefusalRow>,
    /// How many of these are kept.
    pub kept: Kept,
    /// The form.
    pub form: FilterForm,
    /// The lines.
    pub log: Log,
}

/// The page.
pub async fn get(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PageQuery(query): PageQuery<FilterQuery>,
    notice: Done,
) -> Result<Response, Response> {
    let viewer = signed_in.user.id;
    let frame = Frame::new(&state, &signed_in, notice);
    let view = operate(&state, move |app| {
        let asked = query.judge(app, Some(viewer))?;
        let page = app.events(&asked.filter, asked.place, PAGE)?;
        let now = app.now();
        let refusals = app.refusals_of(viewer, REFUSALS)?;
        Ok(ActivityView {
            frame,
            refusals: refusals.iter().map(|told| RefusalRow::of(&told.refusal, &told.with, true, now)).collect(),
            kept: KEPT,
            form: query.form(app, false, asked.problem)?,
            log: Log::of(app, page, &query, paths::ACTIVITY, Some(viewer)),
        })
    });
    Ok(Page::new(view.await?).into_response())
}

#[cfg(test)]
impl ActivityView {
    pub(crate) fn sample() -> Self {
        let frame = Frame { is_admin: false, ..Frame::sample() };
        let kinds = super::all::sample_kinds();
        let form = FilterForm { kinds, servers: vec!["files".to_owned()], ..FilterForm::default() };
        let log = super::rows::samples::log(paths::ACTIVITY);
        Self { frame, refusals: super::rows::samples::refusals(true), kept: KEPT, form, log }
    }

    pub(crate) fn sample_empty() -> Self {
        let form = FilterForm { kinds: super::all::sample_kinds(), ..FilterForm::default() };
        let frame = Frame { is_admin: false, ..Frame::sample() };
        Self { frame, refusals: Vec::new(), kept: KEPT, form, log: Log::default() }
    }
}

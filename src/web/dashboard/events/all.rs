//! `/dashboard/events`: what anybody did, for admins.

use super::filter::{FilterForm, FilterQuery};
use super::rows::{ALL, Log, RefusalRow};
use crate::app::events::{KEPT, Kept, PAGE};
use crate::web::dashboard::Frame;
use crate::web::extract::{Admin, PageQuery};
use crate::web::notice::Done;
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

/// Refusals that the page shows at most.
const REFUSALS: usize = 20;

/// `GET /dashboard/events`.
#[derive(Debug, Template)]
#[template(path = "dashboard/events/all.html")]
pub struct EventsView {
    /// Around the page.
    pub frame: Frame,
    /// What was refused of late, the newest first.
    pub refusals: Vec<RefusalRow>,
    /// How many of these are kept.
    pub kept: Kept,
    /// How many came at a bad moment and are not listed.
    pub unlisted: u64,
    /// The form.
    pub form: FilterForm,
    /// The lines.
    pub log: Log,
    /// Where the same lines are as JSON.
    pub export: String,
}

/// The page.
pub async fn get(
    State(state): State<WebState>,
    Admin(admin): Admin,
    PageQuery(query): PageQuery<FilterQuery>,
    notice: Done,
) -> Result<Response, Response> {
    let frame = Frame::new(&state, &admin, notice);
    let view = operate(&state, move |app| {
        let asked = query.judge(app, None)?;
        let page = app.events(&asked.filter, asked.place, PAGE)?;
        let now = app.now();
        let refusals = app.refusals_of_all(REFUSALS)?;
        Ok(EventsView {
            frame,
            refusals: refusals.iter().map(|told| RefusalRow::of(&told.refusal, &told.with, false, now)).collect(),
            kept: KEPT,
            unlisted: app.live().calls().refusals.unlisted(),
            form: query.form(app, true, asked.problem)?,
            log: Log::of(app, page, &query, ALL, None),
            export: query.at(paths::EVENTS_EXPORT),
        })
    });
    Ok(Page::new(view.await?).into_response())
}

#[cfg(test)]
pub(super) fn sample_kinds() -> Vec<(&'static str, &'static str, bool)> {
    crate::event::EventClass::ALL.into_iter().map(|class| (class.keyword(), class.title(), false)).collect()
}

#[cfg(test)]
impl EventsView {
    pub(crate) fn sample() -> Self {
        let form = FilterForm {
            kinds: sample_kinds(),
            people: vec!["ada".to_owned(), "ben".to_owned()],
            clients: vec![("cli_1".to_owned(), "<script>alert(1)</script>".to_owned())],
            servers: vec!["files".to_owned()],
            ..FilterForm::default()
        };
        let log = super::rows::samples::log(ALL);
        let refusals = super::rows::samples::refusals(false);
        let export = paths::EVENTS_EXPORT.to_owned();
        Self { frame: Frame::sample(), refusals, kept: KEPT, unlisted: 12, form, log, export }
    }

    pub(crate) fn sample_filtered() -> Self {
        let form = FilterForm {
            kinds: sample_kinds(),
            person: "<i>nobody</i>".to_owned(),
            from: "yesterday".to_owned(),
            problem: Some("“From” must be a day such as 2026-11-23. It was left out.".to_owned()),
            is_active: true,
            ..FilterForm::default()
        };
        let looked_back_to = Some(crate::web::when::When::sample(-86_400 * 40));
        let log = Log { looked_back_to, older: Some(format!("{ALL}?at=v4.local.sample")), ..Log::default() };
        let export = format!("{}?person=x", paths::EVENTS_EXPORT);
        Self { frame: Frame::sample(), refusals: Vec::new(), kept: KEPT, unlisted: 0, form, log, export }
    }
}

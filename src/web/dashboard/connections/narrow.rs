//! `/dashboard/connections/{id}/narrow`: an app may do less than before.

use super::ConnectionRow;
use crate::app::App;
use crate::app::error::OperationError;
use crate::id::{GrantId, UserId};
use crate::oauth::scope::{self, OFFLINE_ACCESS, ScopeSet};
use crate::web::dashboard::Frame;
use crate::web::extract::{CsrfForm, PathId, SignedIn};
use crate::web::notice::{Done, Notice};
use crate::web::operate::{attempt, operate};
use crate::web::page::Page;
use crate::web::respond::{operation_error, see_other};
use crate::web::scopes::{Extent, ScopeRow};
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// `GET` and a refused `POST` of `/dashboard/connections/{id}/narrow`. Sends `form_token`, `extent` ([`Extent`]) and a
/// `scope` for each chosen one.
#[derive(Debug, Template)]
#[template(path = "dashboard/connections/narrow.html")]
pub struct ConnectionNarrowView {
    /// Around the page.
    pub frame: Frame,
    /// The connection.
    pub connection: ConnectionRow,
    /// Whether it may do everything, so that reading alone is a choice.
    pub everything: bool,
    /// The single scopes that can be left to it.
    pub rows: Vec<ScopeRow>,
    /// What is wrong with the choice, as a sentence.
    pub problem: Option<String>,
}

/// What the form sends.
#[derive(Deserialize)]
pub struct NarrowForm {
    extent: Extent,
    #[serde(default)]
    scope: Vec<String>,
}

/// Whether less than these scopes is something still.
pub(super) fn can_narrow(scopes: &ScopeSet) -> bool {
    scopes.contains(scope::MCP) || scopes.without(OFFLINE_ACCESS).len() > 1
}

/// The form.
pub async fn get(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PathId(id): PathId<GrantId>,
) -> Result<Response, Response> {
    let (frame, user) = (Frame::new(&state, &signed_in, Done(None)), signed_in.user.id);
    let view = operate(&state, move |app| ConnectionNarrowView::new(app, user, id, frame, None)).await?;
    Ok(Page::new(view).into_response())
}

/// Lowers it.
pub async fn post(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PathId(id): PathId<GrantId>,
    CsrfForm(form): CsrfForm<NarrowForm>,
) -> Result<Response, Response> {
    let (user, less) = (signed_in.user.id, form.extent.scopes(&form.scope));
    match attempt(&state, move |app| app.narrow_connection(user, id, &less)).await? {
        Ok(()) => Ok(see_other(&Notice::ConnectionNarrowed.at(paths::CONNECTIONS))),
        Err(OperationError::Invalid(why)) => {
            let frame = Frame::new(&state, &signed_in, Done(None));
            let view = operate(&state, move |app| ConnectionNarrowView::new(app, user, id, frame, Some(why))).await?;
            Ok(Page::new(view).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
        Err(error) => Err(operation_error(&error)),
    }
}

impl ConnectionNarrowView {
    fn new(
        app: &App,
        user: UserId,
        id: GrantId,
        frame: Frame,
        problem: Option<String>,
    ) -> Result<Self, OperationError> {
        let connection = app.connection(user, id)?;
        let (has, directory) = (connection.grant.scopes.clone(), app.live().servers());
        let server = directory.all().find(|server| server.resource == connection.grant.resource);
        let own_scopes = server.map(|server| server.rule.own_scopes()).unwrap_or_default();
        let everything = has.contains(scope::MCP);
        let mut rows = Vec::new();
        if has.satisfies(scope::MCP_READ) {
            rows.push(ScopeRow::new(scope::MCP_READ, None, true));
        }
        for own in own_scopes.iter().filter(|own| has.satisfies(own.name.as_str())) {
            rows.push(ScopeRow::new(own.name.as_str(), Some(own), !everything));
        }
        Ok(Self { frame, connection: ConnectionRow::of(app, connection)?, everything, rows, problem })
    }
}

#[cfg(test)]
impl ConnectionNarrowView {
    pub(crate) fn sample() -> Self {
        let rows = vec![ScopeRow::new(scope::MCP_READ, None, true), ScopeRow::sample("notes:write", false)];
        Self {
            frame: Frame::sample(),
            connection: ConnectionRow::sample_for_others(),
            everything: true,
            rows,
            problem: None,
        }
    }

    pub(crate) fn sample_refused() -> Self {
        let problem = Some("Choose less than the app may do now. To take back all of it, revoke the app.".to_owned());
        Self { everything: false, problem, ..Self::sample() }
    }
}

//! `/dashboard/groups/{name}/remove`: a group goes, after a question.

use super::{PathGroup, servers_of};
use crate::account::group::GroupName;
use crate::app::users::By;
use crate::web::dashboard::Frame;
use crate::web::extract::{Admin, Confirmed, CsrfForm};
use crate::web::notice::{Done, Notice};
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::respond::see_other;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

/// `GET /dashboard/groups/{name}/remove`. Posts `form_token` to the same path.
#[derive(Debug, Template)]
#[template(path = "dashboard/groups/remove.html")]
pub struct GroupRemoveView {
    /// Around the page.
    pub frame: Frame,
    /// Its name.
    pub name: GroupName,
    /// How many are in it.
    pub members: usize,
    /// The titles of the servers whose rules name it.
    pub servers: Vec<String>,
}

/// The question.
pub async fn get(
    State(state): State<WebState>,
    Admin(admin): Admin,
    PathGroup(name): PathGroup,
) -> Result<Response, Response> {
    let group = name.clone();
    let found = operate(&state, move |app| Ok((app.group(&group)?.1.len(), servers_of(app, &group))));
    let (members, servers) = found.await?;
    let view = GroupRemoveView { frame: Frame::new(&state, &admin, Done(None)), name, members, servers };
    Ok(Page::new(view).into_response())
}

/// Removes it.
pub async fn post(
    State(state): State<WebState>,
    Admin(admin): Admin,
    PathGroup(name): PathGroup,
    CsrfForm(_): CsrfForm<Confirmed>,
) -> Result<Response, Response> {
    let by = By::Admin(admin.user.id);
    operate(&state, move |app| app.remove_group(by, &name)).await?;
    Ok(see_other(&Notice::GroupRemoved.at(paths::GROUPS)))
}

#[cfg(test)]
impl GroupRemoveView {
    pub(crate) fn sample() -> Self {
        let name = GroupName::parse("writers").unwrap();
        Self { frame: Frame::sample(), name, members: 14, servers: vec!["Files".to_owned(), "Notes".to_owned()] }
    }
}

//! How does an admin keep the groups? A list where one is made, and a page for each with the people in it.

pub mod list;
pub mod group;
pub mod remove;

pub use group::GroupView;
pub use list::GroupsView;
pub use remove::GroupRemoveView;

use crate::account::group::GroupName;
use crate::app::App;
use crate::web::error::ErrorView;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

/// The group that the address names; what is no name of a group is no page.
#[derive(Debug, Clone)]
pub struct PathGroup(pub GroupName);

impl<S: Send + Sync> FromRequestParts<S> for PathGroup {
    type Rejection = ErrorView;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ErrorView> {
        let name = Path::<String>::from_request_parts(parts, state).await.ok();
        let name = name.and_then(|Path(name)| GroupName::parse(&name).ok().filter(|parsed| parsed.as_str() == name));
        name.map(Self).ok_or_else(ErrorView::not_found)
    }
}

/// The titles of the servers whose rules name a group.
fn servers_of(app: &App, name: &GroupName) -> Vec<String> {
    let servers = app.live().servers();
    let naming = servers.all().filter(|server| server.rule.named_groups().any(|own| own == name));
    naming.map(|server| server.title.clone()).collect()
}

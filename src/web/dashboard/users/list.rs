//! `/dashboard/users`: who has an account, by name, a page at a time.

use super::UserRow;
use crate::account::user::MAX_USERNAME;
use crate::web::dashboard::Frame;
use crate::web::extract::{Admin, PageQuery};
use crate::web::leaf::Leaf;
use crate::web::notice::Done;
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// `GET /dashboard/users?name=…&page=…`.
#[derive(Debug, Template)]
#[template(path = "dashboard/users/list.html")]
pub struct UsersView {
    /// Around the page.
    pub frame: Frame,
    /// By name.
    pub users: Vec<UserRow>,
    /// What their names contain.
    pub filter: String,
    /// How many there are with such names.
    pub matching: usize,
    /// Which page.
    pub leaf: Leaf,
}

/// What the address asks for.
#[derive(Deserialize)]
pub struct UsersQuery {
    #[serde(default)]
    name: String,
    #[serde(default)]
    page: String,
}

/// The list.
pub async fn get(
    State(state): State<WebState>,
    Admin(admin): Admin,
    notice: Done,
    PageQuery(query): PageQuery<UsersQuery>,
) -> Result<Response, Response> {
    let filter: String = query.name.trim().chars().take(2 * MAX_USERNAME).collect();
    let (wanted, page) = (filter.clone(), query.page.parse().unwrap_or(1));
    let list = operate(&state, move |app| app.users(&wanted, page)).await?;
    let now = state.app.now();
    let view = UsersView {
        frame: Frame::new(&state, &admin, notice),
        leaf: Leaf::of(list.page, list.pages, |page| paths::users_page(&filter, page)),
        users: list.entries.into_iter().map(|entry| UserRow::of(entry, now)).collect(),
        filter,
        matching: list.matching,
    };
    Ok(Page::new(view).into_response())
}

#[cfg(test)]
impl UsersView {
    pub(crate) fn sample() -> Self {
        let users = vec![
            UserRow { is_admin: true, groups: String::new(), ..UserRow::sample("ada") },
            UserRow { last_signed_in: None, tokens: 0, connections: 0, ..UserRow::sample("ben") },
            UserRow {
                disabled: Some(crate::web::when::When::sample(-86_400)),
                ..UserRow::sample("grace.brewster.murray.hopper+the-longest-name-of-all@example.org")
            },
        ];
        Self {
            frame: Frame::sample(),
            users,
            filter: String::new(),
            matching: 120,
            leaf: Leaf::of(2, 3, |page| paths::users_page("", page)),
        }
    }

    pub(crate) fn sample_none() -> Self {
        let filter = "\"><script>alert(1)</script>".to_owned();
        Self { users: Vec::new(), filter, matching: 0, leaf: Leaf::of(1, 1, |_| String::new()), ..Self::sample() }
    }
}

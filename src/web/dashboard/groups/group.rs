//! `/dashboard/groups/{name}`: one group: what it is for, who is in it, which servers name it.

use super::{PathGroup, servers_of};
use crate::account::group::{GroupName, parse_description};
use crate::account::user::MAX_USERNAME;
use crate::app::error::OperationError;
use crate::app::users::By;
use crate::id::UserId;
use crate::web::dashboard::Frame;
use crate::web::extract::{Admin, CsrfForm, RecentForm, SignedIn};
use crate::web::notice::{Done, Notice};
use crate::web::operate::{attempt, operate};
use crate::web::page::Page;
use crate::web::respond::{operation_error, see_other};
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// Members that the page shows.
const MOST_SHOWN: usize = 500;

/// `GET /dashboard/groups/{name}`, and a refused `POST` of one of its forms. One sends `form_token` and `description` to the
/// same path, one `form_token` and `username` to `…/add`, and one for each member `form_token` and `user` to `…/take-out`.
#[derive(Debug, Template)]
#[template(path = "dashboard/groups/group.html")]
pub struct GroupView {
    /// Around the page.
    pub frame: Frame,
    /// Its name.
    pub name: GroupName,
    /// What is written in the field of the description.
    pub description: String,
    /// What is wrong with it, as a sentence.
    pub description_problem: Option<String>,
    /// Who is in it, by name.
    pub members: Vec<Member>,
    /// How many are in it and not shown.
    pub more: usize,
    /// The titles of the servers whose rules name it.
    pub servers: Vec<String>,
    /// What is written in the field of a new member.
    pub username: String,
    /// What is wrong with it, as a sentence.
    pub username_problem: Option<String>,
}

/// Somebody in a group.
#[derive(Debug, Clone)]
pub struct Member {
    /// Their id.
    pub id: UserId,
    /// Their name.
    pub name: String,
    /// Nothing of theirs is accepted.
    pub is_disabled: bool,
}

/// The page.
pub async fn get(
    State(state): State<WebState>,
    Admin(admin): Admin,
    PathGroup(name): PathGroup,
    notice: Done,
) -> Result<Response, Response> {
    Ok(Page::new(GroupView::new(&state, &admin, name, notice).await?).into_response())
}

/// What the form of the description sends.
#[derive(Deserialize)]
pub struct DescriptionForm {
    #[serde(default)]
    description: String,
}

/// Describes it.
pub async fn post(
    State(state): State<WebState>,
    Admin(admin): Admin,
    PathGroup(name): PathGroup,
    CsrfForm(form): CsrfForm<DescriptionForm>,
) -> Result<Response, Response> {
    let by = By::Admin(admin.user.id);
    match parse_description(&form.description) {
        Ok(description) => {
            let group = name.clone();
            operate(&state, move |app| app.describe_group(by, &group, &description)).await?;
            Ok(see_other(&Notice::GroupChanged.at(&paths::group(&name))))
        }
        Err(problem) => {
            let view = GroupView::new(&state, &admin, name, Done(None)).await?;
            let description_problem = Some(problem.to_string());
            let view = GroupView { description: form.description, description_problem, ..view };
            Ok(Page::new(view).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
    }
}

/// What the form of a new member sends.
#[derive(Deserialize)]
pub struct AddForm {
    username: String,
}

/// Puts somebody into it.
pub async fn post_add(
    State(state): State<WebState>,
    _: Admin,
    PathGroup(name): PathGroup,
    RecentForm(admin, form): RecentForm<AddForm>,
) -> Result<Response, Response> {
    let by = By::Admin(admin.user.id);
    let (group, username) = (name.clone(), form.username.clone());
    match attempt(&state, move |app| app.add_to_group(by, &group, &username)).await? {
        Ok(_) => Ok(see_other(&Notice::GroupChanged.at(&paths::group(&name)))),
        Err(OperationError::Invalid(problem)) => {
            let view = GroupView::new(&state, &admin, name, Done(None)).await?;
            let username = form.username.chars().take(MAX_USERNAME).collect();
            let view = GroupView { username, username_problem: Some(problem), ..view };
            Ok(Page::new(view).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
        Err(error) => Err(operation_error(&error)),
    }
}

/// What the button beside a member sends.
#[derive(Deserialize)]
pub struct TakeOutForm {
    user: UserId,
}

/// Takes somebody out of it.
pub async fn post_take_out(
    State(state): State<WebState>,
    Admin(admin): Admin,
    PathGroup(name): PathGroup,
    CsrfForm(form): CsrfForm<TakeOutForm>,
) -> Result<Response, Response> {
    let (by, group) = (By::Admin(admin.user.id), name.clone());
    operate(&state, move |app| app.remove_from_group(by, &group, form.user)).await?;
    Ok(see_other(&Notice::GroupChanged.at(&paths::group(&name))))
}

impl GroupView {
    async fn new(state: &WebState, admin: &SignedIn, name: GroupName, notice: Done) -> Result<Self, Response> {
        let frame = Frame::new(state, admin, notice);
        let read = move |app: &crate::app::App| Ok((app.group(&name)?, servers_of(app, &name)));
        let ((group, users), servers) = operate(state, read).await?;
        let more = users.len().saturating_sub(MOST_SHOWN);
        let member = |user: crate::account::user::User| Member {
            id: user.id,
            is_disabled: user.is_disabled(),
            name: user.name.to_string(),
        };
        Ok(Self {
            frame,
            name: group.name,
            description: group.description,
            description_problem: None,
            members: users.into_iter().take(MOST_SHOWN).map(member).collect(),
            more,
            servers,
            username: String::new(),
            username_problem: None,
        })
    }
}

#[cfg(test)]
impl GroupView {
    pub(crate) fn sample() -> Self {
        let member = |byte, name: &str, is_disabled| {
            let id = UserId::from_bytes([byte; 16]);
            Member { id, name: name.to_owned(), is_disabled }
        };
        Self {
            frame: Frame::sample(),
            name: GroupName::parse("writers").unwrap(),
            description: "Who writes the docs".to_owned(),
            description_problem: None,
            members: vec![member(1, "ada", false), member(2, "grace.hopper@example.org", true)],
            more: 0,
            servers: vec!["Files".to_owned(), "<i>Notes</i>".to_owned()],
            username: String::new(),
            username_problem: None,
        }
    }

    pub(crate) fn sample_refused() -> Self {
        Self {
            description: "\"><script>alert(1)</script>".to_owned(),
            description_problem: Some("A description is one line of at most 200 characters.".to_owned()),
            members: Vec::new(),
            servers: Vec::new(),
            more: 3,
            username: "<script>".to_owned(),
            username_problem: Some("Nobody has this user name. Check it under Users.".to_owned()),
            ..Self::sample()
        }
    }
}

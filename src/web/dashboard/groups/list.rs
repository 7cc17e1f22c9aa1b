//! `/dashboard/groups`: the groups, and the form of a new one.

use super::servers_of;
use crate::account::group::{GroupName, parse_description};
use crate::app::App;
use crate::app::error::OperationError;
use crate::app::users::By;
use crate::web::dashboard::Frame;
use crate::web::extract::{Admin, CsrfForm, PageQuery, SignedIn};
use crate::web::leaf::{Leaf, LeafQuery};
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

/// `GET /dashboard/groups`, and a refused `POST` of it. Sends `form_token`, `name` and `description`.
#[derive(Debug, Template)]
#[template(path = "dashboard/groups/list.html")]
pub struct GroupsView {
    /// Around the page.
    pub frame: Frame,
    /// By name.
    pub groups: Vec<GroupRow>,
    /// Which page.
    pub leaf: Leaf,
    /// Names of groups that rules of servers name and that do not exist.
    pub missing: Vec<String>,
    /// What is written in the name field.
    pub name: String,
    /// What is wrong with it, as a sentence.
    pub name_problem: Option<String>,
    /// What is written in the field of the description.
    pub description: String,
    /// What is wrong with it, as a sentence.
    pub description_problem: Option<String>,
}

/// One group.
#[derive(Debug, Clone)]
pub struct GroupRow {
    /// Its name.
    pub name: GroupName,
    /// What it is for; may be empty.
    pub description: String,
    /// How many are in it.
    pub members: usize,
    /// The titles of the servers whose rules name it: "Files, Notes"; may be empty.
    pub servers: String,
}

/// The list.
pub async fn get(
    State(state): State<WebState>,
    Admin(admin): Admin,
    notice: Done,
    PageQuery(query): PageQuery<LeafQuery>,
) -> Result<Response, Response> {
    Ok(Page::new(GroupsView::new(&state, &admin, notice, &query).await?).into_response())
}

/// What the form sends.
#[derive(Clone, Deserialize)]
pub struct GroupForm {
    name: String,
    #[serde(default)]
    description: String,
}

/// Makes a group.
pub async fn post(
    State(state): State<WebState>,
    Admin(admin): Admin,
    CsrfForm(form): CsrfForm<GroupForm>,
) -> Result<Response, Response> {
    let by = By::Admin(admin.user.id);
    let (name, description) = (GroupName::parse(&form.name), parse_description(&form.description));
    let (name_problem, description_problem) = match (name, description) {
        (Ok(name), Ok(description)) => {
            let made = name.clone();
            match attempt(&state, move |app| app.create_group(by, &made, &description)).await? {
                Ok(()) => return Ok(see_other(&Notice::GroupMade.at(&paths::group(&name)))),
                Err(OperationError::Invalid(why) | OperationError::NameTaken(why)) => (Some(why), None),
                Err(error) => return Err(operation_error(&error)),
            }
        }
        (name, description) => (name.err().map(|why| why.to_string()), description.err().map(|why| why.to_string())),
    };
    let view = GroupsView::new(&state, &admin, Done(None), &LeafQuery::default()).await?;
    let (name, description) = (form.name, form.description);
    let view = GroupsView { name, name_problem, description, description_problem, ..view };
    Ok(Page::new(view).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

impl GroupsView {
    async fn new(state: &WebState, admin: &SignedIn, notice: Done, query: &LeafQuery) -> Result<Self, Response> {
        let frame = Frame::new(state, admin, notice);
        let (mut groups, missing) =
            operate(state, |app| Ok((GroupRow::all(app)?, app.unknown_groups_in_rules()?))).await?;
        let leaf = Leaf::turn(&mut groups, query, paths::GROUPS);
        let mut missing: Vec<_> = missing.into_iter().map(|(_, name)| name.to_string()).collect();
        missing.sort_unstable();
        missing.dedup();
        let (name, description) = (missing.first().cloned().unwrap_or_default(), String::new());
        Ok(Self { frame, groups, leaf, missing, name, name_problem: None, description, description_problem: None })
    }
}

impl GroupRow {
    fn all(app: &App) -> Result<Vec<Self>, OperationError> {
        let row = |entry: crate::app::groups::GroupEntry| Self {
            servers: servers_of(app, &entry.group.name).join(", "),
            name: entry.group.name,
            description: entry.group.description,
            members: entry.members,
        };
        Ok(app.groups()?.into_iter().map(row).collect())
    }
}

#[cfg(test)]
impl GroupsView {
    pub(crate) fn sample() -> Self {
        let row = |name: &str, description: &str, members, servers: &str| GroupRow {
            name: GroupName::parse(name).unwrap(),
            description: description.to_owned(),
            members,
            servers: servers.to_owned(),
        };
        let groups = vec![
            row("ops", "Who keeps <b>all</b> of it running", 2, ""),
            row("writers", "", 14, "Files, Notes"),
            row("a-group-with-a-name-as-long-as-names-of-groups-may-be-0123456789", "x", 1, "Files"),
        ];
        Self {
            frame: Frame::sample(),
            groups,
            leaf: Leaf::of(2, 3, |page| paths::leaf(paths::GROUPS, page)),
            missing: vec!["readers".to_owned()],
            name: "a b".to_owned(),
            name_problem: Some("A group’s name has 1 to 64 letters, digits or . _ -.".to_owned()),
            description: "\"><script>alert(1)</script>".to_owned(),
            description_problem: Some("A description is one line of at most 200 characters.".to_owned()),
        }
    }

    pub(crate) fn sample_empty() -> Self {
        Self {
            groups: Vec::new(),
            missing: Vec::new(),
            name: String::new(),
            name_problem: None,
            description: String::new(),
            description_problem: None,
            ..Self::sample()
        }
    }
}

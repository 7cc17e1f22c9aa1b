//! `/dashboard/users/{id}`: one person: role, groups, what they hold, and what can be done about it.

use super::{GroupChoice, RoleChoice, UserRow};
use crate::account::group::{GroupName, MAX_GROUPS_OF_USER};
use crate::app::App;
use crate::app::error::OperationError;
use crate::app::users::By;
use crate::id::UserId;
use crate::web::dashboard::Frame;
use crate::web::dashboard::connections::ConnectionRow;
use crate::web::dashboard::personal_tokens::TokenRow;
use crate::web::extract::{Admin, PathId, RecentForm, SignedIn};
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

/// Tokens, and apps, that the page shows; all stand on the page of everybody's.
pub const SHOWN: usize = 8;

/// `GET /dashboard/users/{id}`, and a refused `POST` of it. Sends `form_token`, `role` (`admin` or `member`) and any number
/// of `group`.
#[derive(Debug, Template)]
#[template(path = "dashboard/users/user.html")]
pub struct UserView {
    /// Around the page.
    pub frame: Frame,
    /// The person.
    pub user: UserRow,
    /// Whether it is the one who looks.
    pub is_self: bool,
    /// All groups, and which they are in.
    pub groups: Vec<GroupChoice>,
    /// Their second factors in a few words, if they have one.
    pub second_factor: Option<String>,
    /// In how many browsers they are signed in.
    pub sessions: usize,
    /// Their tokens that work, the one that ends first before the others; [`SHOWN`] at most.
    pub tokens: Vec<TokenRow>,
    /// Their connected apps, the newest first; [`SHOWN`] at most.
    pub connections: Vec<ConnectionRow>,
    /// How many tokens and apps are not shown.
    pub more: (usize, usize),
    /// Why the last change was not made, as a sentence.
    pub problem: Option<String>,
}

/// The page.
pub async fn get(
    State(state): State<WebState>,
    Admin(admin): Admin,
    PathId(id): PathId<UserId>,
    notice: Done,
) -> Result<Response, Response> {
    Ok(Page::new(UserView::new(&state, &admin, id, notice).await?).into_response())
}

/// What the form sends.
#[derive(Deserialize)]
pub struct UserForm {
    role: RoleChoice,
    #[serde(default)]
    group: Vec<String>,
}

/// Gives them their role and groups.
pub async fn post(
    State(state): State<WebState>,
    _: Admin,
    PathId(id): PathId<UserId>,
    RecentForm(admin, form): RecentForm<UserForm>,
) -> Result<Response, Response> {
    let by = By::Admin(admin.user.id);
    let groups = read_groups(&form.group);
    let changed = attempt(&state, move |app| app.change_user(by, id, form.role.into(), &groups?)).await?;
    match changed {
        Ok(()) => Ok(see_other(&Notice::UserChanged.at(&paths::user(&id)))),
        Err(OperationError::Invalid(problem)) => {
            let view = UserView::new(&state, &admin, id, Done(None)).await?;
            let view = UserView { problem: Some(problem), ..view };
            Ok(Page::new(view).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
        Err(error) => Err(operation_error(&error)),
    }
}

/// The groups that a form names.
pub(in crate::web::dashboard) fn read_groups(names: &[String]) -> Result<Vec<GroupName>, OperationError> {
    let read = |name: &String| GroupName::parse(name).map_err(OperationError::invalid);
    names.iter().take(MAX_GROUPS_OF_USER + 1).map(read).collect()
}

impl UserView {
    async fn new(state: &WebState, admin: &SignedIn, id: UserId, notice: Done) -> Result<Self, Response> {
        let (frame, is_self) = (Frame::new(state, admin, notice), admin.user.id == id);
        operate(state, move |app| Self::read(app, id, frame, is_self)).await
    }

    fn read(app: &App, id: UserId, frame: Frame, is_self: bool) -> Result<Self, OperationError> {
        let (now, servers) = (app.now(), app.live().servers());
        let entry = app.user_entry(id)?;
        let ((tokens, all_tokens), connections) = (app.live_personal_tokens(id, SHOWN)?, app.connections(id)?);
        let more = (all_tokens.saturating_sub(SHOWN), connections.len().saturating_sub(SHOWN));
        let connections = connections.into_iter().take(SHOWN);
        Ok(Self {
            groups: GroupChoice::all(app.group_names()?, &entry.user.groups),
            second_factor: app.factors(&entry.user)?.in_words(),
            sessions: app.session_count(&entry.user)?,
            tokens: tokens.into_iter().map(|entry| TokenRow::of(entry, &servers, now)).collect(),
            connections: connections.map(|connection| ConnectionRow::of(app, connection)).collect::<Result<_, _>>()?,
            user: UserRow::of(entry, now),
            more,
            frame,
            is_self,
            problem: None,
        })
    }
}

#[cfg(test)]
impl UserView {
    pub(crate) fn sample() -> Self {
        use crate::web::dashboard::personal_tokens;
        Self {
            frame: Frame::sample(),
            user: UserRow::sample("ben"),
            is_self: false,
            groups: GroupChoice::samples(),
            second_factor: Some("an authenticator app, 8 recovery codes left".to_owned()),
            sessions: 2,
            tokens: vec![TokenRow::sample("<b>Laptop</b>", 300, personal_tokens::TokenState::Active)],
            connections: vec![ConnectionRow::sample_for_others()],
            more: (12, 0),
            problem: None,
        }
    }

    pub(crate) fn sample_disabled() -> Self {
        let user = UserRow {
            disabled: Some(crate::web::when::When::sample(-86_400 * 2)),
            last_signed_in: None,
            groups: String::new(),
            ..UserRow::sample("grace.brewster.murray.hopper+the-longest-name-of-all@example.org")
        };
        Self {
            user,
            groups: Vec::new(),
            second_factor: None,
            sessions: 0,
            tokens: Vec::new(),
            connections: Vec::new(),
            more: (0, 0),
            ..Self::sample()
        }
    }

    pub(crate) fn sample_self() -> Self {
        Self {
            user: UserRow { is_admin: true, ..UserRow::sample("ada") },
            is_self: true,
            problem: Some("ada is the only admin who can sign in. Make somebody else an admin first.".to_owned()),
            ..Self::sample()
        }
    }
}

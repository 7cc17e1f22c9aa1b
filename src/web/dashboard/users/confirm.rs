//! `/dashboard/users/{id}/disable` and its siblings: a question that names the person, and the deed.

use super::UserRow;
use crate::account::user::User;
use crate::app::App;
use crate::app::error::OperationError;
use crate::app::users::By;
use crate::id::UserId;
use crate::web::dashboard::Frame;
use crate::web::extract::{Admin, Confirmed, PathId, RecentForm, SignedIn};
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
use axum::routing::{MethodRouter, get};

/// What is done to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Nothing of theirs is accepted any more.
    Disable,
    /// They may come back.
    Enable,
    /// Every browser of theirs is signed out.
    SignOut,
    /// All their tokens and connected apps are revoked.
    RevokeAll,
    /// Their second factors are removed.
    ResetFactors,
    /// They go, for good.
    Delete,
}

/// `GET` and a refused `POST` of the path of an act. Posts `form_token` to the same path.
#[derive(Debug, Template)]
#[template(path = "dashboard/users/confirm.html")]
pub struct UserConfirmView {
    /// Around the page.
    pub frame: Frame,
    /// What would be done.
    pub act: Act,
    /// To whom.
    pub user: UserRow,
    /// Whether it is the one who asks.
    pub is_self: bool,
    /// In how many browsers they are signed in.
    pub sessions: usize,
    /// Why it was not done, as a sentence.
    pub problem: Option<String>,
}

/// The page of an act: the question and the deed.
pub fn page(act: Act) -> MethodRouter<WebState> {
    get(move |state: State<WebState>, admin: Admin, id: PathId<UserId>| ask(act, state, admin, id)).post(
        move |state: State<WebState>, _: Admin, id: PathId<UserId>, form: RecentForm<Confirmed>| {
            do_it(act, state, id, form)
        },
    )
}

async fn ask(
    act: Act,
    State(state): State<WebState>,
    Admin(admin): Admin,
    PathId(id): PathId<UserId>,
) -> Result<Response, Response> {
    Ok(Page::new(UserConfirmView::new(&state, &admin, act, id).await?).into_response())
}

async fn do_it(
    act: Act,
    State(state): State<WebState>,
    PathId(id): PathId<UserId>,
    RecentForm(admin, _): RecentForm<Confirmed>,
) -> Result<Response, Response> {
    let by = By::Admin(admin.user.id);
    match attempt(&state, move |app| act.perform(app, by, id)).await? {
        Ok(()) if act == Act::Delete => Ok(see_other(&act.notice().at(paths::USERS))),
        Ok(()) => Ok(see_other(&act.notice().at(&paths::user(&id)))),
        Err(OperationError::Invalid(problem)) => {
            let view = UserConfirmView::new(&state, &admin, act, id).await?;
            let view = UserConfirmView { problem: Some(problem), ..view };
            Ok(Page::new(view).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
        Err(error) => Err(operation_error(&error)),
    }
}

impl Act {
    fn perform(self, app: &App, by: By, id: UserId) -> Result<(), OperationError> {
        match self {
            Self::Disable => app.disable_user(by, id),
            Self::Enable => app.enable_user(by, id),
            Self::SignOut => app.end_sessions_of(by, id).map(drop),
            Self::RevokeAll => app.revoke_everything_of(by, id).map(drop),
            Self::ResetFactors => app.reset_factors(by, id),
            Self::Delete => app.delete_user(by, id),
        }
    }

    const fn notice(self) -> Notice {
        match self {
            Self::Disable => Notice::UserDisabled,
            Self::Enable => Notice::UserEnabled,
            Self::SignOut => Notice::UserSignedOut,
            Self::RevokeAll => Notice::UserRevoked,
            Self::ResetFactors => Notice::UserFactorsReset,
            Self::Delete => Notice::UserDeleted,
        }
    }

    /// Whether something ends by it.
    fn ends(self) -> bool {
        self != Self::Enable
    }

    fn path(self, id: &UserId) -> String {
        match self {
            Self::Disable => paths::user_disable(id),
            Self::Enable => paths::user_enable(id),
            Self::SignOut => paths::user_sign_out(id),
            Self::RevokeAll => paths::user_revoke_all(id),
            Self::ResetFactors => paths::user_reset_factors(id),
            Self::Delete => paths::user_delete(id),
        }
    }
}

impl UserConfirmView {
    async fn new(state: &WebState, admin: &SignedIn, act: Act, id: UserId) -> Result<Self, Response> {
        let read = move |app: &App| {
            let entry = app.user_entry(id)?;
            let user: &User = &entry.user;
            Ok((app.session_count(user)?, entry))
        };
        let (sessions, entry) = operate(state, read).await?;
        let (frame, is_self) = (Frame::new(state, admin, Done(None)), admin.user.id == id);
        Ok(Self { frame, act, user: UserRow::of(entry, state.app.now()), is_self, sessions, problem: None })
    }
}

#[cfg(test)]
impl UserConfirmView {
    pub(crate) fn sample(act: Act) -> Self {
        let user = UserRow::sample("ben");
        Self { frame: Frame::sample(), act, user, is_self: false, sessions: 2, problem: None }
    }

    pub(crate) fn sample_refused() -> Self {
        let problem = "ada is the only admin who can sign in. Make somebody else an admin first.".to_owned();
        let user = UserRow { is_admin: true, ..UserRow::sample("ada") };
        Self { user, is_self: true, problem: Some(problem), ..Self::sample(Act::Delete) }
    }
}

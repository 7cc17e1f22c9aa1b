//! How is a request done? By one operation each, on a running server and on the opened data of a stopped one alike, and
//! told in the same words.

use crate::account::password::readable_password;
use crate::account::user::{User, Username};
use crate::app::App;
use crate::app::error::OperationError;
use crate::app::origin::{self, Origin};
use crate::app::users::{By, USERS_PER_PAGE, UserEntry};
use crate::clock::Timestamp;
use crate::control::request::{Answer, Request};
use crate::keys::KeyState;
use crate::web::when::When;

/// Most pages of users that are listed: whatever their names and groups are, they fit into an answer.
const MOST_PAGES: usize = 100;

/// Does it: durable and in force when this returns. The text is whole lines for a person. Blocks.
pub fn perform(request: &Request, app: &App) -> Result<String, OperationError> {
    let _behalf = origin::enter(Origin::CommandLine);
    match request {
        Request::ResetPassword { name } => {
            let password = readable_password(app.entropy());
            app.reset_password(name, &password)?;
            Ok(format!("The new password of {name} is {password}. Sign in and change it.\n"))
        }
        Request::ResetLink { name } => {
            let user = called(app, name)?;
            let link = app.password_reset_url(&app.make_password_reset(By::CommandLine, user.id)?);
            Ok(format!(
                "With this link {} sets a new password. It works once, for 24 hours.\n\n    {link}\n\n",
                user.name
            ))
        }
        Request::ListUsers => list_users(app),
        Request::ResetFactors { name } => {
            let user = called(app, name)?;
            app.reset_factors(By::CommandLine, user.id)?;
            Ok(format!("{} has no second factor any more and is signed out everywhere.\n", user.name))
        }
        Request::DisableUser { name } => {
            let user = called(app, name)?;
            app.disable_user(By::CommandLine, user.id)?;
            Ok(format!("{} is disabled. Nothing of theirs is accepted any more.\n", user.name))
        }
        Request::EnableUser { name } => {
            let user = called(app, name)?;
            app.enable_user(By::CommandLine, user.id)?;
            Ok(format!("{} is enabled. Tokens and apps that were not revoked work again.\n", user.name))
        }
        Request::RevokeToken { id } => {
            let token = app.revoke_anyones_personal_token(*id)?;
            Ok(format!("The token {id} ({}) is revoked.\n", token.name))
        }
        Request::ListKeys => {
            let now = app.now();
            let keys = app.signing_keys()?;
            let lines: Vec<_> = keys.iter().map(|key| format!("{}  {}\n", key.id, describe(key.state, now))).collect();
            Ok(lines.concat())
        }
        Request::RotateKeys => {
            app.rotate_signing_keys()?;
            Ok("The next key signs from now on. What the earlier one signed stays good.\n".to_owned())
        }
        Request::CondemnKey { id } => {
            app.condemn_signing_key(*id)?;
            Ok(format!("Nothing that {id} signed is accepted any more.\n"))
        }
    }
}

impl From<Result<String, OperationError>> for Answer {
    fn from(done: Result<String, OperationError>) -> Self {
        match done {
            Ok(text) => Self::Done(text),
            Err(error) => Self::Refused(error.with_causes()),
        }
    }
}

fn called(app: &App, name: &Username) -> Result<User, OperationError> {
    app.user_called(&name.canonical())?.ok_or(OperationError::NotFound("user"))
}

/// A line for each: name, role, state, groups.
fn list_users(app: &App) -> Result<String, OperationError> {
    let mut lines = Vec::new();
    for page in 1.. {
        let list = app.users("", page)?;
        for UserEntry { user, .. } in &list.entries {
            let role = if user.is_admin() { "admin" } else { "member" };
            let state = if user.is_disabled() { ", disabled" } else { "" };
            let groups = user.groups.iter().map(|group| format!(" @{group}")).collect::<Vec<_>>().concat();
            lines.push(format!("{}  {role}{state}{groups}\n", user.name));
        }
        let left = list.matching.saturating_sub(page * USERS_PER_PAGE);
        if left == 0 {
            break;
        }
        if page == MOST_PAGES {
            lines.push(format!("and {left} more\n"));
            break;
        }
    }
    Ok(lines.concat())
}

fn describe(state: KeyState, now: Timestamp) -> String {
    let when = |at| When::new(at, now).words().to_owned();
    match state {
        KeyState::Next => "next: published, and signing later".to_owned(),
        KeyState::Active { since } => format!("active: signing since {}", when(since)),
        KeyState::Retired { since, verifies_until } => {
            format!("retired: signed until {}, verifies until {}", when(since), When::new(verifies_until, now).day())
        }
        KeyState::Condemned { since } => format!("condemned: {}", when(since)),
    }
}

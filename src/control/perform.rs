//! How is a request done? By one operation each, on a running server and on the opened data of a stopped one alike, and
//! told in the same words.

use crate::account::password::readable_password;
use crate::app::App;
use crate::app::error::OperationError;
use crate::clock::Timestamp;
use crate::control::request::{Answer, Request};
use crate::keys::KeyState;
use crate::web::when::When;

/// Does it: durable and in force when this returns. The text is whole lines for a person. Blocks.
pub fn perform(request: &Request, app: &App) -> Result<String, OperationError> {
    match request {
        Request::ResetPassword { name } => {
            let password = readable_password(app.entropy());
            app.reset_password(name, &password)?;
            Ok(format!("The new password of {name} is {password}. Sign in and change it.\n"))
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

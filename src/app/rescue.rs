//! What can whoever holds the data directory do when nobody can sign in, or a token has leaked?
//!
//! [`crate::control`] asks for these, with no session behind them: the file system has decided who may.

use crate::account::password::NewPassword;
use crate::account::personal_token::PersonalToken;
use crate::account::user::{User, Username};
use crate::app::App;
use crate::app::error::OperationError;
use crate::app::password_resets::remove_password_reset_of;
use crate::app::sign_in::remove_sessions_of;
use crate::event::{Event, EventKind};
use crate::id::{TokenId, UserId};
use crate::store::Reads;
use crate::store::tables::{PERSONAL_TOKENS, USER_NAMES, USERS};

impl App {
    /// Sets the password of the user called `name`; every session of theirs is over.
    pub fn reset_password(&self, name: &Username, new: &str) -> Result<UserId, OperationError> {
        let name = name.canonical();
        let password = NewPassword::parse(new, &name).map_err(OperationError::invalid)?.hash(&*self.entropy);
        let (now, pen) = (self.now(), self.pen());
        let user = self.store.write(move |tx| {
            let id = tx.get(USER_NAMES, &name)?.ok_or(OperationError::NotFound("user"))?;
            let changed = tx.change(USERS, &id, |user: &mut User| {
                user.password = password;
                user.password_set_at = now;
            })?;
            changed.ok_or(OperationError::NotFound("user"))?;
            // Their times alone would not do where the clock was set back.
            remove_sessions_of(tx, id)?;
            remove_password_reset_of(tx, id)?;
            pen.write_telling(tx, Event::of(EventKind::PasswordReset).about(id), id)?;
            Ok::<_, OperationError>(id)
        })?;
        self.forget_wrong_codes(user);
        tracing::warn!(user = %user, "password reset from the command line");
        Ok(user)
    }

    /// Revokes a personal token, whoever owns it: see [`App::revoke_personal_token`].
    pub fn revoke_anyones_personal_token(&self, id: TokenId) -> Result<PersonalToken, OperationError> {
        let found = self.store.read(|tx| tx.get(PERSONAL_TOKENS, &id).map_err(OperationError::from))?;
        let owner = found.ok_or(OperationError::NotFound("token"))?.owner;
        self.revoke_personal_token(owner, id)
    }
}

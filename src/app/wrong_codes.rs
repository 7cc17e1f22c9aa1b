//! How often may somebody guess a code? As often as a password; and after [`MANY_CODES`] wrong ones in a row ever more seldom,
//! down to once an hour.
//!
//! Six digits are found in the end by whoever may go on trying, and who is asked for a code has given the password or holds a
//! session. So the owner of the account is told. They are not locked out by it: what nobody guesses does not wait for
//! this (recovery codes, passkeys), nor does a browser that has signed in to the account before, which is counted apart as for
//! passwords. A new password clears the slate, since it shuts out who guessed,
//! and so does an admin who takes the factors away.

use crate::account::factor::TypedCode;
use crate::app::error::OperationError;
use crate::app::{App, Caller};
use crate::clock::Timestamp;
use crate::event::{Event, EventKind};
use crate::id::UserId;

/// Wrong codes in a row after which the next ones wait.
pub(super) const MANY_CODES: u32 = 20;

/// A code that is being looked at.
pub(super) struct CodeTry {
    user: UserId,
    account: String,
    /// How many in a row with this one, if it is one of those that wait.
    in_a_row: Option<u32>,
}

impl App {
    /// Counts a try, or says how long it must wait: a code of `user`, whose canonical name is `account`.
    pub(super) fn begin_code(
        &self,
        user: UserId,
        account: &str,
        code: &TypedCode,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<CodeTry, OperationError> {
        let is_guess = matches!(code, TypedCode::Totp(_)) && !caller.is_known_to(account);
        let in_a_row = self.begin_guess(account, user, is_guess, caller, now)?;
        Ok(CodeTry { user, account: account.to_owned(), in_a_row })
    }

    /// Says what came of it.
    pub(super) fn end_code<T>(
        &self,
        this: &CodeTry,
        outcome: Result<T, OperationError>,
        caller: &Caller,
    ) -> Result<T, OperationError> {
        match &outcome {
            Ok(_) => {
                if this.in_a_row.is_some() {
                    self.forget_wrong_codes(this.user);
                }
                self.end_attempt(&this.account, caller);
            }
            Err(OperationError::Invalid(_)) => {
                tracing::info!(user = %this.user, address = caller.address.map(display), "wrong code of a second factor");
                self.repeats.count(EventKind::FactorFailed, Some(this.user), caller.address);
                if this.in_a_row == Some(MANY_CODES) {
                    self.tell_of_wrong_codes(this.user, caller);
                }
            }
            Err(_) => {}
        }
        outcome
    }

    /// Codes of this user are taken at once again.
    pub(super) fn forget_wrong_codes(&self, user: UserId) {
        self.throttles().codes_by_user.succeeded(&user);
    }

    fn tell_of_wrong_codes(&self, user: UserId, caller: &Caller) {
        let (pen, event) = (self.pen(), Event::of(EventKind::CodesSlowed).about(user).from(caller.address));
        let told = self.store.write(move |tx| pen.write_for(tx, event, user).map_err(OperationError::from));
        tracing::warn!(%user, address = caller.address.map(display), "many wrong codes in a row");
        if let Err(error) = told {
            tracing::warn!(%user, error = error.with_causes(), "the owner of the account could not be told");
        }
    }
}

//! How does somebody come in again who has forgotten the password? With a one-time link that an admin, or whoever holds the
//! data directory, makes for them.
//!
//! Setting the password and using the link up are one transaction. Every session of the user ends; personal tokens and
//! connected apps keep working, as with every change of a password.

use crate::account::password::NewPassword;
use crate::account::password_reset::{PasswordReset, RESET_LIFE};
use crate::account::user::{User, Username};
use crate::app::App;
use crate::app::error::OperationError;
use crate::app::sign_in::remove_sessions_of;
use crate::app::users::{By, require};
use crate::clock::Timestamp;
use crate::event::{Event, EventKind};
use crate::id::UserId;
use crate::secret::{PlainToken, PlainTokenKind, TokenDigest};
use crate::store::tables::{PASSWORD_RESET_OF, PASSWORD_RESETS, USERS};
use crate::store::{Reads, WriteTx};

impl App {
    /// Makes the link of a user and returns its secret; an earlier link of theirs is void from then on.
    pub fn make_password_reset(&self, by: By, id: UserId) -> Result<PlainToken, OperationError> {
        let now = self.now();
        let secret = PlainToken::generate(PlainTokenKind::PasswordReset, &*self.entropy);
        let digest = secret.digest();
        let made_by = match by {
            By::Admin(id) => Some(id),
            By::CommandLine => None,
        };
        let row = PasswordReset { user: id, made_by, made_at: now, expires_at: now + RESET_LIFE };
        let pen = self.pen();
        self.store.write(move |tx| {
            require(tx, by)?;
            let user = tx.get(USERS, &id)?.ok_or(OperationError::NotFound("user"))?;
            if user.is_disabled() {
                let text =
                    format!("{} is disabled and could not sign in with a new password. Enable them first.", user.name);
                return Err(OperationError::Invalid(text));
            }
            remove_password_reset_of(tx, id)?;
            tx.put(PASSWORD_RESETS, &digest, &row)?;
            pen.write_by_telling(tx, by, Event::of(EventKind::ResetLinkMade).about(id), id)?;
            Ok::<_, OperationError>(tx.put(PASSWORD_RESET_OF, &id, &digest)?)
        })?;
        tracing::warn!(user = %id, ?by, "link to a new password made");
        Ok(secret)
    }

    /// Where to open the link with this secret.
    pub fn password_reset_url(&self, secret: &PlainToken) -> String {
        self.options.issuer.join(&format!("/reset?secret={}", secret.expose()))
    }

    /// Whose password may be set with this secret.
    pub fn password_reset_for(&self, secret: &str) -> Result<Option<Username>, OperationError> {
        let (now, presented) = (self.now(), TokenDigest::of(secret));
        self.store.read(|tx| Ok(standing(tx, presented, now)?.map(|user| user.name)))
    }

    /// Sets the password of the user whose link has this secret; their sessions end, and the link is used up.
    pub fn set_password_by_link(&self, secret: &str, new: &str) -> Result<UserId, OperationError> {
        let (now, presented) = (self.now(), TokenDigest::of(secret));
        let gone = || OperationError::NotFound("link");
        let name = self.password_reset_for(secret)?.ok_or_else(gone)?.canonical();
        let password = NewPassword::parse(new, &name).map_err(OperationError::invalid)?.hash(&*self.entropy);
        let pen = self.pen();
        let id = self.store.write(move |tx| {
            let user = standing(tx, presented, now)?.ok_or_else(gone)?;
            let id = user.id;
            tx.put(USERS, &id, &User { password, password_set_at: now, ..user })?;
            remove_sessions_of(tx, id)?;
            remove_password_reset_of(tx, id)?;
            pen.write(tx, Event::of(EventKind::PasswordReset).by(id).about(id))?;
            Ok::<_, OperationError>(id)
        })?;
        self.forget_wrong_codes(id);
        tracing::warn!(user = %id, "password set by link");
        Ok(id)
    }
}

/// The user whose link has this secret, if it stands.
fn standing(tx: &impl Reads, presented: TokenDigest, now: Timestamp) -> Result<Option<User>, OperationError> {
    let Some(row) = tx.get(PASSWORD_RESETS, &presented)? else { return Ok(None) };
    let maker = match row.made_by {
        Some(by) => tx.get(USERS, &by)?,
        None => None,
    };
    Ok(tx.get(USERS, &row.user)?.filter(|user| row.is_good_for(user, maker.as_ref(), now)))
}

/// Voids the link of a user.
pub(super) fn remove_password_reset_of(tx: &mut WriteTx, id: UserId) -> Result<(), OperationError> {
    if let Some(digest) = tx.take(PASSWORD_RESET_OF, &id)? {
        tx.remove(PASSWORD_RESETS, &digest)?;
    }
    Ok(())
}

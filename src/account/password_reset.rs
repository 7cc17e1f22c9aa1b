//! Who may set a new password without the old one? Whoever has the one-time link that was made for the user.
//!
//! A user has one such link at most, kept under the digest of its secret; it goes when it is used, when another is made,
//! and with every other change of the password. Made by an admin, it stands as long as its maker may administer.

use crate::account::user::User;
use crate::clock::{Timestamp, hours};
use crate::id::UserId;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a link stands.
pub const RESET_LIFE: Duration = hours(24);

/// A one-time link to a new password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordReset {
    /// Whose password.
    pub user: UserId,
    /// The admin who made it; nobody if it was made on the command line.
    pub made_by: Option<UserId>,
    /// When.
    pub made_at: Timestamp,
    /// From when on it is no good.
    pub expires_at: Timestamp,
}

impl PasswordReset {
    /// Whether it stands at `now` for `user`, made by `maker` if that was an admin who still exists.
    pub fn is_good_for(&self, user: &User, maker: Option<&User>, now: Timestamp) -> bool {
        let made_well = self.made_by.is_none() || maker.is_some_and(User::is_acting_admin);
        self.user == user.id && !user.is_disabled() && made_well && now < self.expires_at
    }
}

//! Whose password was right at this browser, while the second factor is still missing?
//!
//! This is no session: it has an id, a cookie and a table of its own, and only the page that asks for the second factor takes
//! it. It lasts five minutes and ends with everything that ends sessions. Giving the factor removes it and makes a session
//! with a new id.

use crate::account::user::User;
use crate::clock::{Timestamp, minutes};
use crate::id::{HalfSessionId, UserId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long the second factor may take.
pub const HALF_SESSION_LIFE: Duration = minutes(5);
/// How far ahead of the clock one may have begun: clocks of two threads differ a little.
const AHEAD: Duration = minutes(1);

/// A sign-in whose second factor is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HalfSession {
    /// When the password was given.
    pub began_at: Timestamp,
}

/// What the cookie of a half-signed-in browser says, and under what the row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HalfSessionKey {
    /// Whose password it was.
    pub user: UserId,
    /// Which of theirs.
    pub id: HalfSessionId,
}

impl HalfSession {
    /// Whether `user` may still give the factor at `now`.
    pub fn is_good_for(&self, user: &User, now: Timestamp) -> bool {
        !user.is_disabled() && self.began_at >= user.password_set_at && !self.is_over(now)
    }

    /// Its time is over, or it is from a time that the clock has been set back to before.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.began_at + HALF_SESSION_LIFE <= now || self.began_at > now + AHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::password::PasswordHash;
    use crate::account::user::{Role, Username};

    #[test]
    fn it_lasts_five_minutes_and_not_beyond_a_new_password_or_the_end_of_the_account() {
        let at = |seconds: u64| Timestamp::from_unix_seconds(1_790_000_000 + seconds);
        let user = User {
            id: UserId::from_bytes([1; 16]),
            name: Username::parse("ada").unwrap(),
            role: Role::Member,
            password: PasswordHash::nobody(),
            created_at: at(0),
            password_set_at: at(100),
            disabled_at: None,
            groups: Vec::new(),
            last_signed_in_at: None,
        };
        let half = HalfSession { began_at: at(100) };
        assert!(half.is_good_for(&user, at(100)) && half.is_good_for(&user, at(399)));
        assert!(!half.is_good_for(&user, at(400)));
        assert!(!half.is_good_for(&user, at(0)), "the clock was set back");
        assert!(!half.is_good_for(&User { disabled_at: Some(at(101)), ..user.clone() }, at(102)));
        assert!(!half.is_good_for(&User { password_set_at: at(101), ..user }, at(102)));
    }
}

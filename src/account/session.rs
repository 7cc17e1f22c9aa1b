//! Which browser is signed in, as whom, since when?
//!
//! A session is a row; the browser holds only a sealed cookie that names it. It ends by signing out, after
//! [`SessionPolicy::idle`] without a visit, after [`SessionPolicy::longest`], when its user is disabled or sets a new
//! password elsewhere. Every rise of privilege makes a new session id (the old row goes in the same transaction).

use crate::account::user::User;
use crate::clock::{Timestamp, days, minutes};
use crate::id::{SessionId, UserId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long sessions last.
#[derive(Debug, Clone, Copy)]
pub struct SessionPolicy {
    /// Without a visit; 14 days by default.
    pub idle: Duration,
    /// From signing in; 90 days by default.
    pub longest: Duration,
    /// The last visit is written at most this often; 5 minutes.
    pub touch_every: Duration,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self { idle: days(14), longest: days(90), touch_every: minutes(5) }
    }
}

/// A browser's signed-in state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// What the cookie names.
    pub id: SessionId,
    /// Who is signed in.
    pub user: UserId,
    /// When they gave their password.
    pub signed_in_at: Timestamp,
    /// Last visit, to within [`SessionPolicy::touch_every`].
    pub seen_at: Timestamp,
    /// Address of the browser at sign-in.
    pub address: String,
    /// The browser's `User-Agent` at sign-in, shortened.
    pub user_agent: String,
}

impl Session {
    /// Whether it still stands for `user` at `now`.
    pub fn is_good_for(&self, user: &User, now: Timestamp, policy: &SessionPolicy) -> bool {
        self.user == user.id
            && !user.is_disabled()
            && self.signed_in_at >= user.password_set_at
            && now < self.expires_at(policy)
    }

    /// When it ends if nobody comes.
    pub fn expires_at(&self, policy: &SessionPolicy) -> Timestamp {
        (self.seen_at + policy.idle).min(self.signed_in_at + policy.longest)
    }

    /// The last visit should be written again.
    pub fn wants_touch(&self, now: Timestamp, policy: &SessionPolicy) -> bool {
        now.since(self.seen_at) >= policy.touch_every
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::password::PasswordHash;
    use crate::account::user::{Role, Username};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_seconds(1_790_000_000 + seconds)
    }

    #[test]
    fn a_session_ends_by_idleness_age_disabling_and_a_new_password() {
        let policy = SessionPolicy::default();
        let mut user = User {
            id: UserId::from_bytes([1; 16]),
            name: Username::parse("ada").unwrap(),
            role: Role::Member,
            password: PasswordHash::nobody(),
            created_at: at(0),
            password_set_at: at(0),
            disabled_at: None,
            groups: Vec::new(),
            last_signed_in_at: None,
        };
        let mut session = Session {
            id: SessionId::from_bytes([2; 16]),
            user: user.id,
            signed_in_at: at(10),
            seen_at: at(10),
            address: String::new(),
            user_agent: String::new(),
        };
        assert!(session.is_good_for(&user, at(10), &policy));
        assert!(!session.is_good_for(&user, at(10) + policy.idle, &policy));
        session.seen_at = at(10) + policy.longest;
        assert!(!session.is_good_for(&user, session.seen_at, &policy));
        session.seen_at = at(10);

        user.password_set_at = at(11);
        assert!(!session.is_good_for(&user, at(12), &policy));
        user.password_set_at = at(0);
        user.disabled_at = Some(at(11));
        assert!(!session.is_good_for(&user, at(12), &policy));
    }
}

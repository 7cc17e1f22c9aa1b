//! Which browser is signed in, as whom, since when?
//!
//! A session is a row; the browser holds only a sealed cookie that names it. It ends by signing out, after
//! [`SessionPolicy::idle`] without a visit, after [`SessionPolicy::longest`], when its user is disabled or sets a new
//! password elsewhere. Every rise of privilege makes a new session id (the old row goes in the same transaction). What
//! hands out power is done only within [`SessionPolicy::proof_lasts`] of a proof of who is there.

use crate::account::user::User;
use crate::clock::{Timestamp, days, minutes};
use crate::id::{SessionId, UserId};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// How long sessions last.
#[derive(Debug, Clone, Copy)]
pub struct SessionPolicy {
    /// Without a visit; 14 days by default.
    pub idle: Duration,
    /// From signing in; 90 days by default.
    pub longest: Duration,
    /// After a proof of who is there, what needs one is done without asking for another; 10 minutes.
    pub proof_lasts: Duration,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self { idle: days(14), longest: days(90), proof_lasts: minutes(10) }
    }
}

/// A browser's signed-in state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// What the cookie names.
    pub id: SessionId,
    /// Who is signed in.
    pub user: UserId,
    /// When they signed in.
    pub signed_in_at: Timestamp,
    /// When they proved last who they are: at sign-in, or when they were asked again.
    pub proved_at: Timestamp,
    /// What the session was called before they were asked again; the forms of then are taken still.
    pub renewed_from: Option<SessionId>,
    /// Last visit. The store's may be some seconds older than the one in memory.
    pub seen_at: Timestamp,
    /// Address of the browser at the last visit.
    pub seen_from: String,
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

    /// Whether who is there was proved a short while ago. A proof that lies ahead was made by a clock that has been set
    /// back: it says nothing.
    pub fn is_recently_proved(&self, now: Timestamp, policy: &SessionPolicy) -> bool {
        self.proved_at <= now + minutes(1) && now.since(self.proved_at) < policy.proof_lasts
    }

    /// The session as it goes on under a new name after a proof at `now`.
    #[must_use]
    pub fn proved_again(self, id: SessionId, now: Timestamp) -> Self {
        Self { id, proved_at: now, renewed_from: Some(self.id), ..self }
    }

    /// Whether this is its id, or was before it was renewed.
    pub fn is_called(&self, name: &str) -> bool {
        [Some(self.id), self.renewed_from].into_iter().flatten().any(|id| id.to_string() == name)
    }

    /// Notes a visit, unless a later one is known.
    pub fn see(&mut self, at: Timestamp, from: Option<IpAddr>) {
        if at >= self.seen_at {
            self.seen_at = at;
            self.seen_from = from.map(|address| address.to_string()).unwrap_or_default();
        }
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

    fn session() -> Session {
        Session {
            id: SessionId::from_bytes([2; 16]),
            user: UserId::from_bytes([1; 16]),
            signed_in_at: at(10),
            proved_at: at(10),
            renewed_from: None,
            seen_at: at(10),
            seen_from: String::new(),
            address: String::new(),
            user_agent: String::new(),
        }
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
        let mut session = session();
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

    #[test]
    fn a_proof_lasts_for_ten_minutes_by_a_clock_that_goes_forward() {
        let (policy, session) = (SessionPolicy::default(), session());
        assert!(session.is_recently_proved(at(10), &policy));
        assert!(session.is_recently_proved(at(609), &policy));
        assert!(!session.is_recently_proved(at(610), &policy));
        assert!(!session.is_recently_proved(Timestamp::from_unix_seconds(1_789_000_000), &policy));

        let renewed = session.clone().proved_again(SessionId::from_bytes([3; 16]), at(700));
        assert!(renewed.is_recently_proved(at(1_299), &policy));
        assert_eq!((renewed.renewed_from, renewed.signed_in_at), (Some(session.id), session.signed_in_at));
        assert!(renewed.is_called(&renewed.id.to_string()) && renewed.is_called(&session.id.to_string()));
        assert!(!session.is_called(&renewed.id.to_string()) && !session.is_called(""));
    }

    #[test]
    fn the_latest_visit_counts() {
        let mut session = session();
        session.see(at(20), Some([10, 0, 0, 7].into()));
        session.see(at(15), None);
        assert_eq!((session.seen_at, session.seen_from.as_str()), (at(20), "10.0.0.7"));
    }
}

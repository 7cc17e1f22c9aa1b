//! How fast may the tokens of one grant be refreshed? Every refresh leaves a record behind ([`super::refresh_token`]), so there
//! is a bound: far from what clients that race themselves do, and one that refreshes in a loop is slowed.

use super::error::{ErrorCode, ProtocolError};
use crate::clock::Timestamp;
use std::time::Duration;

/// How fast the tokens of one grant are refreshed: at most [`RefreshPace::AT_ONCE`] at once, and one more each
/// [`RefreshPace::EVERY`]. The grant of a client that is slowed stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshPace(Timestamp);

/// The grant has been refreshed too often lately. Nothing is over: the same token works a little later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this authorization was refreshed too often: use the newest token, or try again in {} seconds", wait.as_secs().max(1))]
pub struct RefreshedTooOften {
    /// How long to wait.
    pub wait: Duration,
}

impl RefreshPace {
    /// Refreshes at once at most.
    pub const AT_ONCE: u32 = 64;
    /// After this, one more is possible.
    pub const EVERY: Duration = Duration::from_secs(10);

    /// As the store kept it: the time at which all that was done is made up for.
    pub const fn kept(made_up_at: Timestamp) -> Self {
        Self(made_up_at)
    }

    /// What to keep.
    pub const fn made_up_at(self) -> Timestamp {
        self.0
    }

    /// Counts one refresh after `before`.
    pub fn admit(before: Option<Self>, now: Timestamp) -> Result<Self, RefreshedTooOften> {
        let latest = now + Self::EVERY * Self::AT_ONCE;
        // A clock that was set back makes nobody wait for longer than the whole number takes.
        let made_up_at = before.map_or(now, |pace| pace.0.clamp(now, latest)) + Self::EVERY;
        if made_up_at > latest {
            return Err(RefreshedTooOften { wait: made_up_at.since(latest) });
        }
        Ok(Self(made_up_at))
    }
}

impl From<RefreshedTooOften> for ProtocolError {
    /// A code that makes no client ask its person again.
    fn from(refusal: RefreshedTooOften) -> Self {
        Self::new(ErrorCode::TemporarilyUnavailable, refusal.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::days;
    use crate::oauth::grant::tests::NOW;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_loop_of_refreshes_is_slowed_and_a_race_is_not() {
        let admitted = |mut pace: Option<RefreshPace>, times: u32, now: Timestamp| {
            let mut count = 0;
            for _ in 0..times {
                if let Ok(next) = RefreshPace::admit(pace, now) {
                    (pace, count) = (Some(RefreshPace::kept(next.made_up_at())), count + 1);
                }
            }
            (pace, count)
        };
        let (pace, count) = admitted(None, 1_000, NOW);
        assert_eq!(count, 64);
        let refusal = RefreshPace::admit(pace, NOW).unwrap_err();
        assert_eq!(refusal.wait, seconds(10));
        assert_eq!(ProtocolError::from(refusal).code(), ErrorCode::TemporarilyUnavailable);
        assert_eq!(admitted(pace, 1_000, NOW + seconds(10)).1, 1);
        assert_eq!(admitted(pace, 1_000, NOW + seconds(100)).1, 10);
        assert_eq!(admitted(pace, 1_000, NOW + days(1)).1, 64);
        assert_eq!(admitted(pace, 1_000, NOW - days(1) + seconds(10)).1, 0);
        let set_back = RefreshPace::kept(NOW + days(1));
        assert_eq!(RefreshPace::admit(Some(set_back), NOW).unwrap_err().wait, seconds(10), "waits for no lost day");
    }
}

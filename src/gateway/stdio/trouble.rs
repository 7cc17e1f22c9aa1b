//! May a child be started again now, after it failed? At once after the first crash, later and later after more.

use crate::clock::Timestamp;
use std::time::Duration;

/// The longest pause.
const LONGEST: Duration = Duration::from_mins(1);
/// A child that lived this long has not failed to start.
const LONG_ENOUGH: Duration = Duration::from_mins(1);

/// The failures in a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Trouble {
    failures: u32,
    not_before: Timestamp,
    why: String,
}

/// Why there is no child now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failing {
    /// How often in a row.
    pub(super) failures: u32,
    /// What happened last, for an admin.
    pub(super) why: String,
    /// When it is tried again at the earliest.
    pub(super) again_in: Duration,
}

impl Trouble {
    /// It could not be started.
    pub(super) fn did_not_start(&mut self, why: String, now: Timestamp) {
        self.note(why, now, 0);
    }

    /// It ended by itself.
    pub(super) fn ended(&mut self, why: String, started_at: Timestamp, ended_at: Timestamp) {
        if ended_at.since(started_at) >= LONG_ENOUGH {
            *self = Self::default();
        }
        self.note(why, ended_at, 1);
    }

    /// It was started.
    pub(super) fn started(&mut self) {
        *self = Self::default();
    }

    /// Whether it may be tried.
    pub(super) fn check(&self, now: Timestamp) -> Result<(), Failing> {
        if now >= self.not_before {
            return Ok(());
        }
        Err(Failing { failures: self.failures, why: self.why.clone(), again_in: self.not_before.since(now) })
    }

    /// The state for people: nothing while all is well.
    pub(super) fn state(&self, now: Timestamp) -> Option<Failing> {
        let again_in = self.not_before.since(now);
        (self.failures > 0).then(|| Failing { failures: self.failures, why: self.why.clone(), again_in })
    }

    fn note(&mut self, why: String, now: Timestamp, forgiven: u32) {
        self.failures = self.failures.saturating_add(1);
        self.why = why;
        let pause = match self.failures.saturating_sub(forgiven) {
            0 => Duration::ZERO,
            more => Duration::from_secs(1 << (more - 1).min(6)).min(LONGEST),
        };
        self.not_before = now + pause;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_000);

    #[test]
    fn pauses_grow_to_a_minute_and_end_with_success() {
        let mut trouble = Trouble::default();
        assert_eq!(trouble.check(NOW), Ok(()));
        let pauses: Vec<u64> = (0..9)
            .map(|_| {
                trouble.did_not_start("no such file".to_owned(), NOW);
                trouble.check(NOW).unwrap_err().again_in.as_secs()
            })
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(trouble.state(NOW).unwrap().failures, 9);
        assert_eq!(trouble.check(NOW + Duration::from_mins(1)), Ok(()));
        trouble.started();
        assert_eq!(trouble.state(NOW), None);
    }

    #[test]
    fn a_first_crash_costs_no_pause_and_a_long_life_forgives() {
        let mut trouble = Trouble::default();
        let crash = |trouble: &mut Trouble, lived| {
            trouble.ended("status 1".to_owned(), NOW, NOW + lived);
            trouble.check(NOW + lived).err().map_or(0, |failing| failing.again_in.as_secs())
        };
        let pauses: Vec<u64> = (0..4).map(|_| crash(&mut trouble, Duration::from_secs(3))).collect();
        assert_eq!(pauses, [0, 1, 2, 4]);
        assert_eq!(crash(&mut trouble, Duration::from_hours(1)), 0);
    }
}

//! Must this attempt wait? Slows guessing, per account and per address, without ever locking anyone out for good.
//!
//! Each wrong answer makes the next one wait longer, at a [`Pace`]; a quiet while or a right answer clears the slate. An
//! attempt is counted when it begins, so parallel attempts are no way round it. The table is bounded: when full, the entry
//! that has been quiet longest goes. It lives in memory; a restart forgets it.

use crate::clock::{Timestamp, hours, minutes};
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// How fast waits grow and how many entries are kept.
#[derive(Debug, Clone, Copy)]
pub struct ThrottlePolicy {
    /// Attempts without any wait.
    pub free: u32,
    /// Entries at most.
    pub entries: usize,
    /// How waits grow after the free attempts.
    pub pace: Pace,
}

/// How waits grow, and how long a quiet key is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// For what is hard to guess and mistyped every day: 3 s, 5 s, 10 s, then a minute each; a quiet hour clears the slate.
    Brisk,
    /// For six digits, which are guessed in the end if tries go on: a minute, twice as long each time, then an hour each;
    /// a quiet day clears the slate.
    Slow,
}

impl Pace {
    /// Before the next attempt, after so many more than the free ones.
    fn wait(self, beyond: u32) -> Duration {
        match (self, beyond) {
            (_, 0) => Duration::ZERO,
            (Self::Brisk, 1..=5) => Duration::from_secs(3),
            (Self::Brisk, 6..=20) => Duration::from_secs(5),
            (Self::Brisk, 21..=95) => Duration::from_secs(10),
            (Self::Brisk, _) => minutes(1),
            (Self::Slow, 1..=6) => minutes(1 << (beyond - 1)),
            (Self::Slow, _) => hours(1),
        }
    }

    const fn forgotten_after(self) -> Duration {
        match self {
            Self::Brisk => hours(1),
            Self::Slow => hours(24),
        }
    }
}

/// Remembers attempts by key and says how long the next must wait.
#[derive(Debug)]
pub struct Throttle<K> {
    policy: ThrottlePolicy,
    seen: HashMap<K, Attempts>,
}

#[derive(Debug, Clone, Copy)]
struct Attempts {
    count: u32,
    last: Timestamp,
}

/// The attempt comes too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Too many attempts. Try again in {} seconds.", .wait.as_secs().max(1))]
pub struct TooSoon {
    /// Time until the next attempt is looked at.
    pub wait: Duration,
}

impl<K: Hash + Eq + Clone> Throttle<K> {
    /// An empty table.
    pub fn new(policy: ThrottlePolicy) -> Self {
        Self { policy, seen: HashMap::new() }
    }

    /// Begins an attempt: counts it, or says how long it must wait.
    pub fn begin(&mut self, key: &K, now: Timestamp) -> Result<(), TooSoon> {
        self.look(key, now)?;
        self.count(key, now);
        Ok(())
    }

    /// Whether an attempt may begin now; counts nothing.
    pub fn look(&self, key: &K, now: Timestamp) -> Result<(), TooSoon> {
        let Some(seen) = self.attempts(key, now) else { return Ok(()) };
        let beyond = seen.count.saturating_sub(self.policy.free);
        let wait = self.policy.pace.wait(beyond).saturating_sub(now.since(seen.last));
        if wait.is_zero() { Ok(()) } else { Err(TooSoon { wait }) }
    }

    /// Counts an attempt, whether or not it had to wait; returns how many there are now.
    pub fn count(&mut self, key: &K, now: Timestamp) -> u32 {
        let before = self.attempts(key, now);
        if before.is_none() && self.seen.len() >= self.policy.entries && !self.seen.contains_key(key) {
            self.make_room(now);
        }
        let count = before.map_or(0, |seen| seen.count).saturating_add(1);
        self.seen.insert(key.clone(), Attempts { count, last: now });
        count
    }

    /// The attempt was right: nothing is held against the key any more.
    pub fn succeeded(&mut self, key: &K) {
        self.seen.remove(key);
    }

    /// What is remembered of a key and still counts.
    fn attempts(&self, key: &K, now: Timestamp) -> Option<Attempts> {
        // An attempt that lies ahead was counted by a clock that has been set back: it must not be waited for.
        let remembered = self.policy.pace.forgotten_after();
        let counts = |seen: &Attempts| seen.last <= now + minutes(1) && now.since(seen.last) < remembered;
        self.seen.get(key).copied().filter(counts)
    }

    fn make_room(&mut self, now: Timestamp) {
        let remembered = self.policy.pace.forgotten_after();
        self.seen.retain(|_, seen| now.since(seen.last) < remembered);
        if self.seen.len() >= self.policy.entries
            && let Some(oldest) = self.seen.iter().min_by_key(|(_, seen)| seen.last).map(|(key, _)| key.clone())
        {
            self.seen.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: ThrottlePolicy = ThrottlePolicy { free: 3, entries: 4, pace: Pace::Brisk };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_seconds(1_790_000_000 + seconds)
    }

    #[test]
    fn waits_begin_after_the_free_attempts_and_grow() {
        let mut throttle = Throttle::new(POLICY);
        for _ in 0..3 {
            assert_eq!(throttle.begin(&"ada", at(0)), Ok(()));
        }
        assert_eq!(throttle.begin(&"ada", at(0)), Ok(()), "the fourth is the first after the free ones have failed");
        assert_eq!(throttle.begin(&"ada", at(0)), Err(TooSoon { wait: Duration::from_secs(3) }));
        assert_eq!(throttle.begin(&"ada", at(2)), Err(TooSoon { wait: Duration::from_secs(1) }));
        assert_eq!(throttle.begin(&"bob", at(2)), Ok(()), "others do not wait");
        let mut now = at(3);
        let mut longest = Duration::ZERO;
        for _ in 0..200 {
            match throttle.begin(&"ada", now) {
                Ok(()) => {}
                Err(TooSoon { wait }) => {
                    longest = longest.max(wait);
                    now = now + wait;
                }
            }
        }
        assert_eq!(longest, minutes(1));
    }

    #[test]
    fn the_slow_pace_doubles_to_an_hour_and_remembers_for_a_day() {
        let mut throttle = Throttle::new(ThrottlePolicy { free: 2, entries: 4, pace: Pace::Slow });
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..12 {
            let wait = throttle.look(&"ada", now).map_or_else(|TooSoon { wait }| wait, |()| Duration::ZERO);
            now = now + wait;
            waits.push(wait.as_secs() / 60);
            throttle.begin(&"ada", now).unwrap();
        }
        assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert!(throttle.look(&"ada", now + minutes(59)).is_err());
        let in_a_day = throttle.count(&"ada", now + hours(24) - Duration::from_millis(1));
        assert_eq!(in_a_day, 13, "a quiet day less a moment forgets nothing");
        assert_eq!(throttle.count(&"ada", now + hours(48)), 1);
        throttle.succeeded(&"ada");
        assert_eq!(throttle.look(&"ada", now + hours(48)), Ok(()));
        // At this pace, three of a million codes are good at a time: less than one in a thousand is found in ten days.
        let tries = 21.0 + 7.0 + 10.0 * 24.0;
        assert!(tries * 3.0 / 1_000_000.0 < 0.001);
    }

    #[test]
    fn success_and_a_quiet_hour_clear_the_slate() {
        let mut throttle = Throttle::new(POLICY);
        for _ in 0..4 {
            throttle.begin(&"ada", at(0)).unwrap();
        }
        throttle.succeeded(&"ada");
        assert_eq!(throttle.begin(&"ada", at(0)), Ok(()));
        for _ in 0..3 {
            throttle.begin(&"ada", at(0)).unwrap();
        }
        assert!(throttle.begin(&"ada", at(0)).is_err());
        assert_eq!(throttle.begin(&"ada", at(3_600)), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let mut throttle = Throttle::new(POLICY);
        for _ in 0..4 {
            throttle.begin(&"ada", at(100_000)).unwrap();
        }
        assert!(throttle.begin(&"ada", at(99_999)).is_err(), "clocks of two threads may differ a little");
        assert_eq!(throttle.begin(&"ada", at(0)), Ok(()));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut throttle = Throttle::new(POLICY);
        for key in 0..100_u64 {
            throttle.begin(&key, at(key)).unwrap();
            assert!(throttle.seen.len() <= POLICY.entries);
        }
    }
}

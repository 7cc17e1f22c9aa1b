//! Must this attempt wait? Slows guessing, per account and per address, without ever locking anyone out for good.
//!
//! Each wrong answer makes the next one wait longer (nothing at first, then 3 s, 5 s, 10 s, 60 s); a quiet hour or a right
//! answer clears the slate. An attempt is counted when it begins, so parallel attempts are no way round it. The table
//! is bounded: when full, the entry that has been quiet longest goes. It lives in memory; a restart forgets it.

use crate::clock::{Timestamp, hours, minutes};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

/// How fast waits grow and how many entries are kept.
#[derive(Debug, Clone, Copy)]
pub struct ThrottlePolicy {
    /// Attempts without any wait.
    pub free: u32,
    /// Entries at most.
    pub entries: usize,
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

const FORGOTTEN_AFTER: Duration = hours(1);

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
        let wait = self.wait_after(seen.count).saturating_sub(now.since(seen.last));
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
        let counts = |seen: &Attempts| seen.last <= now + minutes(1) && now.since(seen.last) < FORGOTTEN_AFTER;
        self.seen.get(key).copied().filter(counts)
    }

    fn wait_after(&self, count: u32) -> Duration {
        Duration::from_secs(match count.saturating_sub(self.policy.free) {
            0 if count <= self.policy.free => 0,
            0..=5 => 3,
            6..=20 => 5,
            21..=95 => 10,
            _ => 60,
        })
    }

    fn make_room(&mut self, now: Timestamp) {
        self.seen.retain(|_, seen| now.since(seen.last) < FORGOTTEN_AFTER);
        if self.seen.len() >= self.policy.entries
            && let Some(oldest) = self.seen.iter().min_by_key(|(_, seen)| seen.last).map(|(key, _)| key.clone())
        {
            self.seen.remove(&oldest);
        }
    }
}

/// What stands for one place on the network: an IPv4 address, or the /64 of an IPv6 address.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: ThrottlePolicy = ThrottlePolicy { free: 3, entries: 4 };

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

    #[test]
    fn an_ipv6_network_is_one_place() {
        assert_eq!(network_of("2001:db8::1".parse().unwrap()), network_of("2001:db8::ffff".parse().unwrap()));
        assert_ne!(network_of("2001:db8::1".parse().unwrap()), network_of("2001:db8:0:1::1".parse().unwrap()));
        assert_eq!(network_of("::ffff:10.0.0.1".parse().unwrap()), network_of("10.0.0.1".parse().unwrap()));
    }
}

//! How often, day by day? The last 30 days (UTC) of something, in one small record.

use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// How many days are kept.
pub const DAYS: usize = 30;

/// The number of the day of a moment, from 1970-01-01 in UTC.
pub const fn day_of(at: Timestamp) -> u32 {
    // Days fit into 32 bits for longer than anybody waits.
    #[expect(clippy::cast_possible_truncation, reason = "a day of the next ten million years")]
    let day = (at.unix_seconds() / 86_400) as u32;
    day
}

/// Counts of the last days.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayCounts {
    /// The day of the last count.
    newest: u32,
    /// Oldest first; at most [`DAYS`].
    counts: Vec<u32>,
}

impl DayCounts {
    /// Adds to a day. What lies further back than the days that are kept is let go.
    pub fn add(&mut self, day: u32, count: u32) {
        if self.counts.is_empty() {
            (self.newest, self.counts) = (day, vec![0]);
        }
        if day > self.newest {
            let passed = usize::try_from(day - self.newest).unwrap_or(DAYS).min(DAYS);
            self.counts.resize(self.counts.len() + passed, 0);
            let surplus = self.counts.len().saturating_sub(DAYS);
            self.counts.drain(..surplus);
            self.newest = day;
        }
        let back = usize::try_from(self.newest.saturating_sub(day)).unwrap_or(DAYS);
        if back >= DAYS {
            return;
        }
        // A clock that was set back counts on a day before the first.
        while back >= self.counts.len() {
            self.counts.insert(0, 0);
        }
        let place = self.counts.len() - 1 - back;
        self.counts[place] = self.counts[place].saturating_add(count);
    }

    /// The count of each of the last days, the oldest first, `today` last.
    pub fn until(&self, today: u32) -> [u32; DAYS] {
        let mut counts = [0; DAYS];
        for (back, count) in self.counts.iter().rev().enumerate() {
            let Some(day) = self.newest.checked_sub(u32::try_from(back).unwrap_or(u32::MAX)) else { break };
            let ago = today.checked_sub(day).and_then(|ago| usize::try_from(ago).ok());
            if let Some(ago) = ago.filter(|ago| *ago < DAYS) {
                counts[DAYS - 1 - ago] = *count;
            }
        }
        counts
    }
}

/// What happened at a server, day by day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerDays {
    /// Calls of tools.
    pub calls: DayCounts,
    /// Calls that failed: see [`super::CallOutcome`].
    pub failures: DayCounts,
    /// Requests with a genuine token that were refused.
    pub refusals: DayCounts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_passes_and_after_thirty_it_is_gone() {
        let mut days = DayCounts::default();
        days.add(100, 5);
        days.add(100, 1);
        days.add(102, 7);
        let seen = days.until(102);
        assert_eq!(seen[DAYS - 3..], [6, 0, 7]);
        assert_eq!(days.until(103)[DAYS - 4..], [6, 0, 7, 0]);
        assert_eq!(days.until(131)[..2], [7, 0]);
        assert_eq!(days.until(132), [0; DAYS]);
        days.add(131, 2);
        assert_eq!(days.counts.len(), DAYS);
        days.add(10_000, 1);
        assert_eq!((days.counts.len(), days.until(10_000)[DAYS - 1]), (DAYS, 1));
    }

    #[test]
    fn a_clock_that_goes_back_loses_nothing_and_adds_no_days() {
        let mut days = DayCounts::default();
        days.add(100, 5);
        days.add(98, 1);
        assert_eq!(days.until(100)[DAYS - 3..], [1, 0, 5]);
        days.add(1, 1);
        assert_eq!(days.until(100)[DAYS - 3..], [1, 0, 5]);
        assert_eq!(days.until(50), [0; DAYS]);
        days.add(100, u32::MAX);
        assert_eq!(days.until(100)[DAYS - 1], u32::MAX);
    }

    #[test]
    fn days_begin_at_midnight_utc() {
        assert_eq!(day_of(Timestamp::from_unix_seconds(86_399)), 0);
        assert_eq!(day_of(Timestamp::from_unix_seconds(86_400)), 1);
    }
}

//! What do strangers make us write, and how is that bounded? Failed sign-ins and the like are counted by whom they are about
//! and from which network; the first of a kind is a line within seconds, and what repeats it is one line an hour.
//!
//! Nobody waits for these lines, so the time of an answer tells nothing about what was written.

use crate::account::network::network_of;
use crate::clock::{Timestamp, hours};
use crate::event::{Event, EventKind};
use crate::id::UserId;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Different ones that are told apart at once; the others are told in one line.
const MOST: usize = 50;
/// How often one of them is told at most.
const EVERY: Duration = hours(1);
/// Lines that strangers may cause with an act of theirs, an hour; the others are counted here.
const ROWS_AN_HOUR: u32 = 60;

/// Counts what repeats.
#[derive(Debug, Default)]
pub(in crate::app) struct Repeats(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    seen: HashMap<Key, Seen>,
    window: (Timestamp, u32),
}

/// What, about whom, from which network; none of the last two for those that are not told apart.
type Key = (EventKind, Option<UserId>, Option<IpAddr>);

#[derive(Debug, Default)]
struct Seen {
    untold: u32,
    told_at: Timestamp,
    address: Option<IpAddr>,
}

impl Repeats {
    /// Counts one.
    pub(in crate::app) fn count(&self, kind: EventKind, about: Option<UserId>, address: Option<IpAddr>) {
        let mut state = self.state();
        let own = (kind, about, address.map(network_of));
        let key = if state.seen.contains_key(&own) || state.seen.len() < MOST { own } else { (kind, None, None) };
        let seen = state.seen.entry(key).or_default();
        seen.untold = seen.untold.saturating_add(1);
        seen.address = address.filter(|_| key == own);
    }

    /// Whether an act of a stranger's may have a line of its own; otherwise it is to be counted.
    pub(in crate::app) fn admits_row(&self, now: Timestamp) -> bool {
        let mut state = self.state();
        let (began, rows) = &mut state.window;
        if now < *began || now.since(*began) >= EVERY {
            (*began, *rows) = (now, 0);
        }
        *rows = rows.saturating_add(1);
        *rows <= ROWS_AN_HOUR
    }

    /// The lines that are due, or all that are left at the end. They are told then; what is not written is lost.
    pub(super) fn due(&self, now: Timestamp, is_last: bool) -> Vec<Event> {
        let mut due = Vec::new();
        self.state().seen.retain(|(kind, about, _), seen| {
            let is_time = now < seen.told_at || now.since(seen.told_at) >= EVERY;
            if seen.untold > 0 && (is_time || is_last) {
                let event = Event::of(*kind).times(std::mem::take(&mut seen.untold)).from(seen.address);
                due.push(match about {
                    Some(user) => event.about(*user),
                    None => event,
                });
                seen.told_at = now;
                return true;
            }
            !(is_time && seen.untold == 0)
        });
        due
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::minutes;
    use std::net::Ipv4Addr;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);

    const ADDRESS: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9)));

    #[test]
    fn the_first_is_told_soon_and_its_repeats_together() {
        let (repeats, ada) = (Repeats::default(), UserId::from_bytes([1; 16]));
        repeats.count(EventKind::SignInFailed, Some(ada), ADDRESS);
        let told = repeats.due(NOW, false);
        assert_eq!((told.len(), told[0].times, told[0].address), (1, 1, ADDRESS));
        for _ in 0..40 {
            repeats.count(EventKind::SignInFailed, Some(ada), ADDRESS);
        }
        assert!(repeats.due(NOW + minutes(59), false).is_empty());
        let told = repeats.due(NOW + minutes(60), false);
        assert_eq!((told.len(), told[0].times), (1, 40));
        assert!(repeats.due(NOW + minutes(200), false).is_empty());
        assert!(repeats.state().seen.is_empty(), "nothing stays for ever");
    }

    #[test]
    fn a_crowd_is_one_line_and_memory_is_bounded() {
        let repeats = Repeats::default();
        for n in 0..10_000_u16 {
            let [high, low] = n.to_be_bytes();
            repeats.count(EventKind::SignInFailed, None, Some([10, high, low, 1].into()));
        }
        let told = repeats.due(NOW, false);
        assert_eq!(told.len(), MOST + 1);
        assert_eq!(told.iter().map(|event| event.times).sum::<u32>(), 10_000);
        let rows = (0..1_000).filter(|_| repeats.admits_row(NOW)).count();
        assert_eq!(rows, 60);
        assert!(repeats.admits_row(NOW + hours(1)));
    }

    #[test]
    fn the_end_of_the_program_tells_what_is_left() {
        let repeats = Repeats::default();
        repeats.count(EventKind::SignInFailed, None, None);
        repeats.due(NOW, false);
        repeats.count(EventKind::SignInFailed, None, None);
        assert_eq!(repeats.due(NOW, true).len(), 1);
    }
}

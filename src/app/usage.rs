//! When was each token, connection and session used last, without a disk write per request?
//!
//! The hot path stores the time in an atomic and, when they changed, the caller's address and program behind an atomic
//! swap. Every few seconds [`Uses::unwritten`] is written in one transaction. The maps are bounded: past the bound a use
//! that is not yet remembered is not recorded, and written entries make room at the next flush. A crash loses what was not
//! yet flushed: a few seconds of last uses and counts, nothing else.

use crate::account::network::UseNetwork;
use crate::account::usage::{LastUse, MAX_USER_AGENT};
use crate::app::Caller;
use crate::clock::{Timestamp, minutes};
use arc_swap::ArcSwap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::id::{GrantId, SessionId, TokenId};

/// Entries kept in memory of each kind.
const MOST: usize = 100_000;
/// Networks that are remembered of one thing between two flushes.
const MOST_NETWORKS: usize = 8;
/// Written entries stay this long after their last use.
const LINGER: Duration = minutes(10);

/// Last uses of personal tokens, of connections and of sessions.
#[derive(Debug, Default)]
pub struct Usage {
    /// Of personal tokens.
    pub tokens: Uses<TokenId>,
    /// Of grants, by any of their access tokens.
    pub grants: Uses<GrantId>,
    /// Of sessions: visits of their browsers.
    pub sessions: Uses<SessionId>,
}

/// Last uses of one kind of thing.
pub struct Uses<K> {
    cells: papaya::HashMap<K, Arc<Cell>>,
}

#[derive(Debug)]
struct Cell {
    at: AtomicU64,
    written: AtomicU64,
    /// Uses since they were written last.
    count: AtomicU32,
    by: ArcSwap<By>,
}

#[derive(Debug)]
struct By {
    address: Option<IpAddr>,
    user_agent: String,
    /// Where it was used from of late, this address included.
    networks: Vec<UseNetwork>,
}

impl<K> std::fmt::Debug for Uses<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Uses")
    }
}

impl<K> Default for Uses<K>
where
    K: Hash + Eq,
{
    fn default() -> Self {
        Self { cells: papaya::HashMap::new() }
    }
}

impl<K: Hash + Eq + Copy> Uses<K> {
    /// Records a use. Lock-free; allocates only when the caller is another one than last time.
    pub fn record(&self, id: K, now: Timestamp, caller: CallerRef<'_>) {
        let cells = self.cells.pin();
        if let Some(cell) = cells.get(&id) {
            cell.at.store(now.unix_millis(), Ordering::Relaxed);
            cell.count.fetch_add(1, Ordering::Relaxed);
            let by = cell.by.load();
            if by.address != caller.address || !is_shortened_from(&by.user_agent, caller.user_agent) {
                cell.by.store(Arc::new(By::after(&by, caller)));
            }
        } else if cells.len() < MOST {
            let by = ArcSwap::from_pointee(By::of(caller));
            let (at, written) = (AtomicU64::new(now.unix_millis()), AtomicU64::new(0));
            let cell = Cell { at, written, count: AtomicU32::new(1), by };
            cells.insert(id, Arc::new(cell));
        }
    }

    /// The last use that is in memory, if any; it is newer than what the store has.
    pub fn latest(&self, id: K) -> Option<LastUse> {
        self.cells.pin().get(&id).map(|cell| cell.last_use())
    }

    /// How many uses the store does not have yet.
    pub fn uncounted(&self, id: K) -> u32 {
        self.cells.pin().get(&id).map_or(0, |cell| cell.count.load(Ordering::Relaxed))
    }

    /// What the store does not have yet.
    pub fn unwritten(&self) -> Vec<(K, Unwritten)> {
        let cells = self.cells.pin();
        let changed = cells.iter().filter(|(_, cell)| cell.is_unwritten());
        let unwritten = |cell: &Cell| Unwritten {
            last_use: cell.last_use(),
            count: cell.count.load(Ordering::Relaxed),
            networks: cell.by.load().networks.clone(),
        };
        changed.map(|(id, cell)| (*id, unwritten(cell))).collect()
    }

    /// Notes that these were written and lets go of what has not been used for a while.
    pub fn written(&self, written: &[(K, Unwritten)], now: Timestamp) {
        let cells = self.cells.pin();
        for (id, Unwritten { last_use, count, .. }) in written {
            if let Some(cell) = cells.get(id) {
                cell.written.fetch_max(last_use.at.unix_millis(), Ordering::Relaxed);
                cell.count.fetch_sub(*count, Ordering::Relaxed);
            }
        }
        let crowded = cells.len() > MOST / 2;
        cells.retain(|_, cell| cell.is_unwritten() || !(crowded || now.since(cell.last_use_at()) > LINGER));
    }
}

impl Cell {
    fn last_use_at(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.at.load(Ordering::Relaxed))
    }

    fn last_use(&self) -> LastUse {
        let by = self.by.load();
        LastUse { at: self.last_use_at(), address: by.address, user_agent: by.user_agent.clone() }
    }

    fn is_unwritten(&self) -> bool {
        self.at.load(Ordering::Relaxed) > self.written.load(Ordering::Relaxed) || self.count.load(Ordering::Relaxed) > 0
    }
}

/// What the store does not have yet of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwritten {
    /// Its last use.
    pub last_use: LastUse,
    /// How many uses.
    pub count: u32,
    /// From where, the last few networks.
    pub networks: Vec<UseNetwork>,
}

/// Who uses a token, borrowed from the request.
#[derive(Debug, Clone, Copy)]
pub struct CallerRef<'a> {
    /// See [`Caller::address`].
    pub address: Option<IpAddr>,
    /// The `User-Agent` as sent.
    pub user_agent: &'a str,
}

impl<'a> From<&'a Caller> for CallerRef<'a> {
    fn from(caller: &'a Caller) -> Self {
        Self { address: caller.address, user_agent: &caller.user_agent }
    }
}

impl By {
    fn of(caller: CallerRef<'_>) -> Self {
        let networks = caller.address.map(UseNetwork::of).into_iter().collect();
        Self { address: caller.address, user_agent: shortened(caller.user_agent).collect(), networks }
    }

    /// What follows on `before`.
    fn after(before: &Self, caller: CallerRef<'_>) -> Self {
        let mut by = Self::of(caller);
        let others = before.networks.iter().filter(|network| !by.networks.contains(network));
        let mut networks: Vec<_> = others.copied().collect();
        networks.append(&mut by.networks);
        let surplus = networks.len().saturating_sub(MOST_NETWORKS);
        networks.drain(..surplus);
        Self { networks, ..by }
    }
}

fn shortened(user_agent: &str) -> impl Iterator<Item = char> {
    user_agent.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(MAX_USER_AGENT)
}

fn is_shortened_from(short: &str, user_agent: &str) -> bool {
    short == user_agent || shortened(user_agent).eq(short.chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_seconds(1_790_000_000 + seconds)
    }

    const ID: TokenId = TokenId::from_bytes([7; 16]);

    fn caller(user_agent: &str) -> CallerRef<'_> {
        CallerRef { address: Some([10, 0, 0, 7].into()), user_agent }
    }

    #[test]
    fn the_latest_use_is_seen_at_once_and_written_once() {
        let uses = Uses::default();
        uses.record(ID, at(1), caller("Claude-Code/2.1\u{7}"));
        uses.record(ID, at(2), caller("Claude-Code/2.1\u{7}"));
        let latest = uses.latest(ID).unwrap();
        assert_eq!((latest.at, latest.user_agent.as_str()), (at(2), "Claude-Code/2.1"));

        let unwritten = uses.unwritten();
        assert_eq!((unwritten.len(), unwritten[0].1.count), (1, 2));
        uses.record(ID, at(3), caller("Codex"));
        uses.written(&unwritten, at(3));
        let unwritten = uses.unwritten();
        assert_eq!(unwritten[0].1.last_use.user_agent, "Codex", "a use during the flush is not lost");
        assert_eq!((unwritten[0].1.count, uses.uncounted(ID)), (1, 1));
        uses.written(&unwritten, at(4));
        assert!(uses.unwritten().is_empty());
    }

    #[test]
    fn written_entries_leave_after_a_while() {
        let uses = Uses::default();
        uses.record(ID, at(1), caller("x"));
        uses.written(&uses.unwritten(), at(2));
        assert!(uses.latest(ID).is_some());
        uses.written(&[], at(1) + LINGER + minutes(1));
        assert!(uses.latest(ID).is_none());
    }
}

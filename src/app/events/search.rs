//! Which lines have all of several facets, and what does it cost to find them?
//!
//! Each line is indexed under each of its facets, in the order of time, and each row of that index says which other facets
//! the line has. So a search reads the index of the rarest facet only, one row after the other, and no line that it does not
//! show; the others tell where to leap to. It reads a bounded number of rows ([`MOST_ROWS`]); where that is not enough, it
//! says where to go on.

use crate::clock::Timestamp;
use crate::event::{Event, Facet, FacetMarks};
use crate::id::EventId;
use crate::store::tables::{EVENTS, EVENTS_BY};
use crate::store::{Reads, Scan, StoreError};

/// Rows of the index that one search reads.
const MOST_ROWS: usize = 2_000;
/// Rows by which the rarest facet is told.
const FEW: usize = 16;
/// Rows that are read before it is looked again which facet is the rarest.
const MANY: usize = 256;

/// What is left of the log to look at, and from which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub from: EventId,
    /// Not this one any more.
    pub until: EventId,
    pub backwards: bool,
}

/// What a search has found.
#[derive(Debug)]
pub(super) struct Found {
    /// In the direction of the stretch.
    pub lines: Vec<(EventId, Event)>,
    /// Where it stopped before the end; nothing before that was left out.
    pub stopped_at: Option<EventId>,
}

/// The first `wanted` lines of a stretch that have all these facets.
pub(super) fn search(
    tx: &impl Reads,
    facets: &[Facet],
    mut stretch: Stretch,
    wanted: usize,
) -> Result<Found, StoreError> {
    match facets {
        [] => return Ok(Found { lines: stretch.lines(tx, wanted)?, stopped_at: None }),
        [facet] => return all_of(tx, *facet, stretch, wanted),
        _ => {}
    }
    let marks = FacetMarks::of(facets);
    let (mut lines, mut read) = (Vec::new(), 0);
    while read < MOST_ROWS {
        let mut rarest: Option<(Facet, EventId)> = None;
        let mut begins = stretch;
        for facet in facets {
            let rows = stretch.rows(tx, *facet, FEW)?;
            let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) else {
                return Ok(Found { lines, stopped_at: None });
            };
            read += rows.len();
            // What comes before the first line of any of them is not of all.
            begins.leap_to(*first);
            let reaches = if rows.len() < FEW { stretch.end() } else { *last };
            if rarest.is_none_or(|(_, other)| stretch.is_farther(reaches, other)) {
                rarest = Some((*facet, reaches));
            }
        }
        stretch = begins;
        let Some((rarest, _)) = rarest else { break };
        let rows = stretch.rows(tx, rarest, MANY)?;
        let is_all = rows.len() < MANY;
        for (id, has) in rows {
            read += 1;
            stretch.pass(id);
            if has.may_have(&marks)
                && let Some(event) = tx.get(EVENTS, &id)?
                && has_all(&event, facets)
            {
                lines.push((id, event));
                if lines.len() == wanted {
                    return Ok(Found { lines, stopped_at: None });
                }
            }
        }
        if is_all {
            return Ok(Found { lines, stopped_at: None });
        }
    }
    Ok(Found { lines, stopped_at: Some(stretch.cursor()) })
}

/// The first lines that have one facet.
fn all_of(tx: &impl Reads, facet: Facet, stretch: Stretch, wanted: usize) -> Result<Found, StoreError> {
    let mut lines = Vec::with_capacity(wanted);
    for (id, _) in stretch.rows(tx, facet, wanted)? {
        lines.extend(tx.get(EVENTS, &id)?.map(|event| (id, event)));
    }
    Ok(Found { lines, stopped_at: None })
}

fn has_all(event: &Event, facets: &[Facet]) -> bool {
    let has = event.facets();
    facets.iter().all(|facet| has.contains(facet))
}

impl Stretch {
    /// The next lines of the log itself.
    fn lines(self, tx: &impl Reads, limit: usize) -> Result<Vec<(EventId, Event)>, StoreError> {
        let scan = Scan::all().from(&self.from).until(&self.until).limit(limit);
        tx.scan(EVENTS, if self.backwards { scan.backwards() } else { scan })
    }

    /// The next rows of a facet's index.
    fn rows(self, tx: &impl Reads, facet: Facet, limit: usize) -> Result<Vec<(EventId, FacetMarks)>, StoreError> {
        let scan = Scan::prefix(&facet).from(&(facet, self.from)).until(&(facet, self.until)).limit(limit);
        let rows = tx.scan(EVENTS_BY, if self.backwards { scan.backwards() } else { scan })?;
        Ok(rows.into_iter().map(|((_, id), has)| (id, has)).collect())
    }

    /// Goes on at `id`, unless it is there already or beyond.
    fn leap_to(&mut self, id: EventId) {
        if self.backwards {
            self.until = self.until.min(after(id));
        } else {
            self.from = self.from.max(id);
        }
    }

    /// Goes on beyond `id`.
    fn pass(&mut self, id: EventId) {
        if self.backwards {
            self.until = id;
        } else {
            self.from = after(id);
        }
    }

    fn end(self) -> EventId {
        if self.backwards { self.from } else { self.until }
    }

    fn is_farther(self, id: EventId, other: EventId) -> bool {
        if self.backwards { id < other } else { id > other }
    }

    /// The line beyond which it goes on where it is.
    fn cursor(self) -> EventId {
        if self.backwards { self.until } else { before(self.from) }
    }
}

/// The least id of a moment.
pub(super) fn first_at(at: Timestamp) -> EventId {
    let mut id = [0; 16];
    id[..6].copy_from_slice(&at.unix_millis().to_be_bytes()[2..]);
    EventId::from_bytes(id)
}

/// The id that follows.
pub(super) fn after(id: EventId) -> EventId {
    EventId::from_bytes(u128::from_be_bytes(*id.as_bytes()).saturating_add(1).to_be_bytes())
}

fn before(id: EventId) -> EventId {
    EventId::from_bytes(u128::from_be_bytes(*id.as_bytes()).saturating_sub(1).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;
    use crate::store::Store;

    /// Calls of two servers and two clients: most lines are of one of the first kind, few of both that are asked for.
    fn log() -> (Store, [Facet; 3], Vec<EventId>) {
        let store = Store::in_memory();
        let facets = [Facet::of_server("files"), Facet::of_client("cli_a"), Facet::of_class(EventKind::Called.class())];
        let written: Result<Vec<EventId>, StoreError> = store.write(move |tx| {
            let mut both = Vec::new();
            for n in 0..9_000_u64 {
                let id = first_at(Timestamp::from_unix_millis(1_790_000_000_000 + n));
                let (server, client) = (n.is_multiple_of(2), !n.is_multiple_of(2) || n.is_multiple_of(1_000));
                let event = Event::of(EventKind::Called).server(if server { "files" } else { "notes" });
                let event = event.client(if client { "cli_a" } else { "cli_b" }, "Claude");
                // The oldest were written before there were marks.
                let has = if n < 500 { FacetMarks::UNKNOWN } else { FacetMarks::of(&event.facets()) };
                for facet in event.facets() {
                    tx.put(EVENTS_BY, &(facet, id), &has)?;
                }
                tx.put(EVENTS, &id, &event)?;
                both.extend((server && client).then_some(id));
            }
            Ok(both)
        });
        (store, facets, written.unwrap())
    }

    #[test]
    fn what_is_rare_is_found_in_pages_from_both_ends() {
        let (store, facets, mut expected) = log();
        assert_eq!(expected.len(), 9);
        for backwards in [false, true] {
            let (from, until) = (EventId::from_bytes([0; 16]), EventId::from_bytes([0xff; 16]));
            let (mut stretch, mut found, mut cuts) = (Stretch { from, until, backwards }, Vec::new(), 0);
            loop {
                let page: Result<Found, StoreError> = store.read(|tx| search(tx, &facets, stretch, 4));
                let Found { lines, stopped_at } = page.unwrap();
                found.extend(lines.iter().map(|(id, _)| *id));
                cuts += usize::from(stopped_at.is_some());
                let Some(go_on) = stopped_at.or_else(|| Some(lines.get(3)?.0)) else { break };
                stretch.pass(go_on);
            }
            assert_eq!(found, expected);
            assert!((1..5).contains(&cuts), "{cuts} times it had read enough");
            expected.reverse();
        }
    }

    #[test]
    fn what_was_never_together_is_not_looked_for_line_by_line() {
        let (store, [files, ..], _) = log();
        let other = Facet::of_server("gone");
        let early = first_at(Timestamp::from_unix_millis(1_780_000_000_000));
        let read: Result<Found, StoreError> = store.write(move |tx| {
            for n in 0..5_000 {
                let id = EventId::from_bytes((u128::from_be_bytes(*early.as_bytes()) + n).to_be_bytes());
                tx.put(EVENTS_BY, &(other, id), &FacetMarks::UNKNOWN)?;
            }
            let stretch = Stretch {
                from: EventId::from_bytes([0; 16]),
                until: EventId::from_bytes([0xff; 16]),
                backwards: false,
            };
            search(tx, &[files, other], stretch, 51)
        });
        assert!(matches!(read.unwrap(), Found { lines, stopped_at: None } if lines.is_empty()));
    }

    #[test]
    fn the_least_id_of_a_moment_is_not_after_any_of_it() {
        let at = Timestamp::from_unix_millis(1_790_000_000_123);
        assert_eq!(first_at(at).made_at(), at);
        assert!(first_at(at) < first_at(Timestamp::from_unix_millis(1_790_000_000_124)));
        assert!(after(first_at(at)) > first_at(at));
    }
}

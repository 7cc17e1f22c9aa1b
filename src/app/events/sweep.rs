//! How long does a line stay? Calls and refusals for less long than what people decide, and so many at most.
//!
//! A sweep begins at the oldest line of each class, so it reads only what goes. Each transaction takes a bounded number.

use crate::app::App;
use crate::app::error::OperationError;
use crate::app::events::search::first_at;
use crate::event::{EventClass, Facet};
use crate::id::EventId;
use crate::store::tables::{EVENTS, EVENTS_BY};
use crate::store::{Reads, Scan, WriteTx};
use std::sync::atomic::Ordering;

/// Lines that one sweep takes of one class at most.
const MOST: usize = 100_000;
/// Of these, how many in one transaction.
const AT_ONCE: usize = 500;
/// Not counted yet.
pub(in crate::app) const UNKNOWN: u64 = u64::MAX;

impl App {
    /// Lets go of lines whose time is over.
    pub(in crate::app) fn sweep_events(&self) -> Result<(), OperationError> {
        let (now, policy) = (self.now(), self.options.events);
        for class in EventClass::ALL {
            let keep = if class.is_traffic() { policy.keep_calls } else { policy.keep };
            let removed = self.remove_oldest(class, first_at(now - keep), MOST)?;
            if class.is_traffic() {
                self.note_calls_removed(removed);
            }
        }
        let surplus = self.count_calls()?.saturating_sub(policy.most_calls);
        let surplus = usize::try_from(surplus).unwrap_or(MOST).min(MOST);
        if surplus > 0 {
            let removed = self.remove_oldest(EventClass::Calls, EventId::from_bytes([0xff; 16]), surplus)?;
            self.note_calls_removed(removed);
        }
        Ok(())
    }

    /// Removes the oldest lines of a class that are older than `until`, at most so many; says how many.
    fn remove_oldest(&self, class: EventClass, until: EventId, most: usize) -> Result<u64, OperationError> {
        let (facet, mut removed) = (Facet::of_class(class), 0);
        while removed < most {
            let some = (most - removed).min(AT_ONCE);
            let gone = self.store.write(move |tx| {
                let over = tx.keys(EVENTS_BY, Scan::prefix(&facet).until(&(facet, until)).limit(some))?;
                for (_, id) in &over {
                    remove(tx, facet, *id)?;
                }
                Ok::<_, OperationError>(over.len())
            })?;
            removed += gone;
            if gone < some {
                break;
            }
        }
        Ok(u64::try_from(removed).unwrap_or(u64::MAX))
    }

    /// How many calls and refusals there are. Counted once in the life of the process.
    fn count_calls(&self) -> Result<u64, OperationError> {
        let known = self.calls_kept.load(Ordering::Relaxed);
        if known != UNKNOWN {
            return Ok(known);
        }
        let counted = self.store.read(|tx| {
            let mut count = 0;
            for class in [EventClass::Calls, EventClass::Refusals] {
                count += tx.count(EVENTS_BY, Scan::prefix(&Facet::of_class(class)))?;
            }
            Ok::<_, OperationError>(u64::try_from(count).unwrap_or(u64::MAX - 1))
        })?;
        self.calls_kept.store(counted, Ordering::Relaxed);
        Ok(counted)
    }

    pub(super) fn note_calls_written(&self, count: u64) {
        if self.calls_kept.load(Ordering::Relaxed) != UNKNOWN {
            self.calls_kept.fetch_add(count, Ordering::Relaxed);
        }
    }

    fn note_calls_removed(&self, count: u64) {
        if self.calls_kept.load(Ordering::Relaxed) != UNKNOWN {
            let _ = self
                .calls_kept
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |kept| Some(kept.saturating_sub(count)));
        }
    }
}

fn remove(tx: &mut WriteTx, class: Facet, id: EventId) -> Result<(), OperationError> {
    if let Some(event) = tx.take(EVENTS, &id)? {
        for facet in event.facets() {
            tx.remove(EVENTS_BY, &(facet, id))?;
        }
    }
    tx.remove(EVENTS_BY, &(class, id))?;
    Ok(())
}

//! The audit log: written with the act that a line records, read page by page, swept when its time is over.
//!
//! | File | Question |
//! | --- | --- |
//! | `pen` | How does an operation write a line in its own transaction? |
//! | `page` | Which lines does a filter show, in which order? |
//! | `search` | Which lines have all of several facets, and what does it cost to find them? |
//! | `call_log` | How are calls told without a disk write a call? |
//! | `refusals` | Which requests were refused of late? |
//! | `repeats` | What do strangers make us write, and how is that bounded? |
//! | `sweep` | How long does a line stay? |
//!
//! Invariants: an act that matters for security and its line are one transaction, so none is there without the other.
//! Calls, refusals and what strangers do are held in memory for seconds and written in batches: a crash loses those seconds.

mod call_log;
mod page;
mod pen;
mod refusals;
mod repeats;
mod search;
mod sweep;

pub use call_log::{CallLog, Called, ServerCounts};
pub use page::{EventFilter, EventPage, EventPlace, PAGE};
pub(super) use pen::{EventIds, Pen};
pub use refusals::{KEPT, Kept, Refusals, ToldRefusal};
pub(super) use repeats::Repeats;
pub(super) use sweep::UNKNOWN as UNKNOWN_COUNT;

use crate::clock::days;
use std::time::Duration;

/// How long lines stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPolicy {
    /// Calls and refusals; 90 days.
    pub keep_calls: Duration,
    /// Everything else; a year.
    pub keep: Duration,
    /// Calls and refusals at most; the oldest go first. A million.
    pub most_calls: u64,
}

impl Default for EventPolicy {
    fn default() -> Self {
        Self { keep_calls: days(90), keep: days(365), most_calls: 1_000_000 }
    }
}

//! What happened? One line of the audit log, and what it is found by.
//!
//! | File | Question |
//! | --- | --- |
//! | `line` | What does a line hold? |
//! | `kind` | Which kinds of line are there, and which belong together? |
//! | `sentence` | How is a line told to a person? |
//! | `reason` | Why was a request refused? |
//! | `facet` | Under what is a line found? |
//! | `days` | How often, day by day? |
//!
//! Invariants: a line has ids, names as they were at the time, and numbers; never a token, a password, a code or an
//! argument of a call. Every text in it has a greatest length. A line is never changed.

mod days;
mod facet;
mod kind;
mod line;
mod reason;
mod sentence;

pub use days::{DAYS, DayCounts, ServerDays, day_of};
pub use facet::{Facet, FacetMarks};
pub use kind::{EventClass, EventKind};
pub use line::{Actor, CallFacts, CallOutcome, Event, MAX_TEXT, Named};
pub use reason::{Refusal, RefusedBecause};

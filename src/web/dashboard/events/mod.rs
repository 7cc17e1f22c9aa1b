//! What happened? The audit log as its readers see it: each their own in "Activity", admins all of it in "Events".
//!
//! | File | Question |
//! | --- | --- |
//! | `activity` | What did I do, and what was done in my name? |
//! | `all` | What did anybody do? |
//! | `export` | How does an admin take the log away? |
//! | `filter` | What does the form ask for? |
//! | `rows` | How is a line shown? |

mod activity;
mod all;
mod export;
mod filter;
mod rows;

pub use activity::{ActivityView, get as get_activity};
pub use all::{EventsView, get as get_events};
pub use export::get as get_export;
pub(super) use filter::filtered_by;
pub use filter::{FilterForm, FilterQuery};
#[cfg(test)]
pub(super) use rows::samples;
pub use rows::{EventRow, Log, RefusalRow};

//! The guarded servers: those of the dashboard are added, changed, switched and removed here, beside the built-in one and
//! those of the configuration file.
//!
//! | File | Question |
//! | --- | --- |
//! | `changed` | How is a server of the dashboard added, changed, switched and removed, and what ends with it? |
//! | `directory` | How do the file's servers and the dashboard's become one directory, and the next one after a change? |
//! | `judged` | May there be such a server of the dashboard's, at such a place? |
//! | `listed` | Which servers are there, and what is known of each? |
//! | `unknown_in_rules` | Whom and what do the servers' rules name that does not exist? |
//!
//! Each change is judged, committed, published as a new directory and then answered: it holds from the very next request on.
//! A server that is not touched stays the same in memory, with its connections, programs and streams.

mod changed;
mod directory;
mod judged;
mod listed;
mod unknown_in_rules;

pub use directory::NotServed;
pub use judged::ServerRefusal;
pub use listed::ServerEntry;

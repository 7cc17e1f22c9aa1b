//! Do the clients that everybody uses find their way in? Walks it from outside, as they do: the address, the challenge, the
//! documents, registration, the login page, streams and, with a token, a call (MCP authorization, RFC 9728, RFC 8414, RFC 7591).
//!
//! What a reverse proxy or a setting breaks is said in words with the next step. Nobody is signed in by it, and all that it leaves
//! behind are registrations that are forgotten like any that were never used.

mod client;
mod finding;
mod judge;
mod walk;

pub use client::{CLIENTS, CheckedClient};
pub use finding::{Finding, Step, Trouble, Walk};
pub use judge::forwarded;
pub use walk::{NotAServerUrl, Target, server_url, walk};

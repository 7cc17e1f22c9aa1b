//! What may whoever holds the data directory ask for, and how do they reach the server? Revoke a token, look after signing
//! keys, let somebody in again or keep them out, with no session behind it: the file system has decided who may.
//!
//! One [`Request`] is done by one function, [`fn@perform`], whether the server runs or not. While it runs it listens on the
//! unix socket `control` in its data directory ([`ControlSocket`]), and [`ask`] asks there; a stopped server's data is
//! opened by whoever wants something done.
//!
//! Invariants: the socket is open to the user who runs the server and to root only, by its directory, its mode and the
//! peer's user id; a request is one line of bounded length that arrives in bounded time; what is answered is durable and
//! in force on this server, so the next request of a revoked token is refused.

mod client;
mod listener;
mod perform;
mod request;

pub use client::{AskError, ask};
pub use listener::{ControlSocket, NoSocket};
pub use perform::perform;
pub use request::{Answer, BadAnswer, BadRequest, Request, VERSION};

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest request, in bytes, without the end of its line.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// Longest answer, in bytes: some thousand users or signing keys.
pub const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Requests at once; who comes later waits.
const CONNECTIONS: u32 = 4;

/// Longest time for a request to arrive, and for an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest wait for an answer; longer than the server waits for a place, hashes a password and commits.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

/// The socket of the server that has its data in `directory`.
pub fn socket_path(directory: &Path) -> PathBuf {
    directory.join("control")
}

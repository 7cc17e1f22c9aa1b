//! Guarded MCP servers and who may use them.
//!
//! | File | Question |
//! | --- | --- |
//! | `server` | What is a guarded server? |
//! | `server_directory` | Which server does this path, name or resource mean? |
//! | `decision` | May the holder of this token do that at this server? |

mod server;
mod server_directory;
mod decision;

pub use decision::{InsufficientScope, decide};
pub use server::{GuardedServer, NotAServerName, ServerKind, ServerName};
pub use server_directory::{ServerDirectory, SharedPlace};

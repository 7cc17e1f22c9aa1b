//! Guarded MCP servers and who may use them.
//!
//! | File | Question |
//! | --- | --- |
//! | `upstream` | What stands behind a guarded server that is not built in? |
//! | `rule` | Who may use a server, and what does each scope open there? |
//! | `server` | What is a guarded server? |
//! | `server_directory` | Which server does this path, name or resource mean? |
//! | `decision` | May the holder of this token do that at this server? |

mod upstream;
mod rule;
mod server;
mod server_directory;
mod decision;

pub use decision::{InsufficientScope, decide};
pub use rule::AccessRule;
pub use server::{GuardedServer, NotAServerName, PathError, ServerKind, ServerName, ServerSource};
pub use server_directory::{ServerDirectory, SharedPlace};
pub use upstream::{
    ChildMode, CredentialError, HttpUpstream, StdioUpstream, UpstreamCredential, UpstreamTimeouts, UpstreamUrl,
    UpstreamUrlError,
};

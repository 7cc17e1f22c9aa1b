//! Guarded MCP servers and who may use them.
//!
//! | File | Question |
//! | --- | --- |
//! | `upstream_credential` | What does the gateway show an HTTP upstream? |
//! | `upstream` | What stands behind a guarded server that is not built in? |
//! | `tool_pattern` | Which tools does this pattern name? |
//! | `operation` | What does a message ask for? |
//! | `rule` | Who may do what at a server? |
//! | `server` | What is a guarded server? |
//! | `proxied` | What is a server behind a proxy of the owner's? |
//! | `description` | What does somebody say about a server, and can there be such a server? |
//! | `upstream_key` | What does a user show an upstream that wants a key of each caller's own? |
//! | `upstream_session` | Whose is a session of an upstream's? |
//! | `stored_server` | What is kept of a server that an admin described in the dashboard? |
//! | `server_directory` | Which server does this path, name or resource mean? |
//! | `decision` | May the holder of this token do that at this server? |

mod upstream_credential;
mod upstream;
mod tool_pattern;
mod operation;
mod rule;
mod server;
mod proxied;
mod description;
mod upstream_key;
mod upstream_session;
mod stored_server;
mod server_directory;
mod decision;

pub use decision::{Denied, InsufficientScope, Permission, decide, shows_tool};
pub use description::{BadDescription, CredentialDescription, CredentialValue, MAX_TITLE, ServerDescription};
pub use operation::{Effect, Operation, ToolCall};
pub use proxied::ProxiedUrlError;
pub use rule::{AccessRule, MAX_OWN_SCOPES, OwnScope, RuleError};
pub use server::{GuardedServer, NotAServerName, PathError, ServerKind, ServerName, ServerSource};
pub use server_directory::{ServerDirectory, SharedPlace};
pub use stored_server::{MAX_STORED_ENVIRONMENT, MAX_STORED_SERVERS, MAX_STORED_TEXT, StoredServer};
pub use tool_pattern::{MAX_PATTERN, NotAToolPattern, ToolPattern};
pub use upstream::{
    ChildMode, HttpUpstream, MAX_UPSTREAM_URL, StdioUpstream, UpstreamTimeouts, UpstreamUrl, UpstreamUrlError,
};
pub use upstream_credential::{CredentialError, FixedCredential, MAX_PREFIX, PerUserCredential, UpstreamCredential};
pub use upstream_key::{MAX_UPSTREAM_KEY, NotAnUpstreamKey, SealedUpstreamKey, UpstreamKey};
pub use upstream_session::{SessionBinder, UpstreamSession};

//! How does a call reach an MCP server over HTTP, and how does the answer come back?
//!
//! | File | Question |
//! | --- | --- |
//! | `framing` | Where does an answer begin, and where does it end? |
//! | `connection` | What is said over one connection? |
//! | `pool` | Which connections are free? |
//! | `client` | Over which connections? |
//! | `link` | What is known about an upstream before a call comes? |
//! | `headers` | Which headers go on, and which come back? |
//! | `identity` | What does the upstream learn about who calls? |
//! | `own_key` | What goes to an upstream that wants a key of each caller's own? |
//! | `session` | What does a client hold of its session there? |
//! | `error` | What went wrong, who is told what, and what says the log? |
//! | `probe` | Does an MCP server answer at a URL? |
//! | `revision` | What becomes of an answer about revisions and capabilities? |
//! | `stream` | How does an answer flow, and when is it given up? |
//! | `forward` | In which order does all that happen? |
//!
//! Invariants: an answer is never held back to be collected (but for small refusals, see `revision`); what may have reached
//! an upstream is never sent again; when the client leaves, the upstream's connection is closed.

mod client;
mod connection;
mod error;
mod forward;
mod framing;
mod headers;
pub(super) mod identity;
mod link;
mod pool;
mod own_key;
mod probe;
mod revision;
mod session;
mod stream;

pub(super) use forward::HttpUpstreams;

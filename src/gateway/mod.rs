//! What stands in front of every guarded MCP server: who may pass, and what the others are told.
//!
//! | File | Question |
//! | --- | --- |
//! | `router` | What happens to a request for a server's URL, in which order? |
//! | `admit` | Does its token open this server? |
//! | `open_streams` | How long may an answer go on? |
//! | `post` | Which body is read at all, and how? |
//! | `decide` | May what it says go on? |
//! | `catalogue` | Which tools say that they change nothing? |
//! | `call` | What goes on to a server that is not built in? |
//! | `tool_list` | What does an answer to `tools/list` show, and what of it may this token see? |
//! | `sse` | Where does one event of a stream end, and what is its data? |
//! | `list_filter` | How does an answer with a list of tools reach its client? |
//! | `change_watch` | Has a server said that its tools have changed? |
//! | `told` | What of a request goes into the audit log? |
//! | `verify` | What is a proxy told that asks about a request of its own? |
//! | `challenge` | What does a client read that may not pass? |
//! | `cors` | Which pages in a browser may call, and what may they see? |
//! | `error` | What is told that is no question of rights? |
//! | `greeting` | What of a server's answers to a test is shown? |
//! | `insight` | What do pages learn of the servers? |
//! | `http` | How does a call reach an MCP server over HTTP, and how does the answer come back? |
//! | [`stdio`] | How do many clients reach a program on its standard input and output? |

mod admit;
mod call;
mod catalogue;
mod challenge;
mod change_watch;
mod cors;
mod decide;
mod error;
mod greeting;
mod insight;
mod list_filter;
mod open_streams;
mod post;
mod http;
mod router;
pub mod stdio;
mod sse;
mod told;
mod tool_list;
mod verify;

pub use open_streams::{ANSWER_OUTLIVES_TOKEN, NOTICED_WITHIN, OpenStreams};
pub use router::{ConnectPage, GatewayOptions, router, routes};

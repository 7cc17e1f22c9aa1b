//! What stands in front of every guarded MCP server: who may pass, and what the others are told.
//!
//! | File | Question |
//! | --- | --- |
//! | `router` | What happens to a request for a server's URL, in which order? |
//! | `admit` | Does its token open this server? |
//! | `challenge` | What does a client read that may not pass? |
//! | `cors` | Which pages in a browser may call, and what may they see? |
//! | `error` | What is told that is no question of rights? |
//! | [`stdio`] | How do many clients reach a program on its standard input and output? |

mod admit;
mod challenge;
mod cors;
mod error;
mod router;
pub mod stdio;

pub use router::{ConnectPage, GatewayOptions, router};

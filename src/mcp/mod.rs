//! The built-in MCP server and its tools: both eras of the protocol at one URL.
//!
//! | File | Question |
//! | --- | --- |
//! | `members` | Which members does a JSON object have, of those that matter? |
//! | `jsonrpc` | What did the client say? |
//! | `era` | By which revision of the protocol does it speak? |
//! | `error` | What is it told when something is wrong? |
//! | `answer` | How does a result become bytes? |
//! | `posted` | What does a POST say, message by message? |
//! | `server` | What is answered to which method? |
//! | `tools` | What can be done here? |
//! | `names` | What do people call the token or client that asks? |
//!
//! *Modern* is revision 2026-07-28 (stateless requests), *legacy* are 2025-11-25, 2025-06-18 and 2025-03-26, served without
//! sessions. Who asks is decided before anything here runs: [`Asker`] holds the proof.

pub(crate) mod members;
pub mod jsonrpc;
mod era;
mod error;
mod mirrored;
pub(crate) mod answer;
mod posted;
mod names;
mod tools;
mod server;

pub use era::{Era, LEGACY, MODERN};
pub use error::RpcError;
pub use mirrored::{Mirrored, is_any_mirrored};
pub use posted::{Posted, Said, Unfit};
pub use server::{Asker, BuiltinServer};
pub use tools::definitions;

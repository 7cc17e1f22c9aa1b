//! How does a program that is an MCP server on its standard input and output become one that many clients reach over HTTP?
//!
//! | File | Question |
//! | --- | --- |
//! | [`supervisor`] | What makes sure that nothing outlives Keyward? |

pub mod supervisor;

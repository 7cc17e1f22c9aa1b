//! When, from where and by what was something used last?

use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Longest `User-Agent` that is kept, in bytes.
pub const MAX_USER_AGENT: usize = 120;

/// A last use, as the dashboard shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUse {
    /// When.
    pub at: Timestamp,
    /// From which address, if known.
    pub address: Option<IpAddr>,
    /// The caller's `User-Agent`, shortened by [`shorten_user_agent`]; may be empty.
    pub user_agent: String,
}

/// The part of a `User-Agent` that is kept: printable ASCII, at most [`MAX_USER_AGENT`] bytes.
pub fn shorten_user_agent(value: &str) -> String {
    value.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(MAX_USER_AGENT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_agent_is_short_and_printable() {
        assert_eq!(shorten_user_agent("a\u{202e}b\u{7}c d"), "abc d");
        assert_eq!(shorten_user_agent(&"x".repeat(500)).len(), MAX_USER_AGENT);
    }
}

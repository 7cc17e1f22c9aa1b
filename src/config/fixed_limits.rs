//! Which limits are there that nobody can set? The one table of them, for the README and for whoever wonders why
//! something is refused. The numbers are each module's own; the limits that can be set are among [`super::OPTIONS`].

use crate::account::group::{MAX_GROUP_NAME, MAX_GROUPS_OF_USER};
use crate::account::password::MAX_PASSWORD;
use crate::account::personal_token::{MAX_REACH, MAX_TOKEN_NAME};
use crate::account::user::MAX_USERNAME;
use crate::app::groups::MAX_GROUPS;
use crate::mcp::jsonrpc::MAX_BATCH;
use crate::oauth::authorization::{MAX_QUERY, MAX_STATE};
use crate::oauth::claimed_metadata::{MAX_NAME, MAX_REDIRECT_URIS};
use crate::oauth::client_document::MAX_DOCUMENT;
use crate::oauth::redirect_uri::MAX_REDIRECT_URI;
use crate::oauth::scope::{MAX_SCOPE, MAX_SCOPES};
use crate::token::MAX_TOKEN;

/// A limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedLimit {
    /// Of what, with its unit.
    pub what: &'static str,
    /// The most.
    pub most: usize,
}

const fn limit(what: &'static str, most: usize) -> FixedLimit {
    FixedLimit { what, most }
}

/// Every one that a caller can come upon, in the order of the README.
pub const FIXED_LIMITS: &[FixedLimit] = &[
    limit("Characters of a user name", MAX_USERNAME),
    limit("Characters of a password", MAX_PASSWORD),
    limit("Characters of a group's name", MAX_GROUP_NAME),
    limit("Groups that one user is in", MAX_GROUPS_OF_USER),
    limit("Groups", MAX_GROUPS),
    limit("Characters of a personal token's name", MAX_TOKEN_NAME),
    limit("Servers that are chosen for one personal token", MAX_REACH),
    limit("Bytes of a token", MAX_TOKEN),
    limit("Characters of a client's name", MAX_NAME),
    limit("Redirect URIs of a client", MAX_REDIRECT_URIS),
    limit("Bytes of a redirect URI", MAX_REDIRECT_URI),
    limit("Bytes of a client's metadata document", MAX_DOCUMENT),
    limit("Bytes of an authorization request", MAX_QUERY),
    limit("Bytes of its `state`", MAX_STATE),
    limit("Scopes in one request or token", MAX_SCOPES),
    limit("Characters of a scope", MAX_SCOPE),
    limit("Messages in one JSON-RPC batch", MAX_BATCH),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_has_every_fixed_limit_and_no_other() {
        let lines = include_str!("../../README.md").lines().skip_while(|line| *line != "| Fixed limit | Most |");
        let table: Vec<&str> = lines.skip(2).take_while(|line| line.starts_with('|')).collect();
        let expected: Vec<String> =
            FIXED_LIMITS.iter().map(|limit| format!("| {} | {} |", limit.what, limit.most)).collect();
        assert_eq!(table, expected, "the table should be:\n{}\n", expected.join("\n"));
    }
}

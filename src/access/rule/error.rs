//! What is wrong with a rule as it is written, in words for who wrote it?

use super::{MAX_OWN_SCOPES, MOST_OF_GROUP};
use crate::access::tool_pattern::NotAToolPattern;
use crate::account::group::NotAGroupName;
use crate::account::user::NotAUsername;
use crate::oauth::scope::{ScopeError, ScopeSet};

/// Why settings are no rule. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A name that no user can have.
    #[error("“{name}” is no user name: {why}")]
    User {
        /// As written.
        name: String,
        /// Why.
        why: NotAUsername,
    },
    /// The most for a name that no user can have.
    #[error("“{name}” is no user name: {why}")]
    MostUser {
        /// As written.
        name: String,
        /// Why.
        why: NotAUsername,
    },
    /// A list of users without any.
    #[error("the list of users is empty, so nobody could use the server; leave it out for every user")]
    NoUsers,
    /// A name that no group can have.
    #[error("“{name}” is no group: {why}")]
    Group {
        /// As written.
        name: String,
        /// Why.
        why: NotAGroupName,
    },
    /// The most for a name that no group can have.
    #[error("“{MOST_OF_GROUP}{name}” is no group: {why}")]
    MostGroup {
        /// As written, without the mark.
        name: String,
        /// Why.
        why: NotAGroupName,
    },
    /// A group in the list of users.
    #[error("“{0}” is no user name; groups have a list of their own, groups = [\"…\"]")]
    GroupAmongUsers(String),
    /// A list of groups without any.
    #[error("the list of groups is empty; leave it out")]
    NoGroups,
    /// A name that no scope can have.
    #[error("“{name}” is no scope: {why}")]
    Scope {
        /// As written.
        name: String,
        /// Why.
        why: ScopeError,
    },
    /// The name of a scope that means something at every server.
    #[error("the scope {0} has its meaning already; choose another name, such as files:write")]
    TakenScope(String),
    /// More than [`MAX_OWN_SCOPES`].
    #[error("a server has at most {MAX_OWN_SCOPES} scopes of its own")]
    TooManyScopes,
    /// A scope that opens nothing.
    #[error("the scope {0} names no tools; give it patterns, such as [\"write_*\"]")]
    NoTools(String),
    /// A text that names no tools.
    #[error("“{pattern}” in the scope {scope}: {why}")]
    Pattern {
        /// The scope.
        scope: String,
        /// As written.
        pattern: String,
        /// Why.
        why: NotAToolPattern,
    },
    /// The most for somebody is a scope that the server does not have.
    #[error("the most for {user} names the scope {scope}, which this server does not have; it has {known}")]
    UnknownMost {
        /// Whose.
        user: String,
        /// Which.
        scope: String,
        /// Those it has.
        known: ScopeSet,
    },
    /// Two entries for one user or group.
    #[error("the most for {0} is given twice: names that differ in letter case only are one name")]
    RepeatedMost(String),
}

impl RuleError {
    /// In which part of a rule's settings it is.
    pub const fn part(&self) -> &'static str {
        match self {
            Self::User { .. } | Self::NoUsers | Self::GroupAmongUsers(_) => "users",
            Self::Group { .. } | Self::NoGroups => "groups",
            Self::Scope { .. }
            | Self::TakenScope(_)
            | Self::TooManyScopes
            | Self::NoTools(_)
            | Self::Pattern { .. } => "scopes",
            Self::MostUser { .. } | Self::MostGroup { .. } | Self::UnknownMost { .. } | Self::RepeatedMost(_) => "most",
        }
    }

    /// The same, in the part about the most.
    pub(super) fn in_most(self) -> Self {
        match self {
            Self::User { name, why } => Self::MostUser { name, why },
            Self::Group { name, why } => Self::MostGroup { name, why },
            other => other,
        }
    }
}

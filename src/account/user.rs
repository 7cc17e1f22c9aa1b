//! Who has an account?
//!
//! A user is named by a [`Username`]; two names that differ only in letter case are one name, so limits and look-ups
//! always go by [`Username::canonical`].

use crate::account::group::GroupName;
use crate::account::password::PasswordHash;
use crate::clock::Timestamp;
use crate::id::UserId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest user name, in characters.
pub const MAX_USERNAME: usize = 64;

/// A name to sign in with: 1 to 64 of `A-Z a-z 0-9 . _ @ + -`, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Username(String);

/// Why a text is no user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("A user name has 1 to {MAX_USERNAME} letters, digits or . _ @ + - and begins with a letter or digit.")]
pub struct NotAUsername;

impl Username {
    /// Reads a name as typed; white space around it is ignored.
    pub fn parse(text: &str) -> Result<Self, NotAUsername> {
        let text = text.trim();
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._@+-".contains(c);
        let good = text.len() <= MAX_USERNAME
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(allowed);
        if good { Ok(Self(text.to_owned())) } else { Err(NotAUsername) }
    }

    /// As its owner writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that look-ups and limits use.
    pub fn canonical(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a user may do in the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Also looks after signing keys, clients, servers and users.
    Admin,
    /// Looks after their own tokens and connections.
    Member,
}

/// A person with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Never changes, unlike the name.
    pub id: UserId,
    /// What they sign in with.
    pub name: Username,
    /// Admin or member.
    pub role: Role,
    /// What checks their password.
    pub password: PasswordHash,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When the password was last set; sessions that are older than this are over.
    pub password_set_at: Timestamp,
    /// Since when nothing of theirs is accepted, if so.
    pub disabled_at: Option<Timestamp>,
    /// The groups that they are in, sorted.
    pub groups: Vec<GroupName>,
    /// When they last signed in with their password.
    pub last_signed_in_at: Option<Timestamp>,
}

/// Who asks, as far as access rules go: by name and by group.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    /// What they sign in with, as they write it.
    pub name: &'a str,
    /// The groups that they are in.
    pub groups: &'a [GroupName],
}

impl User {
    /// For access rules.
    pub fn person(&self) -> Person<'_> {
        Person { name: self.name.as_str(), groups: &self.groups }
    }

    /// May administer, and is not disabled.
    pub fn is_acting_admin(&self) -> bool {
        self.is_admin() && !self.is_disabled()
    }

    /// May administer.
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    /// Nothing of theirs is accepted.
    pub const fn is_disabled(&self) -> bool {
        self.disabled_at.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_are_one_name() {
        let name = Username::parse(" Ada.Lovelace ").unwrap();
        assert_eq!(name.as_str(), "Ada.Lovelace");
        assert_eq!(name.canonical(), Username::parse("ADA.lovelace").unwrap().canonical());
    }

    #[test]
    fn names_have_a_plain_alphabet() {
        for wrong in ["", " ", ".ada", "a b", "ada\u{202e}", "ädä", "a/b", "<b>", &"a".repeat(65)] {
            assert_eq!(Username::parse(wrong), Err(NotAUsername), "{wrong:?}");
        }
        assert!(Username::parse("ada+mcp@example.org").is_ok());
    }
}

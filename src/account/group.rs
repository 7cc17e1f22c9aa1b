//! Which people belong together? A group: a name for access rules, and whoever is in it.
//!
//! The name is the group: it is what `[servers.NAME]` says, so it never changes. Who is in it stands with each user
//! ([`crate::account::user::User::groups`]), so that one look at a user tells what they may do.

use crate::clock::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Longest name of a group, in characters.
pub const MAX_GROUP_NAME: usize = 64;
/// Longest description of a group, in characters.
pub const MAX_GROUP_DESCRIPTION: usize = 200;
/// Most groups that one user is in.
pub const MAX_GROUPS_OF_USER: usize = 50;

/// The name of a group: 1 to 64 of `a-z 0-9 . _ -`, beginning with a letter or digit. Capitals are read as small letters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(String);

/// Why a text is no name of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("A group’s name has 1 to {MAX_GROUP_NAME} letters, digits or . _ - and begins with a letter or digit.")]
pub struct NotAGroupName;

impl GroupName {
    /// Reads a name as typed; white space around it and letter case are ignored.
    pub fn parse(text: &str) -> Result<Self, NotAGroupName> {
        let text = text.trim();
        let good = text.len() <= MAX_GROUP_NAME
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if good { Ok(Self(text.to_ascii_lowercase())) } else { Err(NotAGroupName) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for GroupName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for GroupName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A group, without its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// What rules call it.
    pub name: GroupName,
    /// What it is for, in its maker's words; may be empty.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A description that cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("A description is one line of at most {MAX_GROUP_DESCRIPTION} characters.")]
pub struct NotADescription;

/// Reads what a group is for, as typed.
pub fn parse_description(text: &str) -> Result<String, NotADescription> {
    let text = text.trim();
    let good = text.chars().count() <= MAX_GROUP_DESCRIPTION && !text.chars().any(char::is_control);
    if good { Ok(text.to_owned()) } else { Err(NotADescription) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_one_name_however_it_is_typed() {
        assert_eq!(GroupName::parse(" Writers ").unwrap().as_str(), "writers");
        assert_eq!(GroupName::parse("team-2.x_y"), GroupName::parse("TEAM-2.X_Y"));
        for wrong in ["", " ", "@writers", "a b", "-a", "ä", "a,b", "<b>", "a\u{202e}", &"a".repeat(65)] {
            assert_eq!(GroupName::parse(wrong), Err(NotAGroupName), "{wrong:?}");
        }
    }

    #[test]
    fn a_description_is_one_line() {
        assert_eq!(parse_description("  Who writes the docs ").as_deref(), Ok("Who writes the docs"));
        assert_eq!(parse_description(""), Ok(String::new()));
        assert!(parse_description("a\nb").is_err() && parse_description(&"x".repeat(201)).is_err());
    }
}

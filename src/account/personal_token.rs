//! What is known of a personal token, which is itself never kept?
//!
//! The record holds what the token's claims say and what its owner calls it. Its state follows from it and the time.

use crate::account::usage::LastUse;
use crate::clock::{Timestamp, days};
use crate::id::{KeyId, TokenId, UserId};
use crate::oauth::resource::ResourceUri;
use crate::oauth::scope::ScopeSet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Longest name of a personal token, in characters.
pub const MAX_TOKEN_NAME: usize = 80;
/// Most servers that one token is made for by name.
pub const MAX_REACH: usize = 50;

/// What its owner calls a personal token: 1 to 80 visible characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenName(String);

/// Why a text is no token name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Give the token a name of 1 to {MAX_TOKEN_NAME} visible characters, such as “Claude Code on laptop”.")]
pub struct NotATokenName;

impl TokenName {
    /// Reads a name as typed; white space around it is ignored.
    pub fn parse(text: &str) -> Result<Self, NotATokenName> {
        let text = text.trim();
        let length = text.chars().count();
        if length == 0 || length > MAX_TOKEN_NAME || text.chars().any(is_invisible) {
            return Err(NotATokenName);
        }
        Ok(Self(text.to_owned()))
    }

    /// As its owner writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which names of one owner must differ.
    pub fn canonical(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Control characters and those that change the direction or the look of the text around them.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Which servers a personal token opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    /// Every server that its owner may use, now and later.
    AllServers,
    /// These servers only.
    Servers(Vec<ResourceUri>),
}

/// How long personal tokens live and how many a user may have.
#[derive(Debug, Clone, Copy)]
pub struct PersonalTokenPolicy {
    /// The default and the longest life; one year.
    pub longest: Duration,
    /// Live tokens of one user at most.
    pub per_user: usize,
    /// How long ended tokens stay in the list.
    pub keep_ended: Duration,
}

impl Default for PersonalTokenPolicy {
    fn default() -> Self {
        Self { longest: days(365), per_user: 100, keep_ended: days(90) }
    }
}

/// A personal token, without the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonalToken {
    /// The `jti` of the token.
    pub id: TokenId,
    /// Whose it is.
    pub owner: UserId,
    /// What they call it.
    pub name: TokenName,
    /// Which servers it opens.
    pub reach: Reach,
    /// What it may do there.
    pub scopes: ScopeSet,
    /// The key that signed it.
    pub key: KeyId,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// Whether whoever found it revoked it.
    pub was_found: bool,
    /// What has taken its place, if anything has.
    pub replaced: Option<Replacement>,
    /// The token whose place it has taken.
    pub replaces: Option<TokenId>,
}

/// What has taken the place of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    /// The new token.
    pub by: TokenId,
    /// From when on the old one is refused; never after it expires.
    pub ends_at: Timestamp,
}

/// What a personal token is good for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// Accepted.
    Live,
    /// Refused since it was revoked.
    Revoked,
    /// Refused since its time is over.
    Expired,
    /// Refused since another has taken its place.
    Replaced,
}

impl PersonalToken {
    /// Its state at `now`.
    pub fn state(&self, now: Timestamp) -> TokenState {
        match self.revoked_at {
            Some(_) => TokenState::Revoked,
            None if self.replaced.is_some_and(|replaced| now >= replaced.ends_at) => TokenState::Replaced,
            None if now >= self.expires_at => TokenState::Expired,
            None => TokenState::Live,
        }
    }

    /// From when on it is refused if nobody revokes it.
    pub fn ends_at(&self) -> Timestamp {
        self.replaced.map_or(self.expires_at, |replaced| replaced.ends_at.min(self.expires_at))
    }

    /// Whether its owner should think of a new one: it ends within `notice`, and of its life less than a quarter is left, so
    /// that a token for a week is not old when it is made. One that was replaced has been thought of.
    pub fn ends_within(&self, notice: Duration, now: Timestamp) -> bool {
        let left = self.expires_at.since(now);
        self.state(now) == TokenState::Live
            && self.replaced.is_none()
            && left <= notice
            && left < self.expires_at.since(self.created_at) / 4
    }

    /// When it ended, if it has.
    pub fn ended_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.revoked_at.or_else(|| (now >= self.ends_at()).then(|| self.ends_at()))
    }

    /// For how long it was made.
    pub fn life(&self) -> Duration {
        self.expires_at.since(self.created_at)
    }
}

/// A personal token as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalTokenEntry {
    /// The token.
    pub token: PersonalToken,
    /// Its last use, to the second.
    pub last_use: Option<LastUse>,
    /// What it is good for now.
    pub state: TokenState,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_visible_text() {
        assert_eq!(TokenName::parse("  Claude Code on laptop ").unwrap().as_str(), "Claude Code on laptop");
        assert_eq!(TokenName::parse("Büro").unwrap().canonical(), TokenName::parse("BÜRO").unwrap().canonical());
        assert!(TokenName::parse(&"é".repeat(80)).is_ok());
        for wrong in ["", "   ", "a\nb", "a\u{202e}b", "zero\u{200b}width", &"é".repeat(81)] {
            assert_eq!(TokenName::parse(wrong), Err(NotATokenName), "{wrong:?}");
        }
    }
}

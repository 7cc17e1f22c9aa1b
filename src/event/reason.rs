//! Why was a request refused? In words for the owner of the token and for admins.
//!
//! A refusal is the owner's only when the signature of the token was genuine: a stranger writes nothing on somebody's page.
//! Of a token that is none of ours nothing is kept but that it came.

use crate::clock::Timestamp;
use crate::event::line::{Named, cut};
use crate::id::{GrantId, TokenId, UserId};
use crate::token::RevokedBy;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Servers of a token that a reason names at most.
const MOST_NAMED: usize = 3;

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusedBecause {
    /// The token's time is over since then.
    Expired(Timestamp),
    /// The token is from the future, which begins then.
    NotYetValid(Timestamp),
    /// The token was ended.
    Revoked(RevokedBy),
    /// The token is for other servers.
    WrongServer {
        /// The URLs that it is for, the first few.
        good_for: Vec<String>,
        /// The URL that was asked.
        asked: String,
    },
    /// The account is disabled or gone.
    NoUser,
    /// The server is not for this user.
    NotForUser,
    /// The token lacks scopes: those that were needed.
    LacksScope(String),
    /// Nothing of that name is there for this user.
    NotThere,
    /// The `Authorization` header could not be read.
    Unreadable,
    /// Not a token that was signed here.
    NotOurs,
    /// Another kind of credential, such as a refresh token.
    WrongKind,
    /// The server was set up anew at its URL after the token was made.
    OlderThanServer,
    /// A connection was not renewed, for this reason.
    NotRenewed(String),
}

impl RefusedBecause {
    /// The token is good for these URLs, and `asked` is none of them.
    pub fn wrong_server<'a>(good_for: impl Iterator<Item = &'a str>, asked: &str) -> Self {
        Self::WrongServer { good_for: good_for.take(MOST_NAMED).map(cut).collect(), asked: cut(asked) }
    }

    /// The token lacks these scopes.
    pub fn lacks_scope(needed: &str) -> Self {
        Self::LacksScope(cut(needed))
    }

    /// A connection was not renewed; `why` as its client is told. What the client is to do about it is left out.
    pub fn not_renewed(why: &str) -> Self {
        Self::NotRenewed(cut(why.split(':').next().unwrap_or_default()))
    }

    /// A clause for people, seen from `now`: "the token expired 3 days ago".
    pub fn clause(&self, now: Timestamp) -> String {
        match self {
            Self::Expired(at) => format!("the token expired {} ago", span(now, *at)),
            Self::NotYetValid(from) => {
                format!("the token is dated {} ahead: look at the clocks", span(*from, now))
            }
            Self::Revoked(RevokedBy::Token) => "the token was revoked".to_owned(),
            Self::Revoked(RevokedBy::Grant) => "the connection that the token belongs to was revoked".to_owned(),
            Self::Revoked(RevokedBy::User) => "all tokens of the user were revoked".to_owned(),
            Self::Revoked(RevokedBy::Key) => "the key that signed the token was condemned".to_owned(),
            Self::Revoked(RevokedBy::Successor) => "the token was replaced by a new one".to_owned(),
            Self::Revoked(RevokedBy::Narrowing) => "what the connection may do was lowered".to_owned(),
            Self::WrongServer { good_for, asked } if good_for.is_empty() => {
                format!("the token is not for {asked}, which was asked")
            }
            Self::WrongServer { good_for, asked } => {
                format!("the token is for {}, but {asked} was asked", good_for.join(" and "))
            }
            Self::NoUser => "the account of the token's user is disabled or gone".to_owned(),
            Self::NotForUser => "the server is not for this user".to_owned(),
            Self::LacksScope(needed) => format!("it needs the scope {needed}, which the token does not have"),
            Self::NotThere => "nothing of that name is there for this user".to_owned(),
            Self::Unreadable => "the Authorization header could not be read".to_owned(),
            Self::NotOurs => "the token was not made here".to_owned(),
            Self::OlderThanServer => "the token was made for a server that stood at this address before".to_owned(),
            Self::WrongKind => "another kind of credential was sent instead of a token".to_owned(),
            Self::NotRenewed(why) => format!("the connection was not renewed, because {why}"),
        }
    }

    /// What to do about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Expired(_) | Self::OlderThanServer => "Connect again, or make a new token.",
            Self::NotYetValid(_) => "Set the clock of this server.",
            Self::Revoked(RevokedBy::Successor) => "Give the client the new token.",
            Self::Revoked(RevokedBy::Narrowing) => {
                "The client gets a token that may do less by itself, or connects again."
            }
            Self::Revoked(_) => "Connect again, or make a new token, if that was not on purpose.",
            Self::WrongServer { .. } => {
                "Give the client the address of the server that its token is for, or connect again."
            }
            Self::NoUser | Self::NotForUser | Self::NotThere => "An admin can change that.",
            Self::LacksScope(_) => "Connect again and allow it, or make a token that may.",
            Self::Unreadable => "The header is: Authorization: Bearer, one space, the token.",
            Self::NotOurs => "Look whether the client has a token of another installation.",
            Self::WrongKind => "Put a personal token or an access token there.",
            Self::NotRenewed(_) => "Connect the app again.",
        }
    }
}

/// A request that was refused, or several of the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The last time.
    pub at: Timestamp,
    /// How often.
    pub times: u32,
    /// Whose token it was, if its signature was genuine.
    pub owner: Option<Named<UserId>>,
    /// Which token, if its signature was genuine.
    pub token: Option<TokenId>,
    /// Its grant, if it has one.
    pub grant: Option<GrantId>,
    /// The client that it was given to, if its signature was genuine.
    pub client: Option<String>,
    /// The server that was asked.
    pub server: String,
    /// The tool or method that was asked for, if that was read.
    pub asked_for: Option<String>,
    /// Why.
    pub because: RefusedBecause,
    /// From where it came last.
    pub address: Option<IpAddr>,
}

impl Refusal {
    /// With texts as long as they may be.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self { asked_for: self.asked_for.as_deref().map(cut), client: self.client, ..self }
    }

    /// Whether it is the same as another, but for time and address.
    pub fn is_like(&self, other: &Self) -> bool {
        let of = |refusal: &Self| (refusal.owner.as_ref().map(|owner| owner.id), refusal.token);
        of(self) == of(other)
            && self.server == other.server
            && self.asked_for == other.asked_for
            && self.because == other.because
            && (self.owner.is_some() || self.address == other.address)
    }
}

/// How far `later` lies from `earlier`, in its largest unit: "3 days".
fn span(later: Timestamp, earlier: Timestamp) -> String {
    let seconds = later.since(earlier).as_secs();
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::days;

    #[test]
    fn a_reason_says_what_was_the_matter() {
        let now = Timestamp::from_unix_seconds(1_790_000_000);
        let wrong = RefusedBecause::wrong_server(["https://h/mcp/notes"].into_iter(), "https://h/mcp/files");
        for (reason, clause) in [
            (RefusedBecause::Expired(now - days(3)), "the token expired 3 days ago"),
            (wrong, "the token is for https://h/mcp/notes, but https://h/mcp/files was asked"),
            (
                RefusedBecause::not_renewed("the refresh token has expired: ask for authorization again"),
                "the connection was not renewed, because the refresh token has expired",
            ),
            (
                RefusedBecause::lacks_scope("files:write"),
                "it needs the scope files:write, which the token does not have",
            ),
        ] {
            assert_eq!(reason.clause(now), clause);
            assert!(reason.advice().ends_with('.'));
        }
    }
}

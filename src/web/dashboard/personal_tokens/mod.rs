//! How does a person keep personal tokens? Lists them, makes one, sees it once, renames, replaces and revokes it.

pub mod list;
pub mod expiry;
pub mod created;
pub mod prefill;
pub mod new;
pub mod show;
pub mod rename;
pub mod rotate;
pub mod revoke;

pub use created::{TokenAlreadyShownView, TokenCreatedView};
pub use expiry::ExpiryChoice;
pub use list::TokenListView;
pub use new::{ServerChoice, TokenFormView};
pub use rename::TokenRenameView;
pub use revoke::{TokenRevokeView, TokensRevokeAllView};
pub use rotate::TokenRotateView;
pub use show::TokenView;

use crate::access::ServerDirectory;
use crate::account::personal_token::{self, PersonalToken, PersonalTokenEntry, Reach};
use crate::clock::{Timestamp, days};
use crate::id::TokenId;
use crate::web::chart::Chart;
use crate::web::dashboard::{LastUsed, server_title};
use crate::web::scopes::in_words;
use crate::web::when::When;
use std::time::Duration;

/// A token that ends within this time, and of whose life less than a quarter is left, expires soon.
const SOON: Duration = days(14);

/// One personal token.
#[derive(Debug, Clone)]
pub struct TokenRow {
    /// Its id, which is the `jti` claim.
    pub id: TokenId,
    /// Its name.
    pub name: String,
    /// "All servers" or the titles of the chosen ones.
    pub reach: String,
    /// What it may do there, in words.
    pub allows: String,
    /// When it was made.
    pub created: When,
    /// When it stops or stopped working if nobody ends it before.
    pub expires: When,
    /// The latest use; none if it was never used.
    pub last_used: Option<LastUsed>,
    /// Requests of the last days; none where it was never used or that is not asked.
    pub requests: Option<Chart>,
    /// Whether it works.
    pub state: TokenState,
    /// The token that has taken its place.
    pub replaced_by: Option<TokenId>,
    /// The token whose place it has taken.
    pub replaces: Option<TokenId>,
}

/// Whether a personal token works now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenState {
    /// It works.
    Active,
    /// It works for 14 days at most, and the most of its life is over.
    ExpiresSoon,
    /// The same, and for 3 days at most.
    ExpiresVerySoon,
    /// Its time is over.
    Expired,
    /// It was revoked then.
    Revoked(When),
    /// Whoever found it ended it then.
    Found(When),
    /// Another has taken its place; it works until then.
    Leaving(When),
    /// Another has taken its place.
    Replaced,
}

impl TokenRow {
    /// The last characters of the id, by which a token in a log is recognised.
    pub fn tail(&self) -> String {
        let id = self.id.to_string();
        id[id.len() - 4..].to_owned()
    }

    /// Whether it may still be revoked.
    pub fn works(&self) -> bool {
        use TokenState::{Expired, Found, Replaced, Revoked};
        !matches!(self.state, Expired | Revoked(_) | Found(_) | Replaced)
    }

    /// When it ends, or ended, without anybody's doing; none if somebody ended it before.
    pub const fn ends(&self) -> Option<&When> {
        use TokenState::{Active, Expired, ExpiresSoon, ExpiresVerySoon, Found, Leaving, Replaced, Revoked};
        match &self.state {
            Active | ExpiresSoon | ExpiresVerySoon | Expired => Some(&self.expires),
            Leaving(at) => Some(at),
            Revoked(_) | Found(_) | Replaced => None,
        }
    }

    /// Whether another may still take its place.
    pub fn is_replaceable(&self) -> bool {
        self.works() && self.replaced_by.is_none()
    }
}

impl TokenRow {
    pub(in crate::web::dashboard) fn of(entry: PersonalTokenEntry, servers: &ServerDirectory, now: Timestamp) -> Self {
        let token = entry.token;
        Self {
            id: token.id,
            reach: reach_in_words(&token.reach, servers),
            allows: in_words(&token.scopes),
            created: When::new(token.created_at, now),
            expires: When::new(token.expires_at, now),
            last_used: entry.last_use.map(|last_use| LastUsed::new(last_use, now)),
            requests: None,
            state: TokenState::of(&token, now),
            replaced_by: token.replaced.map(|replaced| replaced.by),
            replaces: token.replaces,
            name: token.name.to_string(),
        }
    }
}

impl TokenState {
    fn of(token: &PersonalToken, now: Timestamp) -> Self {
        match token.state(now) {
            personal_token::TokenState::Revoked => {
                let at = When::new(token.revoked_at.unwrap_or(token.expires_at), now);
                if token.was_found { Self::Found(at) } else { Self::Revoked(at) }
            }
            personal_token::TokenState::Replaced => Self::Replaced,
            personal_token::TokenState::Live if token.replaced.is_some() => {
                Self::Leaving(When::new(token.ends_at(), now))
            }
            personal_token::TokenState::Expired => Self::Expired,
            personal_token::TokenState::Live if token.ends_within(days(3), now) => Self::ExpiresVerySoon,
            personal_token::TokenState::Live if token.ends_within(SOON, now) => Self::ExpiresSoon,
            personal_token::TokenState::Live => Self::Active,
        }
    }
}

/// "All servers" or the titles of the chosen ones.
fn reach_in_words(reach: &Reach, servers: &ServerDirectory) -> String {
    match reach {
        Reach::AllServers => "All servers".to_owned(),
        Reach::Servers(resources) => {
            resources.iter().map(|resource| server_title(servers, resource)).collect::<Vec<_>>().join(", ")
        }
    }
}

#[cfg(test)]
impl TokenRow {
    pub(crate) fn sample(name: &str, expires_in_days: i64, state: TokenState) -> Self {
        Self {
            id: TokenId::from_bytes([0x5a; 16]),
            name: name.to_owned(),
            reach: "All servers".to_owned(),
            allows: "everything that you may do".to_owned(),
            created: When::sample(-86_400 * 40),
            expires: When::sample(86_400 * expires_in_days + 60),
            last_used: Some(LastUsed::sample()),
            requests: Some(Chart::sample("request", "requests")),
            state,
            replaced_by: None,
            replaces: None,
        }
    }
}

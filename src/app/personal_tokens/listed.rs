//! Which tokens does a page of the list show, and at what cost?
//!
//! Tokens stand in the order in which they were made, so a page is a scan from a place on. A filter looks through a bounded
//! number of them ([`MOST_LOOKED_AT`]); where that does not fill the page, it says where to go on.

use super::rows::{live_ids, live_ids_until, live_tokens};
use crate::account::personal_token::{PersonalToken, PersonalTokenEntry, TokenState};
use crate::app::App;
use crate::app::error::OperationError;
use crate::clock::{Timestamp, days};
use crate::id::{TokenId, UserId};
use crate::store::tables::{PERSONAL_TOKENS, PERSONAL_TOKENS_BY_OWNER};
use crate::store::{Reads, Scan};
use std::time::Duration;

/// Tokens of one page, which stays light with a chart beside each.
const PER_PAGE: usize = 20;
/// Tokens that one page looks at.
const MOST_LOOKED_AT: usize = 1_000;
/// A token that ends within this time, and of whose life less than a quarter is left, expires soon.
pub(super) const SOON: Duration = days(14);

/// Tokens of one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenSort {
    /// Those that work.
    Live,
    /// Of these, those that expire soon.
    ExpiringSoon,
    /// Of those that work, those that were never used.
    NeverUsed,
    /// Those that work no more.
    Ended,
}

/// Which tokens are meant. Each part narrows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenFilter {
    /// What the name or the id contains, in any letter case.
    pub text: String,
    /// In which state they are.
    pub sort: Option<TokenSort>,
}

/// Which page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TokenPlace {
    /// The newest tokens.
    #[default]
    Newest,
    /// What was made before this token.
    OlderThan(TokenId),
    /// What was made after this token.
    NewerThan(TokenId),
}

/// Tokens, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPage {
    /// The tokens.
    pub entries: Vec<PersonalTokenEntry>,
    /// Where to go on towards older ones, if there may be some.
    pub older: Option<TokenId>,
    /// Where to go on towards newer ones, if there may be some.
    pub newer: Option<TokenId>,
    /// Whether the page ended because so much was looked through.
    pub is_cut_short: bool,
}

/// How many tokens somebody has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenSummary {
    /// That work.
    pub live: usize,
    /// Of these, how many expire soon.
    pub expiring_soon: usize,
}

impl TokenFilter {
    fn is_any(&self) -> bool {
        self.text.trim().is_empty() && self.sort.is_none()
    }

    fn fits(&self, token: &PersonalToken, now: Timestamp) -> bool {
        let needle = self.text.trim().to_lowercase();
        let is_called = || token.name.canonical().contains(&needle) || token.id.to_string().contains(&needle);
        let is_live = token.state(now) == TokenState::Live;
        let is_sorted = match self.sort {
            None => true,
            Some(TokenSort::Live | TokenSort::NeverUsed) => is_live,
            Some(TokenSort::ExpiringSoon) => token.ends_within(SOON, now),
            Some(TokenSort::Ended) => !is_live,
        };
        is_sorted && (needle.is_empty() || is_called())
    }
}

impl App {
    /// A page of the owner's tokens.
    pub fn personal_token_page(
        &self,
        owner: UserId,
        filter: &TokenFilter,
        place: TokenPlace,
    ) -> Result<TokenPage, OperationError> {
        let now = self.now();
        self.store.read(|tx| {
            // Without a filter every token fits.
            let most = if filter.is_any() { PER_PAGE + 1 } else { MOST_LOOKED_AT + 1 };
            let scan = Scan::prefix(&owner).limit(most);
            let (scan, backwards) = match place {
                TokenPlace::Newest => (scan.backwards(), true),
                TokenPlace::OlderThan(id) => (scan.backwards().after(&(owner, id)), true),
                TokenPlace::NewerThan(id) => (scan.after(&(owner, id)), false),
            };
            let (mut entries, mut go_on, mut is_cut_short) = (Vec::new(), None, false);
            for (looked_at, (_, id)) in tx.keys(PERSONAL_TOKENS_BY_OWNER, scan)?.into_iter().enumerate() {
                if looked_at == MOST_LOOKED_AT {
                    is_cut_short = true;
                    break;
                }
                if let Some(token) = tx.get(PERSONAL_TOKENS, &id)?
                    && filter.fits(&token, now)
                {
                    let entry = self.entry(tx, token, now)?;
                    if filter.sort == Some(TokenSort::NeverUsed) && entry.last_use.is_some() {
                        go_on = Some(id);
                        continue;
                    }
                    if entries.len() == PER_PAGE {
                        go_on = entries.last().map(|entry: &PersonalTokenEntry| entry.token.id);
                        is_cut_short = false;
                        return Ok(page(entries, place, go_on, is_cut_short, backwards));
                    }
                    entries.push(entry);
                }
                go_on = Some(id);
            }
            let go_on = go_on.filter(|_| is_cut_short);
            Ok(page(entries, place, go_on, is_cut_short, backwards))
        })
    }

    /// The owner's tokens that work, the one that ends first before the others, of at most `limit`; and how many there are.
    pub fn live_personal_tokens(
        &self,
        owner: UserId,
        limit: usize,
    ) -> Result<(Vec<PersonalTokenEntry>, usize), OperationError> {
        let now = self.now();
        self.store.read(|tx| {
            let ids = live_ids(tx, owner, now)?;
            let mut entries = Vec::with_capacity(limit);
            for id in ids.iter().take(limit) {
                if let Some(token) = tx.get(PERSONAL_TOKENS, id)? {
                    entries.push(self.entry(tx, token, now)?);
                }
            }
            Ok((entries, ids.len()))
        })
    }

    /// How many tokens of the owner are kept, ended ones included.
    pub fn personal_token_count(&self, owner: UserId) -> Result<usize, OperationError> {
        self.store.read(|tx| Ok(tx.count(PERSONAL_TOKENS_BY_OWNER, Scan::prefix(&owner))?))
    }

    /// How many tokens of the owner work.
    pub fn personal_token_summary(&self, owner: UserId) -> Result<TokenSummary, OperationError> {
        let now = self.now();
        self.store.read(|tx| {
            let mut expiring_soon = 0;
            for id in live_ids_until(tx, owner, now, now + SOON)? {
                let token = tx.get(PERSONAL_TOKENS, &id)?;
                expiring_soon += usize::from(token.is_some_and(|token| token.ends_within(SOON, now)));
            }
            Ok(TokenSummary { live: live_tokens(tx, owner, now)?, expiring_soon })
        })
    }
}

fn page(
    mut entries: Vec<PersonalTokenEntry>,
    place: TokenPlace,
    go_on: Option<TokenId>,
    is_cut_short: bool,
    backwards: bool,
) -> TokenPage {
    if !backwards {
        entries.reverse();
    }
    let first = entries.first().map(|entry| entry.token.id);
    let last = entries.last().map(|entry| entry.token.id);
    let (older, newer) = match place {
        TokenPlace::Newest => (go_on, None),
        TokenPlace::OlderThan(id) => (go_on, Some(first.unwrap_or(id))),
        TokenPlace::NewerThan(id) => (Some(last.unwrap_or(id)), go_on),
    };
    TokenPage { entries, older, newer, is_cut_short }
}

//! What should a user see before they ask? Tokens that expire soon, a token on a new network, a token that somebody found,
//! and what an admin or the command line took from them or did to their account.
//!
//! A notice is a line of the audit log that was put before its user when it was written, in the same transaction; or it follows
//! from a token and the time, and no clockwork has to run for it. Each stays until it is dismissed; of lines a bounded
//! number, and the oldest go first.

use crate::account::network::UseNetwork;
use crate::account::personal_token::PersonalToken;
use crate::account::token_watch::TokenWatch;
use crate::account::usage::LastUse;
use crate::app::App;
use crate::app::error::OperationError;
use crate::app::events::Pen;
use crate::app::personal_tokens::live_ids_until;
use crate::clock::days;
use crate::event::{Event, EventKind};
use crate::id::{EventId, TokenId, UserId};
use crate::store::tables::{NOTICES, PERSONAL_TOKENS, TOKEN_WATCHES};
use crate::store::{Reads, Scan, StoreError, WriteTx};

/// Lines that are put before one user at most.
const MOST: usize = 50;
/// Networks that a line names at most.
const MOST_NAMED: usize = 3;

/// Something that its user should see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserNotice {
    /// A line of the audit log.
    Line(EventId, Box<Event>),
    /// A token expires soon.
    Expiring(Box<PersonalToken>),
}

/// What is dismissed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dismissal {
    /// A line.
    Line(EventId),
    /// That this token expires, until it is nearer.
    Expiring(TokenId),
    /// Everything that is there now.
    All,
}

impl App {
    /// What the user should see: what expires first, then lines, the newest first.
    pub fn notices(&self, user: UserId) -> Result<Vec<UserNotice>, OperationError> {
        let now = self.now();
        self.store.read(|tx| {
            let mut notices = Vec::new();
            for id in live_ids_until(tx, user, now, now + days(30))? {
                let watch = tx.get(TOKEN_WATCHES, &id)?.unwrap_or_default();
                if let Some(token) = tx.get(PERSONAL_TOKENS, &id)?
                    && watch.expiry_notice(&token, now).is_some()
                {
                    notices.push(UserNotice::Expiring(Box::new(token)));
                }
            }
            for ((_, id), event) in tx.scan(NOTICES, Scan::prefix(&user).backwards().limit(MOST))? {
                notices.push(UserNotice::Line(id, Box::new(event)));
            }
            Ok(notices)
        })
    }

    /// Takes what was read from before the user.
    pub fn dismiss_notice(&self, user: UserId, what: Dismissal) -> Result<(), OperationError> {
        let all = if what == Dismissal::All { self.notices(user)? } else { Vec::new() };
        let mut lines: Vec<EventId> = Vec::new();
        let mut tokens: Vec<TokenId> = Vec::new();
        match what {
            Dismissal::Line(id) => lines.push(id),
            Dismissal::Expiring(id) => tokens.push(id),
            Dismissal::All => {
                for notice in all {
                    match notice {
                        UserNotice::Line(id, _) => lines.push(id),
                        UserNotice::Expiring(token) => tokens.push(token.id),
                    }
                }
            }
        }
        let now = self.now();
        self.store.write(move |tx| {
            for id in lines {
                tx.remove(NOTICES, &(user, id))?;
            }
            for id in tokens {
                let Some(token) = tx.get(PERSONAL_TOKENS, &id)?.filter(|token| token.owner == user) else { continue };
                let watch = tx.get(TOKEN_WATCHES, &id)?.unwrap_or_default();
                if let Some(due) = watch.expiry_notice(&token, now) {
                    tx.put(TOKEN_WATCHES, &id, &TokenWatch { dismissed: Some(due), ..watch })?;
                }
            }
            Ok::<_, OperationError>(())
        })
    }
}

/// Puts a line before a user.
pub(super) fn put_notice(tx: &mut WriteTx, user: UserId, id: EventId, line: &Event) -> Result<(), StoreError> {
    tx.put(NOTICES, &(user, id), line)?;
    let all = tx.keys(NOTICES, Scan::prefix(&user))?;
    for key in all.iter().take(all.len().saturating_sub(MOST)) {
        tx.remove(NOTICES, key)?;
    }
    Ok(())
}

/// Removes what was put before a user who is gone.
pub(super) fn forget_notices_of(tx: &mut WriteTx, user: UserId) -> Result<(), StoreError> {
    for key in tx.keys(NOTICES, Scan::prefix(&user))? {
        tx.remove(NOTICES, &key)?;
    }
    Ok(())
}

/// Remembers where a token was used from, and tells its owner of what is new. `before` is its last use before these.
pub(super) fn note_networks(
    tx: &mut WriteTx,
    pen: &Pen,
    token: &PersonalToken,
    before: Option<&LastUse>,
    seen: &[UseNetwork],
) -> Result<(), StoreError> {
    let known = tx.get(TOKEN_WATCHES, &token.id)?;
    let mut watch = known.clone().unwrap_or_default();
    if let Some(address) = before.and_then(|before| before.address)
        && watch.networks.is_empty()
    {
        watch.networks.push(UseNetwork::of(address));
    }
    let new = watch.note(seen);
    if !new.is_empty() {
        if let Some(told) = watch.told {
            tx.remove(NOTICES, &(token.owner, told))?;
        }
        let named: Vec<_> = new.iter().take(MOST_NAMED).map(ToString::to_string).collect();
        let event = Event::of(EventKind::TokenOnNewNetwork).about(token.owner).token(token.id, token.name.as_str());
        watch.told = Some(pen.write_for(tx, event.note(&named.join(" and ")), token.owner)?);
    }
    if known.as_ref() != Some(&watch) {
        tx.put(TOKEN_WATCHES, &token.id, &watch)?;
    }
    Ok(())
}

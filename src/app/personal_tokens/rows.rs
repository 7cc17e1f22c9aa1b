//! Which rows does a token have, and how do they agree? The token itself, its place among its owner's, the moment at which
//! it ends, its name, and what is known of its use.
//!
//! Invariant: [`PERSONAL_TOKENS_BY_END`] has a row for each token that was not revoked, under [`PersonalToken::ends_at`]. So
//! those that live are found without a look at those that have ended.

use crate::account::personal_token::{PersonalToken, TokenState};
use crate::app::App;
use crate::app::error::OperationError;
use crate::app::events::Pen;
use crate::app::revoke::record;
use crate::clock::Timestamp;
use crate::event::{Event, EventKind};
use crate::id::{TokenId, UserId};
use crate::store::tables::{
    PERSONAL_TOKEN_NAMES, PERSONAL_TOKENS, PERSONAL_TOKENS_BY_END, PERSONAL_TOKENS_BY_OWNER, PERSONAL_TOKENS_INDEXED,
    TOKEN_DAYS, TOKEN_USES, TOKEN_WATCHES,
};
use crate::store::{Reads, Scan, StoreError, WriteTx};
use crate::token::RevocationEntry;
use std::time::Duration;

/// Tokens that are indexed in one transaction.
const AT_ONCE: usize = 1_000;

/// A line about a token.
pub(super) fn told(kind: EventKind, token: &PersonalToken) -> Event {
    Event::of(kind).about(token.owner).token(token.id, token.name.as_str())
}

pub(super) fn owned(tx: &WriteTx, owner: UserId, id: TokenId) -> Result<PersonalToken, OperationError> {
    let token = tx.get(PERSONAL_TOKENS, &id)?.filter(|token| token.owner == owner);
    token.ok_or(OperationError::NotFound("token"))
}

/// Writes a token, new or changed.
pub(super) fn put_token(tx: &mut WriteTx, token: &PersonalToken) -> Result<(), OperationError> {
    if let Some(before) = tx.get(PERSONAL_TOKENS, &token.id)? {
        tx.remove(PERSONAL_TOKENS_BY_END, &(before.owner, before.ends_at(), before.id))?;
    }
    tx.put(PERSONAL_TOKENS, &token.id, token)?;
    tx.put(PERSONAL_TOKENS_BY_OWNER, &(token.owner, token.id), &())?;
    if token.revoked_at.is_none() {
        tx.put(PERSONAL_TOKENS_BY_END, &(token.owner, token.ends_at(), token.id), &())?;
    }
    Ok(())
}

/// Removes a token with all that is known of it.
pub(in crate::app) fn forget_token(tx: &mut WriteTx, token: &PersonalToken) -> Result<(), OperationError> {
    let id = token.id;
    release_name(tx, token)?;
    tx.remove(PERSONAL_TOKENS, &id)?;
    tx.remove(PERSONAL_TOKENS_BY_OWNER, &(token.owner, id))?;
    tx.remove(PERSONAL_TOKENS_BY_END, &(token.owner, token.ends_at(), id))?;
    tx.remove(TOKEN_USES, &id)?;
    tx.remove(TOKEN_DAYS, &id)?;
    tx.remove(TOKEN_WATCHES, &id)?;
    Ok(())
}

/// How a token comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::app) enum Ending {
    /// It was revoked, alone: its owner is told if another person did it.
    Revoked,
    /// It was revoked with all others of its owner, who is told of that at most.
    RevokedWithAll,
    /// Somebody found it: its owner is told.
    Found,
}

/// Ends a token in the store; nothing to publish if it had ended before.
pub(in crate::app) fn end_token(
    tx: &mut WriteTx,
    token: PersonalToken,
    now: Timestamp,
    pen: &Pen,
    ending: Ending,
) -> Result<(PersonalToken, Option<RevocationEntry>), OperationError> {
    if token.state(now) != TokenState::Live {
        return Ok((token, None));
    }
    let revoked = PersonalToken { revoked_at: Some(now), was_found: ending == Ending::Found, ..token };
    release_name(tx, &revoked)?;
    put_token(tx, &revoked)?;
    match ending {
        Ending::Revoked => pen.write_telling(tx, told(EventKind::TokenRevoked, &revoked), revoked.owner)?,
        Ending::RevokedWithAll => pen.write(tx, told(EventKind::TokenRevoked, &revoked))?,
        Ending::Found => drop(pen.write_for(tx, told(EventKind::TokenLeaked, &revoked), revoked.owner)?),
    }
    let entry = record(tx, RevocationEntry::token(revoked.id, revoked.expires_at, now))?;
    Ok((revoked, Some(entry)))
}

/// The owner's tokens that live, the one that ends first before the others.
pub(super) fn live_ids(tx: &impl Reads, owner: UserId, now: Timestamp) -> Result<Vec<TokenId>, StoreError> {
    let rows = tx.keys(PERSONAL_TOKENS_BY_END, Scan::prefix(&owner).from(&(owner, now + Duration::from_millis(1))))?;
    Ok(rows.into_iter().map(|(_, _, id)| id).collect())
}

/// The owner's tokens that live and end until a moment, the one that ends first before the others.
pub(in crate::app) fn live_ids_until(
    tx: &impl Reads,
    owner: UserId,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<TokenId>, StoreError> {
    let live = Scan::prefix(&owner).from(&(owner, now + Duration::from_millis(1)));
    let rows = tx.keys(PERSONAL_TOKENS_BY_END, live.until(&(owner, until + Duration::from_millis(1))))?;
    Ok(rows.into_iter().map(|(_, _, id)| id).collect())
}

/// How many tokens of the owner live.
pub(in crate::app) fn live_tokens(tx: &impl Reads, owner: UserId, now: Timestamp) -> Result<usize, StoreError> {
    tx.count(PERSONAL_TOKENS_BY_END, Scan::prefix(&owner).from(&(owner, now + Duration::from_millis(1))))
}

/// Takes the token's name for it, unless another live token of its owner has it.
pub(super) fn claim_name(tx: &mut WriteTx, token: &PersonalToken, now: Timestamp) -> Result<(), OperationError> {
    let key = (token.owner, token.name.canonical());
    if let Some(holder) = tx.get(PERSONAL_TOKEN_NAMES, &key)?
        && holder != token.id
        && tx.get(PERSONAL_TOKENS, &holder)?.is_some_and(|holder| holder.state(now) == TokenState::Live)
    {
        let text = format!("You already have a token called “{}”. Choose another name.", token.name);
        return Err(OperationError::NameTaken(text));
    }
    take_name(tx, token)
}

/// Takes the token's name for it.
pub(super) fn take_name(tx: &mut WriteTx, token: &PersonalToken) -> Result<(), OperationError> {
    Ok(tx.put(PERSONAL_TOKEN_NAMES, &(token.owner, token.name.canonical()), &token.id)?)
}

pub(super) fn release_name(tx: &mut WriteTx, token: &PersonalToken) -> Result<(), OperationError> {
    let key = (token.owner, token.name.canonical());
    if tx.get(PERSONAL_TOKEN_NAMES, &key)? == Some(token.id) {
        tx.remove(PERSONAL_TOKEN_NAMES, &key)?;
    }
    Ok(())
}

impl App {
    /// Indexes the tokens that were made before there was an index, once in the life of the data.
    pub(in crate::app) fn index_personal_tokens(&self) -> Result<(), OperationError> {
        let mut unindexed = self.store.read(|tx| {
            if tx.contains(PERSONAL_TOKENS_INDEXED, &())? {
                return Ok::<_, OperationError>(Vec::new());
            }
            Ok(tx.keys(PERSONAL_TOKENS, Scan::all())?)
        })?;
        loop {
            let some = unindexed.split_off(unindexed.len().saturating_sub(AT_ONCE));
            let is_last = unindexed.is_empty();
            if some.is_empty() && self.store.read(|tx| tx.contains(PERSONAL_TOKENS_INDEXED, &()))? {
                return Ok(());
            }
            self.store.write(move |tx| {
                for id in &some {
                    if let Some(token) = tx.get(PERSONAL_TOKENS, id)? {
                        put_token(tx, &token)?;
                    }
                }
                if is_last {
                    tx.put(PERSONAL_TOKENS_INDEXED, &(), &())?;
                }
                Ok::<_, OperationError>(())
            })?;
        }
    }
}

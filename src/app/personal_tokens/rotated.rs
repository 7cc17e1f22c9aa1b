//! How does a new token take the place of another? With its name, reach and scopes, and a whole life of its own; the old one
//! goes on for as long as its owner needs to carry the new one around.
//!
//! Both rows, the link between them and the end of the old one are one transaction. That end is a revocation with a moment in
//! it, which every request asks: no clockwork has to run for it, before a restart or after.

use super::rows::{live_tokens, owned, put_token, take_name, told};
use super::{Made, too_many};
use crate::account::personal_token::{PersonalToken, Reach, Replacement, TokenState};
use crate::app::App;
use crate::app::error::OperationError;
use crate::app::revoke::record;
use crate::clock::{Timestamp, days, hours};
use crate::event::EventKind;
use crate::id::{TokenId, UserId};
use crate::oauth::resource::ResourceUri;
use crate::store::tables::{PERSONAL_TOKENS, USERS};
use crate::store::{Reads, WriteTx};
use crate::token::{Audience, PersonalGrant, RevocationEntry};
use std::time::Duration;

/// How long the old token goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// Not at all.
    None,
    /// For an hour.
    Hour,
    /// For a day.
    Day,
}

impl Overlap {
    /// Each, the shortest first.
    pub const ALL: [Self; 3] = [Self::None, Self::Hour, Self::Day];

    /// How long that is.
    pub const fn length(self) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Hour => hours(1),
            Self::Day => days(1),
        }
    }
}

/// What its owner chose.
#[derive(Debug, Clone, Copy)]
pub struct Rotation {
    /// The id of the new token, given out with the form: so the same form makes one token, however often it is sent.
    pub id: TokenId,
    /// The token to replace.
    pub replaces: TokenId,
    /// How long that one goes on.
    pub overlap: Overlap,
}

/// What a token would be replaced by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotatedInto {
    /// What the new one would reach.
    pub reach: Reach,
    /// From when on the new one would be refused.
    pub expires_at: Timestamp,
}

impl App {
    /// What one of the owner's live tokens would be replaced by now.
    pub fn rotated_into(&self, owner: UserId, id: TokenId) -> Result<RotatedInto, OperationError> {
        let now = self.now();
        let token = self.personal_token(owner, id)?.token;
        check_replaceable(&token, now)?;
        Ok(RotatedInto { reach: self.lasting_reach(&token)?, expires_at: self.counted_anew(&token, now) })
    }

    /// Makes a new token in the place of one of the owner's.
    pub fn rotate_personal_token(&self, owner: UserId, rotation: Rotation) -> Result<Made, OperationError> {
        let (now, policy) = (self.now(), self.options.personal_tokens);
        let Rotation { id, replaces, overlap } = rotation;
        let old = self.personal_token(owner, replaces)?.token;
        if let Ok(made) = self.personal_token(owner, id) {
            return Ok(Made::Before(made.token));
        }
        check_replaceable(&old, now)?;
        self.live.user(owner).ok_or(OperationError::NotFound("user"))?;
        let reach = self.lasting_reach(&old)?;
        let audience = match &reach {
            Reach::AllServers => Audience::EveryServer,
            Reach::Servers(resources) => Audience::Resources(resources.clone()),
        };
        let grant = PersonalGrant { user: owner, audience, scopes: old.scopes.clone() };
        let issued_at = self.live.revoked().issue_time(owner, now);
        let keys = self.live.keys();
        let signed = self.token_issuer.personal(keys.signer(), id, grant, issued_at, self.counted_anew(&old, now));
        let secret = signed.map_err(OperationError::invalid)?;
        let key = keys.signer().id();
        let (created_at, expires_at) = (secret.claims().issued_at, secret.claims().expires_at);
        let (per_user, pen) = (policy.per_user, self.pen());
        let written = self.store.write(move |tx| {
            match tx.get(PERSONAL_TOKENS, &id)? {
                Some(made) if made.owner == owner => return Ok((made, None)),
                Some(_) => return Err(OperationError::NotFound("token")),
                None => {}
            }
            tx.get(USERS, &owner)?.filter(|user| !user.is_disabled()).ok_or(OperationError::NotFound("user"))?;
            let old = owned(tx, owner, replaces)?;
            check_replaceable(&old, now)?;
            // Those that are about to end do not count, but somebody who replaces tokens all day does not have any number.
            let live = live_tokens(tx, owner, now)?;
            if live >= 2 * per_user {
                return Err(OperationError::invalid(too_many(live)));
            }
            let new = PersonalToken {
                id,
                reach,
                key,
                created_at,
                expires_at,
                replaced: None,
                replaces: Some(replaces),
                ..old.clone()
            };
            let ends_at = (now + overlap.length()).min(old.expires_at);
            let entry = end_at(tx, &old, Replacement { by: id, ends_at }, now)?;
            put_token(tx, &new)?;
            take_name(tx, &new)?;
            let note = if overlap == Overlap::None { "at once" } else { overlap_in_words(overlap) };
            pen.write(tx, told(EventKind::TokenRotated, &new).note(note))?;
            Ok::<_, OperationError>((new, Some(entry)))
        });
        let (token, entry) = written?;
        let Some(entry) = entry else { return Ok(Made::Before(token)) };
        self.live.revoked().publish(&entry);
        tracing::info!(user = %owner, token = %token.id, replaces = %replaces, "personal token replaced");
        Ok(Made::Now(token, secret))
    }

    /// When a token that is made now for as long as `token` was is over.
    fn counted_anew(&self, token: &PersonalToken, now: Timestamp) -> Timestamp {
        now + token.life().min(self.options.personal_tokens.longest)
    }

    /// The reach of a token, without what stands under its URLs since it was made: its owner never chose that.
    fn lasting_reach(&self, token: &PersonalToken) -> Result<Reach, OperationError> {
        let Reach::Servers(resources) = &token.reach else { return Ok(Reach::AllServers) };
        let directory = self.live.servers();
        let is_another = |resource: &&ResourceUri| {
            let mut there = directory.all().filter(|server| server.resource == **resource);
            there.any(|server| server.is_newer_than(token.created_at))
        };
        let kept: Vec<_> = resources.iter().filter(|resource| !is_another(resource)).cloned().collect();
        if kept.is_empty() {
            let text = "What this token was for is gone. Make a new token for the servers of today.";
            return Err(OperationError::invalid(text));
        }
        Ok(Reach::Servers(kept))
    }
}

/// "for an hour".
const fn overlap_in_words(overlap: Overlap) -> &'static str {
    match overlap {
        Overlap::None => "at once",
        Overlap::Hour => "the old one goes on for an hour",
        Overlap::Day => "the old one goes on for a day",
    }
}

fn check_replaceable(token: &PersonalToken, now: Timestamp) -> Result<(), OperationError> {
    if token.state(now) != TokenState::Live {
        return Err(OperationError::invalid("This token has ended. Make a new one."));
    }
    if token.replaced.is_some() {
        return Err(OperationError::invalid("This token has been replaced already. Rotate the one that replaced it."));
    }
    Ok(())
}

/// Writes that a token ends because of another; publish the returned entry after the commit.
fn end_at(
    tx: &mut WriteTx,
    old: &PersonalToken,
    replaced: Replacement,
    now: Timestamp,
) -> Result<RevocationEntry, OperationError> {
    put_token(tx, &PersonalToken { replaced: Some(replaced), ..old.clone() })?;
    record(tx, RevocationEntry::token_from(old.id, replaced.ends_at, old.expires_at, now))
}

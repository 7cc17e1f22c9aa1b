//! What is done now and then: flush last uses, let go of what has expired.
//!
//! Nothing depends on the sweep for its safety: whatever reads a row checks its time. Each
//! transaction does a bounded amount of work, so that a large backlog does not hold up the writer.

use crate::account::half_session::HalfSession;
use crate::account::invitation::Invitation;
use crate::account::password_reset::PasswordReset;
use crate::account::personal_token::PersonalToken;
use crate::account::session::Session;
use crate::app::error::OperationError;
use crate::app::invitations::{KEEP_ENDED, forget_invitation};
use crate::app::notices::note_networks;
use crate::app::password_resets::remove_password_reset_of;
use crate::app::personal_tokens::forget_token;
use crate::app::register::{forget_if_unused, is_forgettable, last_registered};
use crate::app::sign_in::remove_session;
use crate::app::usage::Unwritten;
use crate::app::{App, CredentialPolicy};
use crate::clock::{Timestamp, days};
use crate::event::{DAYS, DayCounts, day_of};
use crate::id::{GrantId, TokenId};
use crate::oauth::authorization_code::AuthorizationCode;
use crate::oauth::client::Client;
use crate::oauth::grant::Grant;
use crate::oauth::refresh_token::RefreshToken;
use crate::secret::TokenDigest;
use crate::store::tables::{
    AUTHORIZATION_CODES, CLIENTS, GRANT_DAYS, GRANT_USES, GRANTS, GRANTS_BY_CLIENT, GRANTS_BY_USER, HALF_SESSIONS,
    INVITATIONS, PASSWORD_RESETS, PERSONAL_TOKENS, REFRESH_PACES, REFRESH_TOKENS, REVOCATIONS, SESSIONS, TOKEN_DAYS,
    TOKEN_USES, USED_ASSERTIONS, USED_CHALLENGES,
};
use crate::store::{Key, Reads, Record, Scan, Table, WriteTx};
use std::time::Duration;

/// Rows removed from one table in one sweep at most: more than strangers can make in the time between two.
const MOST: usize = 100_000;
/// Of these, how many in one transaction.
const AT_ONCE: usize = 1_000;
/// Revocations stay this long after their tokens have expired, in case that the clock ran ahead.
const REVOCATIONS_LINGER: Duration = days(30);

impl App {
    /// Writes the last uses and the counts of the day that are only in memory, in one transaction.
    pub fn flush_usage(&self) -> Result<(), OperationError> {
        let usage = self.live.usage();
        let (tokens, grants) = (usage.tokens.unwritten(), usage.grants.unwritten());
        let (written_tokens, written_grants) = (tokens.clone(), grants.clone());
        let sessions = usage.sessions.unwritten();
        let written_sessions = sessions.clone();
        if !tokens.is_empty() || !grants.is_empty() || !sessions.is_empty() {
            let (today, pen) = (day_of(self.now()), self.pen());
            self.store.write(move |tx| {
                for (id, Unwritten { last_use, count, networks }) in &tokens {
                    if let Some(token) = tx.get(PERSONAL_TOKENS, id)? {
                        note_networks(tx, &pen, &token, tx.get(TOKEN_USES, id)?.as_ref(), networks)?;
                        tx.put(TOKEN_USES, id, last_use)?;
                        let mut days = tx.get(TOKEN_DAYS, id)?.unwrap_or_default();
                        days.add(today, *count);
                        tx.put(TOKEN_DAYS, id, &days)?;
                    }
                }
                for (id, Unwritten { last_use, count, .. }) in &grants {
                    if tx.contains(GRANTS, id)? {
                        tx.put(GRANT_USES, id, last_use)?;
                        let mut days = tx.get(GRANT_DAYS, id)?.unwrap_or_default();
                        days.add(today, *count);
                        tx.put(GRANT_DAYS, id, &days)?;
                    }
                }
                for (id, Unwritten { last_use, .. }) in &sessions {
                    tx.change(SESSIONS, id, |session: &mut Session| session.see(last_use.at, last_use.address))?;
                }
                Ok::<_, OperationError>(())
            })?;
        }
        usage.tokens.written(&written_tokens, self.now());
        usage.grants.written(&written_grants, self.now());
        usage.sessions.written(&written_sessions, self.now());
        Ok(())
    }

    /// Requests a day with a personal token over the last days, those of a moment ago included.
    pub fn token_days(&self, id: TokenId) -> Result<[u32; DAYS], OperationError> {
        let days = self.store.read(|tx| tx.get(TOKEN_DAYS, &id).map_err(OperationError::from))?;
        Ok(self.with_today(days, self.live.usage().tokens.uncounted(id)))
    }

    /// Requests a day under a grant over the last days, those of a moment ago included.
    pub fn grant_days(&self, id: GrantId) -> Result<[u32; DAYS], OperationError> {
        let days = self.store.read(|tx| tx.get(GRANT_DAYS, &id).map_err(OperationError::from))?;
        Ok(self.with_today(days, self.live.usage().grants.uncounted(id)))
    }

    fn with_today(&self, days: Option<DayCounts>, uncounted: u32) -> [u32; DAYS] {
        let (today, mut days) = (day_of(self.now()), days.unwrap_or_default());
        days.add(today, uncounted);
        days.until(today)
    }

    /// Lets go of rows whose time is over.
    pub fn sweep(&self) -> Result<(), OperationError> {
        self.sweep_upstream_keys()?;
        let (now, options) = (self.now(), &self.options);
        let (sessions, keep, credentials) = (options.sessions, options.personal_tokens.keep_ended, options.credentials);

        let over = move |session: &Session| session.expires_at(&sessions) <= now;
        self.sweep_table(SESSIONS, over, |tx, id, _| remove_session(tx, id))?;

        let over = move |half: &HalfSession| half.is_over(now);
        self.sweep_table(HALF_SESSIONS, over, |tx, key, _| Ok(tx.remove(HALF_SESSIONS, &key).map(drop)?))?;

        let over = move |token: &PersonalToken| token.ended_at(now).is_some_and(|ended| now.since(ended) >= keep);
        self.sweep_table(PERSONAL_TOKENS, over, |tx, _, token| forget_token(tx, &token))?;

        let over = move |code: &AuthorizationCode| code.is_forgettable(now);
        self.sweep_table(AUTHORIZATION_CODES, over, |tx, digest, _| {
            Ok(tx.remove(AUTHORIZATION_CODES, &digest).map(drop)?)
        })?;

        let over = move |token: &RefreshToken| token.is_forgettable(&credentials.refresh, now);
        self.sweep_table(REFRESH_TOKENS, over, |tx, digest, _| Ok(tx.remove(REFRESH_TOKENS, &digest).map(drop)?))?;

        let over = move |grant: &Grant| grant_is_over(grant, now, &credentials);
        self.sweep_table(GRANTS, over, |tx, _, grant| remove_grant(tx, &grant))?;

        self.forget_deleted_users()?;

        let over = move |row: &Invitation| row.ended_at(now).is_some_and(|ended| now.since(ended) >= KEEP_ENDED);
        self.sweep_table(INVITATIONS, over, |tx, _, row| forget_invitation(tx, &row))?;
        let over = move |row: &PasswordReset| row.expires_at <= now;
        self.sweep_table(PASSWORD_RESETS, over, |tx, _, row| remove_password_reset_of(tx, row.user))?;

        let unused = options.registration.forget_unused_after;
        let over = move |client: &Client| is_forgettable(client) && now.since(client.created_at) >= unused;
        self.sweep_table(CLIENTS, over, move |tx, _, client| {
            let forgotten = now.since(last_registered(tx, &client)?) >= unused;
            if forgotten { forget_if_unused(tx, &client).map(drop) } else { Ok(()) }
        })?;

        self.sweep_table(
            REVOCATIONS,
            move |entry| entry.expires_at + REVOCATIONS_LINGER <= now,
            |tx, place, _| Ok(tx.remove(REVOCATIONS, &place).map(drop)?),
        )?;
        self.sweep_table(
            USED_ASSERTIONS,
            move |until| *until <= now,
            |tx, digest, _| Ok(tx.remove(USED_ASSERTIONS, &digest).map(drop)?),
        )?;
        self.sweep_table(
            USED_CHALLENGES,
            move |until| *until <= now,
            |tx, digest, _| Ok(tx.remove(USED_CHALLENGES, &digest).map(drop)?),
        )?;
        self.sweep_events()
    }

    /// Finds rows that are over in a snapshot, then removes them in writes that look at each again.
    fn sweep_table<K, V>(
        &self,
        table: Table<K, V>,
        over: impl Fn(&V) -> bool + Copy + Send + 'static,
        remove: impl Fn(&mut WriteTx, K, V) -> Result<(), OperationError> + Copy + Send + 'static,
    ) -> Result<(), OperationError>
    where
        K: Key + Send + 'static,
        V: Record + Send + 'static,
    {
        let mut found = Vec::new();
        self.store.read(|tx| {
            tx.visit(table, Scan::all(), |key, value| {
                if found.len() < MOST && over(&value) {
                    found.push(key);
                }
                Ok::<_, OperationError>(())
            })
        })?;
        while !found.is_empty() {
            let some = found.split_off(found.len().saturating_sub(AT_ONCE));
            self.store.write(move |tx| {
                for key in some {
                    if let Some(value) = tx.get(table, &key)?.filter(over) {
                        remove(tx, key, value)?;
                    }
                }
                Ok::<_, OperationError>(())
            })?;
        }
        Ok(())
    }
}

/// Nothing of the grant can be used any more: it was revoked and its access tokens have expired, its code was not redeemed,
/// or nothing was issued under it for longer than a refresh token lives.
fn grant_is_over(grant: &Grant, now: Timestamp, credentials: &CredentialPolicy) -> bool {
    let outlived = credentials.access_token + days(1);
    match (grant.revoked_at, grant.last_issued_at) {
        (Some(revoked_at), _) => now.since(revoked_at) >= outlived,
        (None, None) => now.since(grant.created_at) >= days(1),
        (None, Some(issued_at)) => now.since(issued_at) >= credentials.refresh.idle() + outlived,
    }
}

pub(super) fn remove_grant(tx: &mut WriteTx, grant: &Grant) -> Result<(), OperationError> {
    let id = grant.id;
    tx.remove(GRANTS, &id)?;
    tx.remove(GRANT_USES, &id)?;
    tx.remove(GRANT_DAYS, &id)?;
    tx.remove(REFRESH_PACES, &id)?;
    tx.remove(GRANTS_BY_USER, &(grant.user, id))?;
    tx.remove(GRANTS_BY_CLIENT, &(TokenDigest::of(grant.client.as_str()), id))?;
    Ok(())
}

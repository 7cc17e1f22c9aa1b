//! Connections: a user's grants as their owner sees them in "Connected apps".

use crate::account::usage::LastUse;
use crate::app::error::OperationError;
use crate::app::exchange::told;
use crate::app::revoke::record;
use crate::app::{App, CredentialPolicy};
use crate::clock::Timestamp;
use crate::event::EventKind;
use crate::id::{GrantId, UserId};
use crate::oauth::grant::Grant;
use crate::oauth::scope::{OFFLINE_ACCESS, ScopeSet};
use crate::store::tables::{GRANT_USES, GRANTS, GRANTS_BY_USER};
use crate::store::{Reads, Scan, WriteTx};
use crate::token::RevocationEntry;
use std::sync::Arc;

/// Rows of a list at most; the newest come first.
const LIST_LIMIT: usize = 1_000;

/// A grant as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The grant.
    pub grant: Grant,
    /// The last use of any of its access tokens.
    pub last_use: Option<LastUse>,
}

impl App {
    /// The user's live grants, the newest first.
    pub fn connections(&self, user: UserId) -> Result<Vec<Connection>, OperationError> {
        self.store.read(|tx| {
            let mut connections = Vec::new();
            for (_, id) in tx.keys(GRANTS_BY_USER, Scan::prefix(&user).backwards().limit(LIST_LIMIT))? {
                if let Some(grant) = tx.get(GRANTS, &id)?.filter(Grant::is_connected) {
                    connections.push(self.connection_of(tx, grant)?);
                }
            }
            Ok(connections)
        })
    }

    /// One of the user's live grants.
    pub fn connection(&self, user: UserId, id: GrantId) -> Result<Connection, OperationError> {
        self.store.read(|tx| {
            let grant = tx.get(GRANTS, &id)?.filter(|grant| grant.user == user && grant.is_connected());
            self.connection_of(tx, grant.ok_or(OperationError::NotFound("connection"))?)
        })
    }

    /// Revokes one of the user's grants: nothing that came of it is accepted from the moment that this returns.
    pub fn revoke_connection(&self, user: UserId, id: GrantId) -> Result<(), OperationError> {
        let (now, life) = (self.now(), self.options.credentials.access_token);
        let pen = self.pen();
        let entry = self.store.write(move |tx| {
            let grant = tx.get(GRANTS, &id)?.filter(|grant| grant.user == user);
            let grant = grant.ok_or(OperationError::NotFound("connection"))?;
            if grant.is_live() {
                pen.write_telling(tx, told(EventKind::ConnectionRevoked, &grant), user)?;
            }
            end_grant(tx, grant, now, life)
        })?;
        self.publish_ended_grants(entry);
        tracing::info!(user = %user, grant = %id, "connection revoked");
        Ok(())
    }

    /// Lowers what one of the user's grants allows to `less`. What was issued under it before is refused from the moment that
    /// this returns; its client gets tokens that may do less by refreshing.
    pub fn narrow_connection(&self, user: UserId, id: GrantId, less: &ScopeSet) -> Result<(), OperationError> {
        let (now, life, pen) = (self.now(), self.options.credentials.access_token, self.pen());
        let (servers, less) = (Arc::clone(&self.live.servers()), less.clone());
        let entry = self.store.write(move |tx| {
            let grant = tx.get(GRANTS, &id)?.filter(|grant| grant.user == user && grant.is_connected());
            let grant = grant.ok_or(OperationError::NotFound("connection"))?;
            let server = servers.all().find(|server| server.resource == grant.resource);
            let offered = server.ok_or(OperationError::NotFound("server"))?.scopes().clone();
            let narrowed = grant.narrowed(&less.intersection(&offered), now).ok_or_else(|| {
                OperationError::invalid("Choose less than the app may do now. To take back all of it, revoke the app.")
            })?;
            tx.put(GRANTS, &id, &narrowed)?;
            let allowed = narrowed.scopes.without(OFFLINE_ACCESS);
            pen.write(tx, told(EventKind::ConnectionNarrowed, &narrowed).note(allowed.as_str()))?;
            record(tx, RevocationEntry::grant_until(id, life.max(CredentialPolicy::LONGEST_ACCESS_TOKEN), now))
        })?;
        self.live.revoked().publish(&entry);
        tracing::info!(user = %user, grant = %id, "connection narrowed");
        Ok(())
    }

    /// Revokes all of the user's grants; returns how many were live.
    pub fn revoke_all_connections(&self, user: UserId) -> Result<usize, OperationError> {
        let (now, life) = (self.now(), self.options.credentials.access_token);
        let pen = self.pen();
        let entries = self.store.write(move |tx| {
            let mut entries = Vec::new();
            for (_, id) in tx.keys(GRANTS_BY_USER, Scan::prefix(&user))? {
                if let Some(grant) = tx.get(GRANTS, &id)?.filter(Grant::is_live) {
                    pen.write(tx, told(EventKind::ConnectionRevoked, &grant))?;
                    entries.extend(end_grant(tx, grant, now, life)?);
                }
            }
            Ok::<_, OperationError>(entries)
        })?;
        let count = entries.len();
        self.publish_ended_grants(entries);
        tracing::info!(user = %user, count, "all connections revoked");
        Ok(count)
    }

    pub(super) fn publish_ended_grants(&self, entries: impl IntoIterator<Item = RevocationEntry>) {
        self.live.revoked().merge(entries);
    }

    pub(super) fn connection_of(&self, tx: &impl Reads, grant: Grant) -> Result<Connection, OperationError> {
        let last_use = match self.live.usage().grants.latest(grant.id) {
            Some(latest) => Some(latest),
            None => tx.get(GRANT_USES, &grant.id)?,
        };
        Ok(Connection { grant, last_use })
    }
}

/// Ends a grant in the store, with its refresh tokens and access tokens; nothing to publish if it had ended before.
pub(super) fn end_grant(
    tx: &mut WriteTx,
    grant: Grant,
    now: Timestamp,
    access_token_life: std::time::Duration,
) -> Result<Option<RevocationEntry>, OperationError> {
    if !grant.is_live() {
        return Ok(None);
    }
    let id = grant.id;
    tx.put(GRANTS, &id, &grant.revoke(now))?;
    let longest = access_token_life.max(CredentialPolicy::LONGEST_ACCESS_TOKEN);
    record(tx, RevocationEntry::grant(id, longest, now)).map(Some)
}

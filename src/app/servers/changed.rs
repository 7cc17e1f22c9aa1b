//! How is a server of the dashboard added, changed, switched and removed, and what ends with it?
//!
//! **Who was let in before.** Removing a server, or giving it another URL, ends the grants for its URL; users' own keys for a
//! removed one go with it. Whatever is set up there later stands there from a moment of its own ([`GuardedServer::since`]):
//! tokens that name the URL and are older do not open it. Switching a server off and on again ends nothing.

use crate::access::{GuardedServer, MAX_STORED_SERVERS, ServerDescription, ServerName, StoredServer};
use crate::app::App;
use crate::app::connections::end_grant;
use crate::app::error::OperationError;
use crate::app::servers::ServerRefusal;
use crate::app::servers::directory::guarded;
use crate::app::upstream_keys::remove_keys_of_server;
use crate::clock::Timestamp;
use crate::event::{Event, EventKind};
use crate::id::UserId;
use crate::oauth::grant::Grant;
use crate::oauth::resource::ResourceUri;
use crate::store::tables::{GRANTS, SERVER_DAYS, SERVERS, USERS};
use crate::store::{Reads, Scan, WriteTx};
use crate::token::RevocationEntry;
use std::sync::Arc;

impl App {
    /// Adds a server. It answers when this returns.
    pub fn add_server(&self, description: &ServerDescription, by: UserId) -> Result<Arc<GuardedServer>, ServerRefusal> {
        let server = self.judge_server(description)?;
        let stored = StoredServer::added(description, by, self.now(), &self.sealer, &*self.entropy);
        let server = Arc::new(guarded(server, &stored));
        let turn = self.server_turn();
        self.check_place(&server)?;
        let (event, pen) = (line(EventKind::ServerAdded, &stored.name, by), self.pen());
        self.store.write(move |tx| {
            if tx.contains(SERVERS, stored.name.as_str())? {
                return Err(ServerRefusal::part("name", "There is a server of that name. Choose another one."));
            }
            if tx.count(SERVERS, Scan::all())? >= MAX_STORED_SERVERS {
                let why = format!("There are {MAX_STORED_SERVERS} servers, which is the most. Remove one first.");
                return Err(ServerRefusal::part("", why));
            }
            pen.write(tx, event)?;
            Ok(tx.insert_new(SERVERS, stored.name.as_str(), &stored)?)
        })?;
        self.publish_server(&server.name, Some(&server), &turn);
        tracing::info!(server = server.name.as_str(), %by, "server added");
        Ok(server)
    }

    /// Changes what is said about a server. `edition` is that of the settings from which the change was made.
    pub fn change_server(
        &self,
        edition: u64,
        description: &ServerDescription,
        by: UserId,
    ) -> Result<Arc<GuardedServer>, ServerRefusal> {
        let server = self.judge_server(description)?;
        let (now, sealer, entropy) = (self.now(), self.sealer.clone(), Arc::clone(&self.entropy));
        let turn = self.server_turn();
        self.check_place(&server)?;
        let before = self.own(&server.name).map(|before| before.resource.clone());
        let moved = before.filter(|before| *before != server.resource);
        let (description, life) = (description.clone(), self.options.credentials.access_token);
        let (event, pen) = (line(EventKind::ServerChanged, &server.name, by), self.pen());
        let (stored, ended) = self.store.write(move |tx| {
            let stored = current(tx, &description.name, edition)?;
            let changed = stored.changed(&description, by, now, &sealer, &*entropy);
            let placed_at = if moved.is_some() { now } else { changed.placed_at };
            let changed = StoredServer { placed_at, displaced: false, ..changed };
            pen.write(tx, event)?;
            tx.put(SERVERS, changed.name.as_str(), &changed)?;
            let ended = moved.map(|resource| end_grants_for(tx, &resource, now, life)).transpose()?;
            Ok::<_, ServerRefusal>((changed, ended.unwrap_or_default()))
        })?;
        let server = Arc::new(guarded(server, &stored));
        self.publish_ended_grants(ended);
        self.publish_server(&server.name, Some(&server), &turn);
        tracing::info!(server = server.name.as_str(), %by, "server changed");
        Ok(server)
    }

    /// Lets a server answer, or not. Tokens for it stay as they are.
    pub fn enable_server(&self, name: &ServerName, enabled: bool, by: UserId) -> Result<(), OperationError> {
        let turn = self.server_turn();
        let (key, pen) = (name.clone(), self.pen());
        let kind = if enabled { EventKind::ServerEnabled } else { EventKind::ServerDisabled };
        let event = line(kind, name, by);
        self.store.write(move |tx| {
            let stored = tx.get(SERVERS, key.as_str())?.ok_or(OperationError::NotFound("server"))?;
            if stored.enabled != enabled {
                pen.write(tx, event)?;
            }
            Ok::<_, OperationError>(tx.put(SERVERS, key.as_str(), &StoredServer { enabled, ..stored })?)
        })?;
        if let Some(own) = self.own(name) {
            let server = Arc::new(GuardedServer { enabled, ..GuardedServer::clone(&own) });
            self.publish_server(name, Some(&server), &turn);
        }
        tracing::info!(server = name.as_str(), %by, enabled, "server switched");
        Ok(())
    }

    /// Removes a server, as it was at `edition`, and ends what was granted for it.
    pub fn remove_server(&self, name: &ServerName, edition: u64, by: UserId) -> Result<(), ServerRefusal> {
        let (now, life) = (self.now(), self.options.credentials.access_token);
        let turn = self.server_turn();
        let (key, own) = (name.clone(), self.own(name));
        let resource = own.as_ref().map(|own| own.resource.clone());
        let changing_keys = self.changing_upstream_keys();
        let (event, pen) = (line(EventKind::ServerRemoved, name, by), self.pen());
        let (ended, keys) = self.store.write(move |tx| {
            current(tx, &key, edition)?;
            pen.write(tx, event)?;
            tx.remove(SERVERS, key.as_str())?;
            tx.remove(SERVER_DAYS, key.as_str())?;
            // What waits behind a server of the file has no grants of its own, and no keys of users.
            let Some(resource) = resource else { return Ok((Vec::new(), Vec::new())) };
            let ended = end_grants_for(tx, &resource, now, life)?;
            Ok::<_, ServerRefusal>((ended, remove_keys_of_server(tx, &key)?))
        })?;
        self.publish_ended_grants(ended);
        self.forget_upstream_keys(keys);
        drop(changing_keys);
        if own.is_some() {
            self.publish_server(name, None, &turn);
            self.live.calls().forget_server(name.as_str());
        }
        tracing::info!(server = name.as_str(), %by, "server removed");
        Ok(())
    }
}

/// A line about a server.
fn line(kind: EventKind, server: &ServerName, by: UserId) -> Event {
    Event::of(kind).by(by).server(server.as_str())
}

/// The record as it is, if it is still the one that was read.
fn current(tx: &WriteTx, name: &ServerName, edition: u64) -> Result<StoredServer, ServerRefusal> {
    let stored = tx.get(SERVERS, name.as_str())?.ok_or(OperationError::NotFound("server"))?;
    if stored.edition == edition {
        return Ok(stored);
    }
    let by = tx.get(USERS, &stored.changed_by)?;
    let by = by.map_or_else(|| "Somebody".to_owned(), |user| user.name.to_string());
    Err(ServerRefusal::Stale { by, at: stored.changed_at, edition: stored.edition })
}

fn end_grants_for(
    tx: &mut WriteTx,
    resource: &ResourceUri,
    now: Timestamp,
    access_token_life: std::time::Duration,
) -> Result<Vec<RevocationEntry>, OperationError> {
    let mut grants: Vec<Grant> = Vec::new();
    tx.visit(GRANTS, Scan::all(), |_, grant| {
        if grant.resource == *resource && grant.is_live() {
            grants.push(grant);
        }
        Ok::<_, OperationError>(())
    })?;
    let mut ended = Vec::with_capacity(grants.len());
    for grant in grants {
        ended.extend(end_grant(tx, grant, now, access_token_life)?);
    }
    Ok(ended)
}

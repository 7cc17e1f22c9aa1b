//! Keys that users have for upstreams: entered, replaced and removed by their owner, sent by the gateway, shown to nobody.
//!
//! At rest they are sealed; the hot path finds them opened in [`super::live`], which is smaller than what is sealed and
//! costs a call nothing. There is at most one a user and server. A key goes with its user, and with its server: at once
//! if that is removed here, after a day if it is not in the configuration any more.

use crate::access::{GuardedServer, PerUserCredential, SealedUpstreamKey, ServerName, UpstreamKey, UpstreamUrl};
use crate::app::App;
use crate::app::error::OperationError;
use crate::app::live::LiveUpstreamKey;
use crate::clock::{Timestamp, days};
use crate::event::{Event, EventKind};
use crate::id::UserId;
use crate::store::tables::{SERVERS, UPSTREAM_KEYS, USERS};
use crate::store::{Reads, Scan, StoreError, WriteTx};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

/// Keys for servers that are not set up stay this long after a start: somebody may have mistyped a name.
const KEEP_ORPHANS: Duration = days(1);

/// A server for which a user has a key, or needs one.
#[derive(Debug, Clone)]
pub struct KeyPlace {
    /// The server.
    pub server: Arc<GuardedServer>,
    /// Whether the server wants a key of this user.
    pub wanted: bool,
    /// When the user has entered one.
    pub since: Option<Timestamp>,
    /// Whether that one is for another origin than the server's, so that it is not sent.
    pub moved: bool,
}

/// What has to be known of a server that wants keys.
struct Wanted<'a> {
    upstream: &'a UpstreamUrl,
    credential: &'a PerUserCredential,
}

impl<'a> Wanted<'a> {
    fn of(server: &'a GuardedServer) -> Option<Self> {
        server.per_user_credential().map(|(upstream, credential)| Self { upstream: &upstream.url, credential })
    }
}

impl App {
    /// The servers that want a key of this user's, in their order.
    pub fn upstream_key_places(&self, user: UserId) -> Result<Vec<KeyPlace>, OperationError> {
        let servers = self.live.servers();
        let places = servers.iter().map(|server| self.key_place(user, server));
        let places = places.collect::<Result<Vec<_>, _>>()?;
        Ok(places.into_iter().filter(|place| place.wanted).collect())
    }

    /// The server of this name, if it wants a key of this user's or has one.
    pub fn upstream_key_place(&self, user: UserId, server: &ServerName) -> Result<KeyPlace, OperationError> {
        let servers = self.live.servers();
        let server = servers.by_name(server).ok_or(OperationError::NotFound("server"))?;
        let place = self.key_place(user, server)?;
        if place.wanted || place.since.is_some() { Ok(place) } else { Err(OperationError::NotFound("server")) }
    }

    /// Takes a user's key for a server, instead of the one before. It is used from their next call on.
    pub fn set_upstream_key(&self, user: UserId, server: &ServerName, text: &str) -> Result<(), OperationError> {
        let place = self.upstream_key_place(user, server)?;
        let wanted = Wanted::of(&place.server).filter(|_| place.wanted);
        let Wanted { upstream, credential } = wanted.ok_or(OperationError::NotFound("server"))?;
        let key = UpstreamKey::parse(text, credential.prefix().expose()).map_err(OperationError::invalid)?;
        let sealed = SealedUpstreamKey::seal(&self.sealer, user, server, upstream, &key, self.now());

        let changing = self.changing_upstream_keys();
        let (name, pen) = (server.as_str().to_owned(), self.pen());
        self.store.write(move |tx| {
            tx.get(USERS, &user)?.ok_or(OperationError::NotFound("user"))?;
            pen.write(tx, Event::of(EventKind::UpstreamKeySet).by(user).about(user).server(&name))?;
            tx.put(UPSTREAM_KEYS, &(user, name), &sealed)?;
            Ok::<_, OperationError>(())
        })?;
        let live = LiveUpstreamKey { key, origin: upstream.origin().into() };
        self.live.publish_upstream_key(user, server.clone(), Some(live));
        drop(changing);
        tracing::info!(%user, server = server.as_str(), "key of the user's own for a server stored");
        Ok(())
    }

    /// Removes a user's key for a server; their next call is without. Whether there was one.
    pub fn remove_upstream_key(&self, user: UserId, server: &ServerName) -> Result<bool, OperationError> {
        let changing = self.changing_upstream_keys();
        let (key, pen) = ((user, server.as_str().to_owned()), self.pen());
        let was_there = self.store.write(move |tx| {
            let was_there = tx.contains(UPSTREAM_KEYS, &key)?;
            tx.remove(UPSTREAM_KEYS, &key)?;
            if was_there {
                pen.write(tx, Event::of(EventKind::UpstreamKeyRemoved).by(user).about(user).server(&key.1))?;
            }
            Ok::<_, OperationError>(was_there)
        })?;
        self.live.publish_upstream_key(user, server.clone(), None);
        drop(changing);
        if was_there {
            tracing::info!(%user, server = server.as_str(), "key of the user's own for a server removed");
        }
        Ok(was_there)
    }

    /// Publishes every key; those that do not open are told and left out.
    pub(super) fn load_upstream_keys(&self) -> Result<(), OperationError> {
        let _changing = self.changing_upstream_keys();
        self.store.read(|tx| {
            tx.visit(UPSTREAM_KEYS, Scan::all(), |(user, server), sealed| {
                let opened = ServerName::parse(&server).ok().and_then(|server| {
                    let key = sealed.open(&self.sealer, user, &server).ok()?;
                    Some((server, LiveUpstreamKey { key, origin: sealed.origin().into() }))
                });
                if let Some((server, key)) = opened {
                    self.live.publish_upstream_key(user, server, Some(key));
                } else {
                    tracing::error!(%user, server, "a key of a user's own for a server cannot be opened");
                }
                Ok::<_, OperationError>(())
            })
        })
    }

    /// Removes keys whose user is gone, or whose server has not been set up for a while.
    pub(super) fn sweep_upstream_keys(&self) -> Result<(), OperationError> {
        let is_kept = self.now().since(self.opened_at) < KEEP_ORPHANS;
        let servers = self.live.servers();
        let is_there = |name: &str| servers.all().any(|server| server.name.as_str() == name);
        let _changing = self.changing_upstream_keys();
        let orphans = self.store.read(|tx| {
            let mut orphans = Vec::new();
            for (user, server) in tx.keys(UPSTREAM_KEYS, Scan::all())? {
                // One of the dashboard's may wait without being served.
                let is_there = is_kept || is_there(&server) || tx.contains(SERVERS, server.as_str())?;
                if !is_there || !tx.contains(USERS, &user)? {
                    orphans.push((user, server));
                }
            }
            Ok::<_, OperationError>(orphans)
        })?;
        if orphans.is_empty() {
            return Ok(());
        }
        let removed = orphans.clone();
        self.store.write(move |tx| {
            for key in &removed {
                tx.remove(UPSTREAM_KEYS, key)?;
            }
            Ok::<_, OperationError>(())
        })?;
        tracing::info!(count = orphans.len(), "keys removed whose user or server is gone");
        self.forget_upstream_keys(orphans);
        Ok(())
    }

    /// Publishes that these keys are removed: to be called after the commit of [`remove_keys_of_user`] or
    /// [`remove_keys_of_server`], with what they removed.
    pub fn forget_upstream_keys(&self, removed: Vec<(UserId, String)>) {
        for (user, server) in removed {
            if let Ok(server) = ServerName::parse(&server) {
                self.live.publish_upstream_key(user, server, None);
            }
        }
    }

    fn key_place(&self, user: UserId, server: &Arc<GuardedServer>) -> Result<KeyPlace, OperationError> {
        let wants = Wanted::of(server).filter(|_| {
            let user = self.live.user(user);
            user.is_some_and(|user| server.rule.admits(user.person()))
        });
        let key = (user, server.name.as_str());
        let row = self.store.read(|tx| tx.get(UPSTREAM_KEYS, &key))?;
        let moved = match (&wants, &row) {
            (Some(wanted), Some(row)) => row.origin() != wanted.upstream.origin(),
            _ => false,
        };
        let since = row.map(|row| row.set_at);
        Ok(KeyPlace { server: Arc::clone(server), wanted: wants.is_some(), since, moved })
    }

    pub(super) fn changing_upstream_keys(&self) -> MutexGuard<'_, ()> {
        self.upstream_key_changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes all keys of a user who is removed. What was removed is to be told to [`App::forget_upstream_keys`].
pub fn remove_keys_of_user(tx: &mut WriteTx, user: UserId) -> Result<Vec<(UserId, String)>, StoreError> {
    let removed = tx.keys(UPSTREAM_KEYS, Scan::prefix(&user))?;
    remove_keys(tx, removed)
}

/// Removes all users' keys for a server that is removed. What was removed is to be told to
/// [`App::forget_upstream_keys`].
pub fn remove_keys_of_server(tx: &mut WriteTx, server: &ServerName) -> Result<Vec<(UserId, String)>, StoreError> {
    let mut removed = tx.keys(UPSTREAM_KEYS, Scan::all())?;
    removed.retain(|(_, name)| name == server.as_str());
    remove_keys(tx, removed)
}

fn remove_keys(tx: &mut WriteTx, keys: Vec<(UserId, String)>) -> Result<Vec<(UserId, String)>, StoreError> {
    for key in &keys {
        tx.remove(UPSTREAM_KEYS, key)?;
    }
    Ok(keys)
}

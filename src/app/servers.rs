//! The guarded servers: those of the dashboard are added, changed, switched and removed here, beside the built-in one and
//! those of the configuration file.
//!
//! Each change is judged ([`ServerDescription::judge`]), committed, published as a new directory and then answered: it holds
//! from the very next request on. A server that is not touched stays the same in memory, with its connections, programs and
//! streams. A stored server whose place belongs to another, or which cannot be judged good any more, is kept and not served.
//!
//! **Who was let in before.** Removing a server, or giving it another URL, ends the grants for its URL; users' own keys
//! for a removed one go with it. Whatever is set up
//! there later stands there from a moment of its own ([`GuardedServer::since`]): tokens that name the URL and are older do not
//! open it. Switching a server off and on again ends nothing.

use crate::access::{
    BadDescription, GuardedServer, MAX_STORED_ENVIRONMENT, MAX_STORED_SERVERS, MAX_STORED_TEXT, ServerDescription,
    ServerDirectory, ServerKind, ServerName, ServerSource, SharedPlace, StoredServer,
};
use crate::account::group::GroupName;
use crate::app::App;
use crate::app::connections::end_grant;
use crate::app::error::OperationError;
use crate::app::upstream_keys::remove_keys_of_server;
use crate::clock::Timestamp;
use crate::event::{Event, EventKind};
use crate::id::UserId;
use crate::oauth::grant::Grant;
use crate::oauth::resource::ResourceUri;
use crate::store::tables::{GRANTS, GROUPS, SERVER_DAYS, SERVERS, USER_NAMES, USERS};
use crate::store::{Reads, Scan, StoreError, WriteTx};
use crate::token::RevocationEntry;
use std::sync::{Arc, MutexGuard, PoisonError};

/// A server as an admin sees it.
#[derive(Debug, Clone)]
pub struct ServerEntry {
    /// Its name.
    pub name: ServerName,
    /// As it is guarded now; nothing if it is not served.
    pub server: Option<Arc<GuardedServer>>,
    /// As the dashboard keeps it; nothing if it is not the dashboard's.
    pub stored: Option<StoredServer>,
    /// Why it is not served.
    pub not_served: Option<NotServed>,
}

/// Why a server of the dashboard is not served. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotServed {
    /// Another server has its name or place.
    #[error("{0} has the same name or address. Give this server another one, or change the other")]
    PlaceTaken(String),
    /// Its secrets were sealed with another master secret.
    #[error("its secrets were sealed with another master secret. Enter them again")]
    Sealed,
    /// Commands are not taken from the dashboard.
    #[error(
        "a command is only run if the configuration says so. Set dashboard_commands, or put the server into the file"
    )]
    CommandsOff,
    /// It is not good any more.
    #[error("its {part} is not accepted: {why}")]
    Bad {
        /// Which part.
        part: &'static str,
        /// What to do, as a sentence.
        why: String,
    },
}

impl From<BadDescription> for NotServed {
    fn from(bad: BadDescription) -> Self {
        Self::Bad { part: bad.part, why: bad.sentence() }
    }
}

/// Why a change of a server did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ServerRefusal {
    /// Something about it is not good.
    #[error("{why}")]
    Part {
        /// Which part: the option's key.
        part: &'static str,
        /// What to do, as a sentence.
        why: String,
    },
    /// Somebody else has changed it since it was read.
    #[error("{by} changed this server while this page was open. Nothing of yours was saved.")]
    Stale {
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
        /// What it is now.
        edition: u64,
    },
    /// It could not be done at all.
    #[error(transparent)]
    Operation(#[from] OperationError),
}

impl From<StoreError> for ServerRefusal {
    fn from(error: StoreError) -> Self {
        OperationError::from(error).into()
    }
}

impl From<BadDescription> for ServerRefusal {
    fn from(bad: BadDescription) -> Self {
        Self::Part { part: bad.part, why: bad.sentence() }
    }
}

impl ServerRefusal {
    fn part(part: &'static str, why: impl Into<String>) -> Self {
        Self::Part { part, why: why.into() }
    }
}

impl App {
    /// Every server, also those that are switched off or not served: the one at `/mcp` first, the others by name.
    pub fn server_entries(&self) -> Result<Vec<ServerEntry>, OperationError> {
        let (directory, stored) = (Arc::clone(&self.live.servers()), self.stored_servers()?);
        let mut entries: Vec<_> = directory.all().map(|server| ServerEntry::served(Arc::clone(server), None)).collect();
        for stored in stored {
            let name = stored.name.clone();
            let served = |entry: &&mut ServerEntry| entry.name == name && entry.is_of(ServerSource::Dashboard);
            if let Some(entry) = entries.iter_mut().find(served) {
                entry.stored = Some(stored);
            } else {
                entries.push(self.unserved(stored, &directory));
            }
        }
        entries.sort_by(|a, b| b.is_main().cmp(&a.is_main()).then_with(|| a.name.cmp(&b.name)));
        Ok(entries)
    }

    /// What is known of the servers called `name`: one, or besides it a stored one that is not served.
    pub fn server_entry(&self, name: &ServerName) -> Result<ServerEntry, OperationError> {
        let directory = Arc::clone(&self.live.servers());
        let stored = self.store.read(|tx| tx.get(SERVERS, name.as_str()))?;
        match (directory.named(name), stored) {
            (Some(server), stored) if server.source == ServerSource::Dashboard => {
                Ok(ServerEntry::served(Arc::clone(server), stored))
            }
            (Some(server), None) => Ok(ServerEntry::served(Arc::clone(server), None)),
            // The one that is served has its own page in the file; what waits behind it can be removed here.
            (Some(server), Some(stored)) => {
                Ok(ServerEntry { server: Some(Arc::clone(server)), ..self.unserved(stored, &directory) })
            }
            (None, Some(stored)) => Ok(self.unserved(stored, &directory)),
            (None, None) => Err(OperationError::NotFound("server")),
        }
    }

    /// The dashboard's servers that are not served, and why not.
    pub fn unserved_servers(&self) -> Result<Vec<(ServerName, NotServed)>, OperationError> {
        let entries = self.server_entries()?.into_iter();
        Ok(entries.filter_map(|entry| Some((entry.name, entry.not_served?))).collect())
    }

    /// The user name of somebody who added or changed a server.
    pub fn user_name(&self, user: UserId) -> Result<String, OperationError> {
        let found = self.store.read(|tx| tx.get(USERS, &user))?;
        Ok(found.map_or_else(|| "somebody who is no longer here".to_owned(), |user| user.name.to_string()))
    }

    /// What was said about a server of the dashboard, with its secrets, to be changed or tried; and whether all of them could
    /// be opened.
    pub fn describe_server(&self, stored: &StoredServer) -> (ServerDescription, bool) {
        stored.describe(&self.sealer)
    }

    /// The server that a description makes, if there may be one of the dashboard's like it. Nothing is kept.
    pub fn judge_server(&self, description: &ServerDescription) -> Result<GuardedServer, ServerRefusal> {
        if !description.command.is_empty() && !self.options.dashboard_commands {
            let why =
                "Commands are taken from the configuration file only. Whoever runs Keyward can set dashboard_commands.";
            return Err(ServerRefusal::part("command", why));
        }
        if description.environment.len() > MAX_STORED_ENVIRONMENT {
            let why = format!("At most {MAX_STORED_ENVIRONMENT} variables.");
            return Err(ServerRefusal::part("environment", why));
        }
        if description.length() > MAX_STORED_TEXT {
            let why = format!("All of it together has more than {MAX_STORED_TEXT} characters. Make it shorter.");
            return Err(ServerRefusal::part("", why));
        }
        let server = description.judge(&self.options.issuer)?;
        if server.is_main() {
            let why = "Which server is at /mcp is said in the configuration file. Choose /mcp/ and a name.";
            return Err(ServerRefusal::part("path", why));
        }
        Ok(server)
    }

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

    /// Puts the stored servers beside those of the file, when the appliance starts.
    pub(super) fn load_servers(&self) -> Result<(), OperationError> {
        let _turn = self.server_turn();
        let file = Arc::clone(&self.live.servers());
        self.live.publish_servers(self.with_stored(&file, &ServerDirectory::default())?);
        Ok(())
    }

    /// Guards `servers` from the very next request on, instead of those that the configuration file named before. The
    /// dashboard's stay what they are, as far as their places are free. Whoever was let in to a server of the file is judged
    /// as after a restart; streams go on where the same stands behind the same URL.
    pub fn replace_servers_of_file(&self, servers: Vec<GuardedServer>) -> Result<(), OperationError> {
        let _turn = self.server_turn();
        // What was told by a server of that name before counts for nothing.
        let edition = self.now().unix_millis();
        let file = ServerDirectory::new(servers.into_iter().map(|server| GuardedServer { edition, ..server }));
        let file = file.map_err(OperationError::invalid)?;
        let before = Arc::clone(&self.live.servers());
        let after = self.with_stored(&file, &before)?;
        let gone: Vec<_> = before.all().filter(|server| after.named(&server.name).is_none()).collect();
        self.live.publish_servers(after);
        for server in gone {
            self.live.calls().forget_server(server.name.as_str());
        }
        Ok(())
    }

    /// `file` with the stored servers whose places are free. What `before` has of them stays the same in memory.
    fn with_stored(&self, file: &ServerDirectory, before: &ServerDirectory) -> Result<ServerDirectory, OperationError> {
        let now = self.now();
        let mut directory = joined(file, None).map_err(OperationError::invalid)?;
        for stored in self.stored_servers()? {
            let placed = self.place(&stored, &directory);
            let displaced = matches!(placed, Err(NotServed::PlaceTaken(_)));
            let stored = if displaced == stored.displaced {
                stored
            } else {
                // Tokens that were made for the other server while it had the place are not for this one.
                let placed_at = if displaced { stored.placed_at } else { now };
                let stored = StoredServer { placed_at, displaced, ..stored };
                let row = stored.clone();
                self.store.write(move |tx| tx.put(SERVERS, row.name.as_str(), &row))?;
                stored
            };
            let Ok(server) = placed else { continue };
            let server = guarded(server, &stored);
            let is_it = |known: &&Arc<GuardedServer>| {
                let (edition, since) = (known.edition, known.since);
                known.source == ServerSource::Dashboard && edition == server.edition && since == server.since
            };
            let known = before.named(&stored.name).filter(is_it).cloned();
            directory =
                joined(&directory, Some(known.unwrap_or_else(|| Arc::new(server)))).map_err(OperationError::invalid)?;
        }
        Ok(directory)
    }

    fn stored_servers(&self) -> Result<Vec<StoredServer>, OperationError> {
        let rows = self.store.read(|tx| tx.scan(SERVERS, Scan::all()))?;
        Ok(rows.into_iter().map(|(_, stored)| stored).collect())
    }

    /// The server that a stored one is, beside those of `directory`.
    fn place(&self, stored: &StoredServer, directory: &ServerDirectory) -> Result<GuardedServer, NotServed> {
        let (description, complete) = stored.describe(&self.sealer);
        if !complete {
            return Err(NotServed::Sealed);
        }
        if !description.command.is_empty() && !self.options.dashboard_commands {
            return Err(NotServed::CommandsOff);
        }
        let server = description.judge(&self.options.issuer)?;
        match directory.at_place_of(&server) {
            Some(other) => Err(NotServed::PlaceTaken(told(other))),
            None => Ok(server),
        }
    }

    fn unserved(&self, stored: StoredServer, directory: &ServerDirectory) -> ServerEntry {
        let not_served = self.place(&stored, directory).err();
        ServerEntry { name: stored.name.clone(), server: None, stored: Some(stored), not_served }
    }

    /// The server of the dashboard that is guarded under this name.
    fn own(&self, name: &ServerName) -> Option<Arc<GuardedServer>> {
        let servers = self.live.servers();
        servers.named(name).filter(|server| server.source == ServerSource::Dashboard).cloned()
    }

    /// Refuses a place that another server has.
    fn check_place(&self, server: &GuardedServer) -> Result<(), ServerRefusal> {
        let servers = self.live.servers();
        let others = servers.all().filter(|other| other.source != ServerSource::Dashboard || other.name != server.name);
        for other in others {
            if other.name == server.name {
                return Err(ServerRefusal::part("name", format!("{} has that name. Choose another one.", told(other))));
            }
            if other.path == server.path || other.resource == server.resource {
                let part = if matches!(server.kind, ServerKind::Proxied) { "proxied_url" } else { "path" };
                return Err(ServerRefusal::part(
                    part,
                    format!("{} is at that address. Choose another one.", told(other)),
                ));
            }
        }
        Ok(())
    }

    /// Held from the look at the directory to its publication.
    fn server_turn(&self) -> MutexGuard<'_, ()> {
        self.server_changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts `server` in the place of the one called `name`. All others stay the same.
    fn publish_server(&self, name: &ServerName, server: Option<&Arc<GuardedServer>>, _turn: &MutexGuard<'_, ()>) {
        let before = Arc::clone(&self.live.servers());
        let others = ServerDirectory::new(before.all().filter(|other| other.name != *name).cloned());
        match others.and_then(|others| joined(&others, server.cloned())) {
            Ok(directory) => self.live.publish_servers(directory),
            Err(shared) => tracing::error!("a server is not served: {shared}"),
        }
    }

    /// The names in the servers' rules that are no user's, for whoever mistyped one. Empty while nobody has an account.
    pub fn unknown_users_in_rules(&self) -> Result<Vec<(ServerName, String)>, OperationError> {
        let servers = self.live.servers();
        self.store.read(|tx| {
            let mut unknown = Vec::new();
            if tx.count(USER_NAMES, Scan::all().limit(1))? == 0 {
                return Ok(unknown);
            }
            for server in servers.all() {
                for name in server.rule.named_users() {
                    let told = unknown.iter().any(|(at, known)| *at == server.name && known == name);
                    if !told && tx.get(USER_NAMES, name)?.is_none() {
                        unknown.push((server.name.clone(), name.to_owned()));
                    }
                }
            }
            Ok(unknown)
        })
    }

    /// The groups in the servers' rules that do not exist, likewise.
    pub fn unknown_groups_in_rules(&self) -> Result<Vec<(ServerName, GroupName)>, OperationError> {
        let servers = self.live.servers();
        self.store.read(|tx| {
            let mut unknown = Vec::new();
            if tx.count(USER_NAMES, Scan::all().limit(1))? == 0 {
                return Ok(unknown);
            }
            for server in servers.all() {
                for name in server.rule.named_groups() {
                    let told = unknown.iter().any(|(at, known)| *at == server.name && known == name);
                    if !told && !tx.contains(GROUPS, name.as_str())? {
                        unknown.push((server.name.clone(), name.clone()));
                    }
                }
            }
            Ok(unknown)
        })
    }
}

impl ServerEntry {
    fn served(server: Arc<GuardedServer>, stored: Option<StoredServer>) -> Self {
        Self { name: server.name.clone(), server: Some(server), stored, not_served: None }
    }

    fn is_of(&self, source: ServerSource) -> bool {
        self.server.as_ref().is_some_and(|server| server.source == source)
    }

    fn is_main(&self) -> bool {
        self.server.as_ref().is_some_and(|server| server.is_main())
    }
}

/// The servers of `directory` and `another`, in the order of a directory.
fn joined(directory: &ServerDirectory, another: Option<Arc<GuardedServer>>) -> Result<ServerDirectory, SharedPlace> {
    let mut all: Vec<_> = directory.all().cloned().chain(another).collect();
    all.sort_by(|a, b| b.is_main().cmp(&a.is_main()).then_with(|| a.name.cmp(&b.name)));
    ServerDirectory::new(all)
}

/// The judged server with what only its record says.
fn guarded(server: GuardedServer, stored: &StoredServer) -> GuardedServer {
    GuardedServer { enabled: stored.enabled, edition: stored.edition, since: stored.placed_at, ..server }
}

fn told(server: &GuardedServer) -> String {
    match server.source {
        ServerSource::Builtin => "The built-in server".to_owned(),
        ServerSource::File => format!("The server {} of the configuration file", server.name),
        ServerSource::Dashboard => format!("The server {}", server.name),
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

//! How do the servers of the configuration file and the dashboard's become one directory, and the next one after a change?
//!
//! Those of the file come first. A stored server whose place belongs to another, or which cannot be judged good any more, is
//! kept and not served. What is not touched stays the same in memory. Whoever publishes holds the turn from its look at the
//! directory on.

use crate::access::{
    BadDescription, GuardedServer, ServerDirectory, ServerName, ServerSource, SharedPlace, StoredServer,
};
use crate::app::App;
use crate::app::error::OperationError;
use crate::store::tables::SERVERS;
use crate::store::{Reads, Scan};
use std::sync::{Arc, MutexGuard, PoisonError};

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

impl App {
    /// Puts the stored servers beside those of the file, when the appliance starts.
    pub(in crate::app) fn load_servers(&self) -> Result<(), OperationError> {
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

    pub(super) fn stored_servers(&self) -> Result<Vec<StoredServer>, OperationError> {
        let rows = self.store.read(|tx| tx.scan(SERVERS, Scan::all()))?;
        Ok(rows.into_iter().map(|(_, stored)| stored).collect())
    }

    /// The server that a stored one is, beside those of `directory`.
    pub(super) fn place(&self, stored: &StoredServer, directory: &ServerDirectory) -> Result<GuardedServer, NotServed> {
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

    /// The server of the dashboard that is guarded under this name.
    pub(super) fn own(&self, name: &ServerName) -> Option<Arc<GuardedServer>> {
        let servers = self.live.servers();
        servers.named(name).filter(|server| server.source == ServerSource::Dashboard).cloned()
    }

    /// Held from the look at the directory to its publication.
    pub(super) fn server_turn(&self) -> MutexGuard<'_, ()> {
        self.server_changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts `server` in the place of the one called `name`. All others stay the same.
    pub(super) fn publish_server(
        &self,
        name: &ServerName,
        server: Option<&Arc<GuardedServer>>,
        _turn: &MutexGuard<'_, ()>,
    ) {
        let before = Arc::clone(&self.live.servers());
        let others = ServerDirectory::new(before.all().filter(|other| other.name != *name).cloned());
        match others.and_then(|others| joined(&others, server.cloned())) {
            Ok(directory) => self.live.publish_servers(directory),
            Err(shared) => tracing::error!("a server is not served: {shared}"),
        }
    }
}

/// The servers of `directory` and `another`, in the order of a directory.
fn joined(directory: &ServerDirectory, another: Option<Arc<GuardedServer>>) -> Result<ServerDirectory, SharedPlace> {
    let mut all: Vec<_> = directory.all().cloned().chain(another).collect();
    all.sort_by(|a, b| b.is_main().cmp(&a.is_main()).then_with(|| a.name.cmp(&b.name)));
    ServerDirectory::new(all)
}

/// The judged server with what only its record says.
pub(super) fn guarded(server: GuardedServer, stored: &StoredServer) -> GuardedServer {
    GuardedServer { enabled: stored.enabled, edition: stored.edition, since: stored.placed_at, ..server }
}

pub(super) fn told(server: &GuardedServer) -> String {
    match server.source {
        ServerSource::Builtin => "The built-in server".to_owned(),
        ServerSource::File => format!("The server {} of the configuration file", server.name),
        ServerSource::Dashboard => format!("The server {}", server.name),
    }
}

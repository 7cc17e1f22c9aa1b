//! Which servers are there, also those that are switched off or not served, and what is known of each?

use crate::access::{GuardedServer, ServerDirectory, ServerName, ServerSource, StoredServer};
use crate::app::App;
use crate::app::error::OperationError;
use crate::app::servers::NotServed;
use crate::id::UserId;
use crate::store::Reads;
use crate::store::tables::{SERVERS, USERS};
use std::sync::Arc;

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

    fn unserved(&self, stored: StoredServer, directory: &ServerDirectory) -> ServerEntry {
        let not_served = self.place(&stored, directory).err();
        ServerEntry { name: stored.name.clone(), server: None, stored: Some(stored), not_served }
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

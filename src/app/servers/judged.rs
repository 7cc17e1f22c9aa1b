//! May there be such a server of the dashboard's, at such a place? Nothing is kept here.

use crate::access::{
    BadDescription, GuardedServer, MAX_STORED_ENVIRONMENT, MAX_STORED_TEXT, ServerDescription, ServerKind,
    ServerSource, StoredServer,
};
use crate::app::App;
use crate::app::error::OperationError;
use crate::app::servers::directory::told;
use crate::clock::Timestamp;
use crate::store::StoreError;

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
    pub(super) fn part(part: &'static str, why: impl Into<String>) -> Self {
        Self::Part { part, why: why.into() }
    }
}

impl App {
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

    /// Refuses a place that another server has.
    pub(super) fn check_place(&self, server: &GuardedServer) -> Result<(), ServerRefusal> {
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
}

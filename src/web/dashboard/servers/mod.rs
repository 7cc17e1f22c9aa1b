//! How do people see the guarded servers, and how does an admin keep them? A list and a page for each for everybody who may
//! use them; for admins all of them, and those of the dashboard to be added, changed, tried, switched and removed.

pub mod list;
pub mod show;
pub mod form;
pub mod new;
pub mod edit;
pub mod enable;
pub mod remove;
mod lists;
mod tested;
mod traffic;

pub use form::ServerFormView;
pub use list::ServersView;
pub use remove::ServerRemoveView;
pub use show::ServerView;
pub use tested::{TestResult, ToolRow};
pub use traffic::{CallDays, DayRow, Traffic};

use crate::access::{GuardedServer, ServerKind, ServerSource, StoredServer};
use crate::app::servers::ServerEntry;

/// Whether a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerState {
    /// It does.
    On,
    /// It was switched off.
    Off,
    /// It is kept, and cannot be served.
    NotServed,
}

/// What an admin sees of a server at a glance.
#[derive(Debug, Clone)]
pub struct ServerRow {
    /// Its name.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Its URL; nothing if it is not served.
    pub url: Option<String>,
    /// Whether it answers.
    pub state: ServerState,
    /// What stands behind it: `http://127.0.0.1:9000`.
    pub behind: String,
    /// Who set it up: "the configuration file".
    pub source: &'static str,
}

impl ServerRow {
    fn of(entry: &ServerEntry) -> Self {
        let name = entry.name.to_string();
        let Some(server) = entry.server.as_ref().filter(|_| entry.not_served.is_none()) else {
            let title = name.clone();
            let (state, source) = (ServerState::NotServed, source_in_words(ServerSource::Dashboard));
            return Self { name, title, url: None, state, behind: String::new(), source };
        };
        Self {
            name,
            title: server.title.clone(),
            url: Some(server.resource.to_string()),
            state: if server.enabled { ServerState::On } else { ServerState::Off },
            behind: behind(server),
            source: source_in_words(server.source),
        }
    }
}

/// What stands behind a server, without anything that may be secret.
fn behind(server: &GuardedServer) -> String {
    match &server.kind {
        ServerKind::Builtin => "Keyward’s own tools".to_owned(),
        ServerKind::Http(upstream) => upstream.url.origin().to_owned(),
        ServerKind::Stdio(upstream) => upstream.command.join(" "),
        ServerKind::Proxied => "a proxy of your own".to_owned(),
    }
}

const fn source_in_words(source: ServerSource) -> &'static str {
    match source {
        ServerSource::Builtin => "Keyward itself",
        ServerSource::File => "configuration file",
        ServerSource::Dashboard => "dashboard",
    }
}

/// The edition of a record as a form carries it.
fn edition_of(stored: &StoredServer) -> String {
    format!("{:016x}", stored.edition)
}

/// The edition that a form carries; no record's if it is none.
fn read_edition(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap_or_default()
}

#[cfg(test)]
impl ServerRow {
    fn sample(name: &str, title: &str, state: ServerState, behind: &str, source: &'static str) -> Self {
        let url = format!("https://mcp.example.org/mcp/{name}");
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            url: (state != ServerState::NotServed).then_some(url),
            state,
            behind: behind.to_owned(),
            source,
        }
    }
}

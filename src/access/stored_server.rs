//! What is kept of a server that an admin described in the dashboard? What was said, its secrets sealed.
//!
//! It is judged each time that it is read ([`ServerDescription::judge`]), never trusted. Invariants: a sealed text opens only
//! as the part of the server that it was sealed for; the record says from when on the server has stood at its URL, so that
//! tokens that were made for whatever stood there before do not open it.

use crate::access::description::{CredentialDescription, CredentialValue, ServerDescription};
use crate::access::server::{ServerName, ServerSource};
use crate::access::upstream::ChildMode;
use crate::clock::{Span, Timestamp};
use crate::entropy::{Entropy, random_bytes};
use crate::id::UserId;
use crate::seal::{NotSealed, Purpose, Sealer};
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Most servers that the dashboard keeps.
pub const MAX_STORED_SERVERS: usize = 200;
/// Most bytes of all texts of one of them.
pub const MAX_STORED_TEXT: usize = 16 * 1024;
/// Most environment variables of one of them.
pub const MAX_STORED_ENVIRONMENT: usize = 64;

/// A server of the dashboard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredServer {
    /// Its name.
    pub name: ServerName,
    /// Another number after each change of the settings: a form names the one that it was made from.
    pub edition: u64,
    /// When it was added.
    pub added_at: Timestamp,
    /// By whom.
    pub added_by: UserId,
    /// When its settings were changed last.
    pub changed_at: Timestamp,
    /// By whom.
    pub changed_by: UserId,
    /// From when on it has stood at its URL.
    pub placed_at: Timestamp,
    /// Whether its place belonged to another server when Keyward started last.
    pub displaced: bool,
    /// Whether it answers.
    pub enabled: bool,
    /// What was said about it.
    pub settings: StoredSettings,
}

/// What was said about a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSettings {
    title: Option<String>,
    path: Option<String>,
    users: Option<Vec<String>>,
    groups: Option<Vec<String>>,
    scopes: Vec<(String, Vec<String>)>,
    most: Vec<(String, Vec<String>)>,
    kind: StoredKind,
}

/// What stands behind it. Times are seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum StoredKind {
    Http {
        url: SealedText,
        credential: Option<StoredCredential>,
        assertion: bool,
        connect_timeout: u64,
        first_byte_timeout: u64,
        idle_timeout: u64,
    },
    Stdio {
        command: Vec<String>,
        environment: Vec<(String, SealedText)>,
        working_directory: Option<String>,
        mode: ChildMode,
        max_children: u64,
        idle: u64,
    },
    Proxied {
        url: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredCredential {
    header: String,
    prefix: SealedText,
    /// None: the caller's own.
    value: Option<SealedText>,
}

/// A text that only this installation opens, as the part of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SealedText(String);

impl StoredServer {
    /// A server that `by` describes for the first time.
    pub fn added(
        description: &ServerDescription,
        by: UserId,
        now: Timestamp,
        sealer: &Sealer,
        entropy: &dyn Entropy,
    ) -> Self {
        Self {
            name: description.name.clone(),
            edition: new_edition(entropy),
            added_at: now,
            added_by: by,
            changed_at: now,
            changed_by: by,
            placed_at: now,
            displaced: false,
            enabled: description.enabled,
            settings: StoredSettings::of(description, sealer),
        }
    }

    /// The same server with other settings. Whether it is enabled, and where it stands, is not for a description to say.
    #[must_use]
    pub fn changed(
        self,
        description: &ServerDescription,
        by: UserId,
        now: Timestamp,
        sealer: &Sealer,
        entropy: &dyn Entropy,
    ) -> Self {
        let settings = StoredSettings::of(description, sealer);
        Self { edition: new_edition(entropy), changed_at: now, changed_by: by, settings, ..self }
    }

    /// What was said about it, and whether all of its secrets could be opened; those that could not are empty.
    pub fn describe(&self, sealer: &Sealer) -> (ServerDescription, bool) {
        let mut opening = Opening { name: &self.name, sealer, complete: true };
        let settings = &self.settings;
        let mut description = ServerDescription {
            title: settings.title.clone(),
            path: settings.path.clone(),
            enabled: self.enabled,
            users: settings.users.clone(),
            groups: settings.groups.clone(),
            scopes: settings.scopes.iter().cloned().collect(),
            most: settings.most.iter().cloned().collect(),
            ..ServerDescription::new(self.name.clone(), ServerSource::Dashboard)
        };
        match &settings.kind {
            StoredKind::Http { url, credential, assertion, connect_timeout, first_byte_timeout, idle_timeout } => {
                description.url = Some(opening.open("url", url));
                description.credential = credential.as_ref().map(|credential| CredentialDescription {
                    header: credential.header.clone(),
                    prefix: opening.open("prefix", &credential.prefix),
                    value: match &credential.value {
                        Some(value) => CredentialValue::Known(opening.open("credential", value)),
                        None => CredentialValue::PerUser,
                    },
                });
                description.assertion = *assertion;
                description.connect_timeout = Span::seconds(*connect_timeout);
                description.first_byte_timeout = Span::seconds(*first_byte_timeout);
                description.idle_timeout = Span::seconds(*idle_timeout);
            }
            StoredKind::Stdio { command, environment, working_directory, mode, max_children, idle } => {
                description.command.clone_from(command);
                let environment = environment.iter();
                description.environment =
                    environment.map(|(name, value)| (name.clone(), opening.open(&variable(name), value))).collect();
                description.working_directory = working_directory.as_ref().map(PathBuf::from);
                description.mode = *mode;
                description.max_children = usize::try_from(*max_children).unwrap_or(usize::MAX);
                description.idle = Span::seconds(*idle);
            }
            StoredKind::Proxied { url } => description.proxied_url = Some(url.clone()),
        }
        (description, opening.complete)
    }
}

fn new_edition(entropy: &dyn Entropy) -> u64 {
    u64::from_be_bytes(random_bytes(entropy))
}

fn variable(name: &str) -> String {
    format!("environment {name}")
}

impl StoredSettings {
    fn of(said: &ServerDescription, sealer: &Sealer) -> Self {
        let seal = |part: &str, value: &Secret<String>| SealedText::seal(sealer, &said.name, part, value);
        let kind = match (&said.url, &said.proxied_url) {
            (Some(url), _) => StoredKind::Http {
                url: seal("url", url),
                credential: said.credential.as_ref().map(|credential| StoredCredential {
                    header: credential.header.clone(),
                    prefix: seal("prefix", &credential.prefix),
                    value: match &credential.value {
                        CredentialValue::Known(value) => Some(seal("credential", value)),
                        CredentialValue::PerUser => None,
                    },
                }),
                assertion: said.assertion,
                connect_timeout: said.connect_timeout.duration().as_secs(),
                first_byte_timeout: said.first_byte_timeout.duration().as_secs(),
                idle_timeout: said.idle_timeout.duration().as_secs(),
            },
            (None, Some(url)) => StoredKind::Proxied { url: url.clone() },
            (None, None) => StoredKind::Stdio {
                command: said.command.clone(),
                environment: said
                    .environment
                    .iter()
                    .map(|(name, value)| (name.clone(), seal(&variable(name), value)))
                    .collect(),
                working_directory: said.working_directory.as_ref().map(|path| path.to_string_lossy().into_owned()),
                mode: said.mode,
                max_children: said.max_children as u64,
                idle: said.idle.duration().as_secs(),
            },
        };
        Self {
            title: said.title.clone(),
            path: said.path.clone(),
            users: said.users.clone(),
            groups: said.groups.clone(),
            scopes: said.scopes.clone().into_iter().collect(),
            most: said.most.clone().into_iter().collect(),
            kind,
        }
    }
}

impl SealedText {
    fn seal(sealer: &Sealer, server: &ServerName, part: &str, value: &Secret<String>) -> Self {
        let text = Secret::new(format!("{}{}", place(server, part), value.expose()));
        Self(sealer.seal_text(Purpose::ServerSecret, text.expose()))
    }

    fn open(&self, sealer: &Sealer, server: &ServerName, part: &str) -> Result<Secret<String>, NotSealed> {
        let text = Secret::new(sealer.open_text(Purpose::ServerSecret, &self.0)?);
        let value = text.expose().strip_prefix(&place(server, part)).ok_or(NotSealed)?;
        Ok(Secret::new(value.to_owned()))
    }
}

/// What stands before a sealed value, so that it is no other part's and no other server's. Neither has a NUL.
fn place(server: &ServerName, part: &str) -> String {
    format!("{server}\0{part}\0")
}

struct Opening<'a> {
    name: &'a ServerName,
    sealer: &'a Sealer,
    complete: bool,
}

impl Opening<'_> {
    fn open(&mut self, part: &str, sealed: &SealedText) -> Secret<String> {
        sealed.open(self.sealer, self.name, part).unwrap_or_else(|_| {
            self.complete = false;
            Secret::new(String::new())
        })
    }
}

#[cfg(test)]
impl StoredServer {
    /// One of each kind, with secrets that nobody opens.
    pub(crate) fn samples() -> [Self; 4] {
        let now = Timestamp::from_unix_seconds(1_790_000_000);
        let sealed = || SealedText("v4.local.sealed".to_owned());
        let text = |text: &str| text.to_owned();
        let bare = StoredSettings {
            title: None,
            path: None,
            users: None,
            groups: None,
            scopes: Vec::new(),
            most: Vec::new(),
            kind: StoredKind::Proxied { url: text("https://t.example/mcp") },
        };
        let http = |value| StoredSettings {
            title: Some(text("Files")),
            path: Some(text("/mcp/drive")),
            users: Some(vec![text("ada"), text("ben")]),
            groups: Some(vec![text("writers")]),
            scopes: vec![(text("files:write"), vec![text("write_*"), text("edit_*")])],
            most: vec![(text("ben"), vec![text("mcp:read")])],
            kind: StoredKind::Http {
                url: sealed(),
                credential: Some(StoredCredential { header: text("Authorization"), prefix: sealed(), value }),
                assertion: true,
                connect_timeout: 5,
                first_byte_timeout: 60,
                idle_timeout: 300,
            },
        };
        let command = StoredKind::Stdio {
            command: vec![text("uvx"), text("mcp-git")],
            environment: vec![(text("TOKEN"), sealed())],
            working_directory: Some(text("/srv")),
            mode: ChildMode::Shared,
            max_children: 3,
            idle: 600,
        };
        let of = |name: &str, settings| Self {
            name: ServerName::parse(name).unwrap(),
            edition: 7,
            added_at: now,
            added_by: UserId::from_bytes([1; 16]),
            changed_at: now + std::time::Duration::from_secs(1),
            changed_by: UserId::from_bytes([2; 16]),
            placed_at: now,
            displaced: false,
            enabled: true,
            settings,
        };
        let off = Self { enabled: false, displaced: true, ..of("tools", bare.clone()) };
        [
            of("files", http(Some(sealed()))),
            of("mail", http(None)),
            of("git", StoredSettings { kind: command, ..bare }),
            off,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use crate::secret::MasterSecret;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);
    const ADA: UserId = UserId::from_bytes([1; 16]);

    fn sealer(seed: u64) -> Sealer {
        Sealer::new(&MasterSecret::generate(&SeededEntropy::new(seed)))
    }

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    fn stored(description: &ServerDescription) -> StoredServer {
        StoredServer::added(description, ADA, NOW, &sealer(1), &SeededEntropy::new(9))
    }

    fn empty(name: &str) -> ServerDescription {
        ServerDescription::new(ServerName::parse(name).unwrap(), ServerSource::Dashboard)
    }

    fn descriptions() -> [ServerDescription; 4] {
        let credential = CredentialDescription {
            header: "X-Key".to_owned(),
            prefix: secret("Bearer "),
            value: CredentialValue::Known(secret("hunter2")),
        };
        let own = CredentialDescription { value: CredentialValue::PerUser, ..credential.clone() };
        let http = ServerDescription {
            title: Some("Files".to_owned()),
            path: Some("/mcp/drive".to_owned()),
            url: Some(secret("http://127.0.0.1:9000/mcp?key=hunter3")),
            credential: Some(credential),
            assertion: true,
            connect_timeout: Span::seconds(7),
            first_byte_timeout: Span::minutes(2),
            idle_timeout: Span::hours(1),
            users: Some(vec!["ada".to_owned()]),
            scopes: [("files:write".to_owned(), vec!["write_*".to_owned()])].into(),
            most: [("ben".to_owned(), vec!["mcp:read".to_owned()])].into(),
            ..empty("files")
        };
        let stdio = ServerDescription {
            command: vec!["uvx".to_owned(), "mcp-git".to_owned()],
            environment: [("TOKEN".to_owned(), secret("hunter4")), ("OTHER".to_owned(), secret(""))].into(),
            working_directory: Some("/srv".into()),
            mode: ChildMode::PerSession,
            max_children: 3,
            idle: Span::minutes(1),
            ..empty("git")
        };
        let per_user = ServerDescription { credential: Some(own), ..http.clone() };
        let proxied = ServerDescription { proxied_url: Some("https://t.example/mcp".to_owned()), ..empty("tools") };
        [http, per_user, stdio, proxied]
    }

    /// All that a description says, its secrets included.
    fn all(description: &ServerDescription) -> String {
        let credential = description.credential.as_ref().map(|credential| match &credential.value {
            CredentialValue::Known(value) => format!("{}{}", credential.prefix.expose(), value.expose()),
            CredentialValue::PerUser => format!("{} their own", credential.prefix.expose()),
        });
        let environment: Vec<_> = description.environment.iter().map(|(name, value)| (name, value.expose())).collect();
        format!("{description:?} {:?} {credential:?} {environment:?}", description.url.as_ref().map(Secret::expose))
    }

    #[test]
    fn what_was_said_is_read_again_and_no_secret_stands_there() {
        for description in descriptions() {
            let stored = stored(&description);
            let (read, complete) = stored.describe(&sealer(1));
            assert!(complete);
            assert_eq!(all(&read), all(&description));
            let kept = serde_json::to_string(&stored).unwrap();
            assert!(!kept.contains("hunter") && !format!("{stored:?}").contains("hunter"), "{kept}");
        }
    }

    #[test]
    fn secrets_open_here_and_in_their_place_only() {
        let [http, ..] = descriptions();
        let (read, complete) = stored(&http).describe(&sealer(2));
        assert!(!complete && read.url.unwrap().expose().is_empty(), "another installation");

        let renamed = StoredServer { name: ServerName::parse("mail").unwrap(), ..stored(&http) };
        assert!(!renamed.describe(&sealer(1)).1, "another server");

        let mut swapped = stored(&http);
        let StoredKind::Http { url, credential: Some(credential), .. } = &mut swapped.settings.kind else { panic!() };
        std::mem::swap(url, credential.value.as_mut().unwrap());
        assert!(!swapped.describe(&sealer(1)).1, "another part: a credential must not be sent as an address");
    }

    #[test]
    fn a_change_is_another_edition() {
        let [http, ..] = descriptions();
        let before = stored(&http);
        let after = before.clone().changed(&http, ADA, NOW, &sealer(1), &SeededEntropy::new(10));
        assert_ne!(before.edition, after.edition);
        assert_eq!((before.placed_at, before.added_at), (after.placed_at, after.added_at));
    }
}

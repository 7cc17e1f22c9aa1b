//! What is said about each server? `[servers.NAME]` of the file; reading only, judged by [`super::servers`].
//!
//! Environment values and credentials are secrets: no message repeats what stands in their place.

use crate::access::{ChildMode, ServerName};
use crate::clock::Span;
use crate::config::error::ConfigError;
use crate::config::options::{SERVER_OPTIONS, find_of_server, nearest_of_server};
use crate::config::sources::{Source, first_line, merge, nested};
use crate::secret::Secret;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use toml::{Table, Value};

/// The section of the file.
pub(super) const SECTION: &str = "servers";

/// Options whose value is not repeated, because it is a secret or may be one by mistake.
const SECRET: [&str; 3] = ["url", "environment", "credential."];

/// The options of one server as given, defaults filled in. Field for field the table [`SERVER_OPTIONS`].
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ServerSettings {
    pub(super) title: Option<String>,
    pub(super) path: Option<String>,
    pub(super) enabled: bool,
    pub(super) url: Option<Secret<String>>,
    pub(super) credential: Option<CredentialSettings>,
    pub(super) assertion: bool,
    pub(super) connect_timeout: Span,
    pub(super) first_byte_timeout: Span,
    pub(super) idle_timeout: Span,
    pub(super) command: Vec<String>,
    pub(super) environment: BTreeMap<String, Secret<String>>,
    pub(super) environment_files: BTreeMap<String, PathBuf>,
    pub(super) working_directory: Option<PathBuf>,
    #[serde(with = "ChildModeName")]
    pub(super) mode: ChildMode,
    pub(super) max_children: usize,
    pub(super) idle: Span,
    pub(super) proxied_url: Option<String>,
    pub(super) users: Option<Vec<String>>,
    pub(super) groups: Option<Vec<String>>,
    pub(super) scopes: BTreeMap<String, Vec<String>>,
    pub(super) most: BTreeMap<String, Vec<String>>,
}

/// `credential`: where the value is and how it is sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CredentialSettings {
    pub(super) header: String,
    pub(super) file: Option<PathBuf>,
    pub(super) environment: Option<String>,
    pub(super) per_user: bool,
    pub(super) prefix: Secret<String>,
}

#[derive(Deserialize)]
#[serde(remote = "ChildMode", rename_all = "kebab-case")]
enum ChildModeName {
    PerUser,
    Shared,
    PerSession,
}

impl Default for CredentialSettings {
    fn default() -> Self {
        let prefix = Secret::new(String::new());
        Self { header: "Authorization".to_owned(), file: None, environment: None, per_user: false, prefix }
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            title: None,
            path: None,
            enabled: true,
            url: None,
            credential: None,
            assertion: false,
            connect_timeout: Span::seconds(5),
            first_byte_timeout: Span::seconds(60),
            idle_timeout: Span::minutes(5),
            command: Vec::new(),
            environment: BTreeMap::new(),
            environment_files: BTreeMap::new(),
            working_directory: None,
            mode: ChildMode::PerUser,
            max_children: 16,
            idle: Span::minutes(10),
            proxied_url: None,
            users: None,
            groups: None,
            scopes: BTreeMap::new(),
            most: BTreeMap::new(),
        }
    }
}

/// The servers of the file, with the environment variables that they name.
#[derive(Debug, Default)]
pub struct ServersGiven {
    pub(super) servers: BTreeMap<ServerName, ServerSettings>,
    pub(super) variables: BTreeMap<String, Secret<String>>,
}

impl ServersGiven {
    /// Whether a server takes its credential from the environment variable `name`.
    pub(super) fn names_variable(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }
}

/// The servers' tables, each value checked for its type when it came.
#[derive(Default)]
pub(super) struct ServerTables(BTreeMap<ServerName, Table>);

impl ServerTables {
    /// Takes the whole of `[servers]`.
    pub(super) fn take(&mut self, value: Value, source: &Source) -> Result<(), ConfigError> {
        let section = |key: String| ConfigError::Section { source_name: source.clone(), key };
        let Value::Table(servers) = value else { return Err(section(format!("{SECTION}.NAME"))) };
        for (name, value) in servers {
            let server = ServerName::parse(&name).map_err(|problem| {
                let (source_name, name) = (source.clone(), name.clone());
                ConfigError::ServerName { source_name, name, problem }
            })?;
            let Value::Table(options) = value else { return Err(section(format!("{SECTION}.{name}"))) };
            let mut into = Table::new();
            take_options(&server, "", options, source, &mut into)?;
            self.0.insert(server, into);
        }
        Ok(())
    }

    /// What was given, with those of the `variables` that are named.
    pub(super) fn finish(self, variables: Vec<(String, String)>) -> ServersGiven {
        let read = |table| ServerSettings::deserialize(Value::Table(table)).expect("every value was read alone before");
        let servers: BTreeMap<_, _> = self.0.into_iter().map(|(name, table)| (name, read(table))).collect();
        let named = |name: &String| {
            let credentials = servers.values().filter_map(|server| server.credential.as_ref());
            credentials.filter_map(|credential| credential.environment.as_ref()).any(|wanted| wanted == name)
        };
        let variables = variables.into_iter().filter(|(name, _)| named(name));
        let variables = variables.map(|(name, text)| (name, Secret::new(text))).collect();
        ServersGiven { servers, variables }
    }
}

fn take_options(
    server: &ServerName,
    prefix: &str,
    options: Table,
    source: &Source,
    into: &mut Table,
) -> Result<(), ConfigError> {
    for (name, value) in options {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        let full = format!("{SECTION}.{server}.{key}");
        let is_section =
            SERVER_OPTIONS.iter().any(|o| o.key.strip_prefix(&key).is_some_and(|rest| rest.starts_with('.')));
        match (find_of_server(&key), value) {
            (Some(_), value) => {
                let alone = nested(&key, value.clone());
                if let Err(problem) = ServerSettings::deserialize(Value::Table(alone.clone())) {
                    let (value, problem) = if SECRET.iter().any(|secret| key.starts_with(secret)) {
                        ("what stands there".to_owned(), expected(&key).to_owned())
                    } else {
                        (value.to_string(), first_line(problem.message()))
                    };
                    return Err(ConfigError::BadValue {
                        source_name: source.clone(),
                        key: full.into(),
                        value,
                        problem,
                    });
                }
                merge(into, alone);
            }
            (None, Value::Table(inner)) if is_section => take_options(server, &key, inner, source, into)?,
            (None, _) if is_section => {
                return Err(ConfigError::Section { source_name: source.clone(), key: full });
            }
            (None, _) => {
                let nearest = nearest_of_server(&key).map(|key| format!("{SECTION}.{server}.{key}").into());
                return Err(ConfigError::UnknownKey { source_name: source.clone(), key: full, nearest });
            }
        }
    }
    Ok(())
}

fn expected(key: &str) -> &'static str {
    match key {
        "environment" => "expected texts by name, such as { TOKEN = \"…\" }",
        "environment_files" => "expected files by name, such as { TOKEN = \"/run/secrets/token\" }",
        "credential.per_user" => "expected true or false",
        _ => "expected a text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_defaults_are_the_defaults_and_every_option_is_read() {
        let mut table = Table::new();
        for option in SERVER_OPTIONS {
            let text = match option.key {
                "users" | "groups" => "[\"ada\"]",
                _ if option.default.is_empty() => "\"x\"",
                _ => option.default,
            };
            let line: Table = format!("{} = {text}", option.key).parse().unwrap();
            merge(&mut table, line);
        }
        let mut all: ServerSettings = Value::Table(table).try_into().unwrap();
        let credential = all.credential.take().unwrap();
        assert_eq!((credential.header.as_str(), credential.prefix.expose().as_str()), ("Authorization", ""));
        assert_eq!(credential.file.unwrap().as_os_str(), "x");
        (all.title, all.path, all.url, all.working_directory, all.users) = (None, None, None, None, None);
        (all.proxied_url, all.groups) = (None, None);
        assert_eq!(format!("{all:?}"), format!("{:?}", ServerSettings::default()));
    }
}

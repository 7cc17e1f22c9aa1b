//! Where do the options come from? Flags beat variables, variables beat the file, the file beats the defaults.

use crate::config::error::ConfigError;
use crate::config::options::{OPTIONS, OptionDoc, find, nearest};
use crate::config::server_settings::{SECTION, ServerTables, ServersGiven};
use crate::config::settings::Settings;
use crate::secret::{MasterSecret, Secret};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use toml::{Table, Value};

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In this file.
    File(PathBuf),
    /// In this environment variable.
    Variable(String),
    /// In this flag.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// What the caller gives; nothing is taken from anywhere else.
#[derive(Debug, Default, Clone)]
pub struct Given {
    /// The configuration file, if a flag names one; otherwise `KEYWARD_CONFIG` may.
    pub file: Option<PathBuf>,
    /// The environment.
    pub variables: Vec<(String, String)>,
    /// Options by key, from flags: `listen` for `--listen`.
    pub flags: Vec<(&'static str, String)>,
    /// What stands in for the defaults, by key: a fixture has others than a server.
    pub defaults: Vec<(&'static str, String)>,
}

impl Given {
    /// The same for another reading, without the master secret, which is read once.
    #[must_use]
    pub fn again(&self) -> Self {
        let mut again = self.clone();
        again.variables.retain(|(name, _)| name != MASTER_SECRET_VARIABLE);
        again
    }
}

/// The options of all sources together, each read and of the right type.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The options.
    pub settings: Settings,
    /// The servers of the file.
    pub servers: ServersGiven,
    /// The master secret, if a variable holds it.
    pub master_secret: Option<MasterSecret>,
    /// Things to tell the operator once the log is there.
    pub warnings: Vec<String>,
}

const CONFIG_VARIABLE: &str = "KEYWARD_CONFIG";
const MASTER_SECRET_VARIABLE: &str = "KEYWARD_MASTER_SECRET";

/// Reads every source.
pub fn load(given: Given) -> Result<Loaded, ConfigError> {
    let mut master_secret = None;
    let mut file = given.file;
    let mut from_variables = Vec::new();
    let mut unknown = Vec::new();
    let environment = given.variables.clone();
    for (name, text) in given.variables {
        // An empty variable is how compose files and unit files say "not set".
        if !name.starts_with("KEYWARD_") || text.is_empty() {
            continue;
        }
        match name.as_str() {
            CONFIG_VARIABLE => file = file.or_else(|| Some(PathBuf::from(text))),
            MASTER_SECRET_VARIABLE => {
                let text = Secret::new(text);
                master_secret = Some(MasterSecret::parse(text.expose()).map_err(ConfigError::MasterSecret)?);
            }
            _ => match OPTIONS.iter().find(|option| option.variable() == name) {
                Some(option) => from_variables.push((option, text, Source::Variable(name))),
                None => unknown.push(name),
            },
        }
    }

    let mut values = Values::default();
    for (key, text) in given.defaults {
        values.take_text(key, text, Source::Flag(key.to_owned()))?;
    }
    if let Some(path) = file {
        values.take_file(path)?;
    }
    for (option, text, source) in from_variables {
        values.take(option, value_of(option, text), source)?;
    }
    for (key, text) in given.flags {
        values.take_text(key, text, Source::Flag(format!("--{}", key.replace('_', "-"))))?;
    }
    let servers = std::mem::take(&mut values.servers).finish(environment);
    let warnings = unknown
        .into_iter()
        .filter(|name| !servers.names_variable(name))
        .map(|name| format!("the environment variable {name} is no option of Keyward: ignored"));
    Ok(Loaded { warnings: warnings.collect(), settings: values.settings(), servers, master_secret })
}

/// Values by key, each checked for its type when it came.
#[derive(Default)]
struct Values {
    options: BTreeMap<&'static str, Value>,
    servers: ServerTables,
}

impl Values {
    fn take_file(&mut self, path: PathBuf) -> Result<(), ConfigError> {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(cause) => return Err(ConfigError::Unreadable { path, cause }),
        };
        let table: Table = match text.parse() {
            Ok(table) => table,
            Err(problem) => {
                let end = problem.span().map_or(0, |span| span.start.min(text.len()));
                let line = text.as_bytes()[..end].split(|byte| *byte == b'\n').count();
                let problem = format!("line {line}: {}", first_line(problem.message()));
                return Err(ConfigError::NotToml { path, problem });
            }
        };
        self.take_table("", table, &Source::File(path))
    }

    fn take_table(&mut self, prefix: &str, table: Table, source: &Source) -> Result<(), ConfigError> {
        for (name, value) in table {
            let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            if key == SECTION {
                self.servers.take(value, source)?;
                continue;
            }
            let is_section = OPTIONS.iter().any(|o| o.key.strip_prefix(&key).is_some_and(|rest| rest.starts_with('.')));
            match (find(&key), value) {
                (Some(option), value) => self.take(option, value, source.clone())?,
                (None, Value::Table(inner)) if is_section || !inner.is_empty() => {
                    self.take_table(&key, inner, source)?;
                }
                (None, _) if is_section => return Err(ConfigError::Section { source_name: source.clone(), key }),
                (None, _) => {
                    let nearest = nearest(&key).map(Cow::Borrowed);
                    return Err(ConfigError::UnknownKey { source_name: source.clone(), key, nearest });
                }
            }
        }
        Ok(())
    }

    fn take_text(&mut self, key: &str, text: String, source: Source) -> Result<(), ConfigError> {
        match find(key) {
            Some(option) => self.take(option, value_of(option, text), source),
            None => Err(ConfigError::UnknownKey {
                source_name: source,
                key: key.to_owned(),
                nearest: nearest(key).map(Cow::Borrowed),
            }),
        }
    }

    fn take(&mut self, option: &'static OptionDoc, value: Value, source: Source) -> Result<(), ConfigError> {
        // Alone in a table, so that a wrong type is laid to the right key and source.
        if let Err(problem) = Settings::deserialize(Value::Table(nested(option.key, value.clone()))) {
            return Err(ConfigError::BadValue {
                source_name: source,
                key: Cow::Borrowed(option.key),
                value: value.to_string(),
                problem: first_line(problem.message()),
            });
        }
        self.options.insert(option.key, value);
        Ok(())
    }

    fn settings(self) -> Settings {
        let mut all = Table::new();
        for (key, value) in self.options {
            merge(&mut all, nested(key, value));
        }
        Settings::deserialize(Value::Table(all)).expect("every value was read alone before")
    }
}

/// `a.b = value` as tables.
pub(super) fn nested(key: &str, value: Value) -> Table {
    let mut parts = key.rsplit('.');
    let mut table = Table::new();
    table.insert(parts.next().unwrap_or_default().to_owned(), value);
    for part in parts {
        table = Table::from_iter([(part.to_owned(), Value::Table(table))]);
    }
    table
}

pub(super) fn merge(into: &mut Table, from: Table) {
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(Value::Table(into)), Value::Table(from)) => merge(into, from),
            (_, value) => {
                into.insert(name, value);
            }
        }
    }
}

/// The text of a variable or flag as the kind of value that the option's default is; a list has commas.
fn value_of(option: &OptionDoc, text: String) -> Value {
    match option.default.as_bytes().first() {
        Some(b'[') => {
            let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
            Value::Array(entries.map(|entry| Value::String(entry.to_owned())).collect())
        }
        Some(b't' | b'f') => text.parse().map_or(Value::String(text), Value::Boolean),
        Some(b'0'..=b'9') => text.parse().map_or(Value::String(text), Value::Integer),
        _ => Value::String(text),
    }
}

pub(super) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Span;
    use crate::telemetry::LogFormat;
    use std::io::Write;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn load_file(text: &str) -> Result<Settings, String> {
        let file = file(text);
        let path = file.path().display().to_string();
        let given = Given { file: Some(file.path().to_owned()), ..Given::default() };
        load(given).map(|loaded| loaded.settings).map_err(|error| error.to_string().replace(&path, "FILE"))
    }

    fn variable(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn flags_beat_variables_beat_the_file_beats_the_defaults() {
        let file = file(
            "listen = \"127.0.0.1:1\"\ndata_dir = \"from-file\"\nlog = \"debug\"\n[tokens]\naccess_token_life = \"5m\"",
        );
        let given = Given {
            file: None,
            variables: vec![
                variable("KEYWARD_CONFIG", file.path().to_str().unwrap()),
                variable("KEYWARD_LISTEN", "127.0.0.1:2"),
                variable("KEYWARD_DATA_DIR", "from-variable"),
                variable("KEYWARD_TOKENS_REFRESH_GRACE", "10s"),
                variable("KEYWARD_LIMITS_CONNECTIONS", "7"),
                variable("KEYWARD_LIMITS_RATE_LIMITS", "false"),
                variable("KEYWARD_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8"),
                variable("KEYWARD_LOG", ""),
                variable("KEYWARD_SERVICE_PORT", "80"),
                variable("PATH", "/bin"),
            ],
            flags: vec![("listen", "127.0.0.1:3".to_owned())],
            defaults: vec![("log", "off".to_owned()), ("log_format", "json".to_owned())],
        };
        let Loaded { settings, warnings, .. } = load(given).unwrap();
        assert_eq!(settings.listen, "127.0.0.1:3");
        assert_eq!(settings.data_dir, PathBuf::from("from-variable"));
        assert_eq!(settings.log, "debug", "an empty variable is no variable");
        assert_eq!(settings.log_format, LogFormat::Json);
        assert_eq!(settings.tokens.access_token_life, Span::minutes(5));
        assert_eq!(settings.tokens.refresh_grace, Span::seconds(10));
        assert_eq!(settings.tokens.refresh_token_idle, Span::days(30));
        assert_eq!((settings.limits.connections, settings.limits.rate_limits), (7, false));
        assert_eq!(settings.trusted_proxies, ["127.0.0.1", "10.0.0.0/8"]);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
    }

    #[test]
    fn an_unknown_key_is_named_with_its_nearest_neighbour() {
        let refusal = |text| load_file(text).unwrap_err();
        assert_eq!(refusal("listne = \"x\""), "FILE: there is no option listne; did you mean listen?");
        assert_eq!(
            refusal("[token]\naccess_token_life = \"1h\""),
            "FILE: there is no option token.access_token_life; did you mean tokens.access_token_life?"
        );
        assert_eq!(refusal("[oauth.documents]\nqqqq = 1"), "FILE: there is no option oauth.documents.qqqq");
        assert_eq!(refusal("tokens = 5"), "FILE: tokens is a section; write [tokens] and its options below");
        assert!(load_file("[tokens]\n").is_ok());
    }

    #[test]
    fn a_wrong_value_is_named_with_what_was_expected() {
        for (text, key) in [
            ("[tokens]\naccess_token_life = 5", "tokens.access_token_life cannot be 5"),
            ("[tokens]\naccess_token_life = \"1 hour\"", "expected a duration such as \"90d\""),
            ("[limits]\nmcp_body = \"4MB\"", "expected a size such as \"4MiB\""),
            ("[limits]\nconnections = -1", "limits.connections cannot be -1"),
            ("[limits]\nconnections = true", "limits.connections cannot be true"),
            ("log_format = \"xml\"", "log_format cannot be \"xml\": unknown variant"),
            ("trusted_proxies = \"10.0.0.1\"", "trusted_proxies cannot be"),
            ("listen = { port = 5 }", "listen cannot be"),
            ("listen = ", "is not TOML"),
            ("listen = \"a\"\nlisten = \"b\"", "is not TOML"),
        ] {
            let refusal = load_file(text).unwrap_err();
            assert!(refusal.contains(key), "{text}: {refusal}");
        }
        let given = Given { file: Some(PathBuf::from("/nowhere/keyward.toml")), ..Given::default() };
        assert!(load(given).unwrap_err().to_string().starts_with("cannot read the configuration file /nowhere/"));
        let given = Given { variables: vec![variable("KEYWARD_LIMITS_CONNECTIONS", "many")], ..Given::default() };
        let refusal = load(given).unwrap_err().to_string();
        assert!(refusal.starts_with("KEYWARD_LIMITS_CONNECTIONS: limits.connections cannot be \"many\""), "{refusal}");
    }

    #[test]
    fn a_master_secret_comes_from_its_variable_and_is_never_printed() {
        let text = "A".repeat(43);
        let given = Given { variables: vec![variable("KEYWARD_MASTER_SECRET", &text)], ..Given::default() };
        let loaded = load(given).unwrap();
        assert!(loaded.master_secret.is_some());
        assert!(!format!("{loaded:?}").contains(&text));
        let given = Given { variables: vec![variable("KEYWARD_MASTER_SECRET", "hunter2")], ..Given::default() };
        let refusal = load(given).unwrap_err().to_string();
        assert!(refusal.contains("32 random bytes") && !refusal.contains("hunter2"), "{refusal}");
    }

    #[test]
    fn every_listed_option_parses_from_the_file_and_from_its_variable() {
        for option in OPTIONS {
            let sample = if option.default.is_empty() { "\"x\"" } else { option.default };
            load_file(&format!("{} = {sample}", option.key)).unwrap();
            let text = sample.trim_matches(['"', '[', ']']);
            let given = Given { variables: vec![(option.variable(), text.to_owned())], ..Given::default() };
            load(given).unwrap();
        }
    }
}

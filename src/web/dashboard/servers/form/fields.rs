//! Which fields does the form of a server have, and what stands in them for a server that there is?

use super::super::lists;
use crate::access::{ChildMode, CredentialValue, ServerDescription, ServerName, ServerSource};
use serde::Deserialize;

/// The kinds of server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// At a URL.
    #[default]
    Url,
    /// A program.
    Command,
    /// Behind a proxy.
    Proxied,
}

/// Whose credential an upstream gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    /// None.
    #[default]
    Nobody,
    /// One for all.
    Shared,
    /// Each user their own.
    Own,
}

/// What the form sends, and what it shows.
#[derive(Clone, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each is the field of this name, which is the option of the configuration file")]
pub struct Fields {
    pub edition: String,
    pub then: String,
    pub kept: String,
    pub name: String,
    pub title: String,
    pub path: String,
    pub kind: Kind,
    pub url: String,
    pub whose: Whose,
    pub credential_header: String,
    pub credential_prefix: String,
    pub credential_value: String,
    pub assertion: bool,
    pub connect_timeout: String,
    pub first_byte_timeout: String,
    pub idle_timeout: String,
    pub command: String,
    pub environment: String,
    pub working_directory: String,
    #[serde(with = "ModeName")]
    pub mode: ChildMode,
    pub max_children: String,
    pub idle: String,
    pub proxied_url: String,
    pub users: String,
    pub groups: String,
    pub scopes: String,
    pub most: String,
}

#[derive(Deserialize)]
#[serde(remote = "ChildMode", rename_all = "kebab-case")]
enum ModeName {
    PerUser,
    Shared,
    PerSession,
}

/// Not what may be secret.
impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fields").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Default for Fields {
    fn default() -> Self {
        let nothing = ServerDescription::new(ServerName::parse("x").expect("a name"), ServerSource::Dashboard);
        Self { name: String::new(), ..Self::of(&nothing, String::new()) }
    }
}

impl Fields {
    /// The fields of a server that there is.
    pub fn of(description: &ServerDescription, edition: String) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let kind = match (&description.proxied_url, description.command.is_empty()) {
            (Some(_), _) => Kind::Proxied,
            (None, true) => Kind::Url,
            (None, false) => Kind::Command,
        };
        let credential = description.credential.as_ref();
        let whose = credential.map_or(Whose::Nobody, |credential| match credential.value {
            CredentialValue::Known(_) => Whose::Shared,
            CredentialValue::PerUser => Whose::Own,
        });
        Self {
            edition,
            then: String::new(),
            kept: String::new(),
            name: description.name.to_string(),
            title: text(&description.title),
            path: text(&description.path),
            kind,
            url: description.url.as_ref().map(|url| url.expose().clone()).unwrap_or_default(),
            whose,
            credential_header: credential
                .map_or_else(|| "Authorization".to_owned(), |credential| credential.header.clone()),
            credential_prefix: credential
                .map_or_else(|| "Bearer ".to_owned(), |credential| credential.prefix.expose().clone()),
            credential_value: String::new(),
            assertion: description.assertion,
            connect_timeout: description.connect_timeout.to_string(),
            first_byte_timeout: description.first_byte_timeout.to_string(),
            idle_timeout: description.idle_timeout.to_string(),
            command: description.command.join("\n"),
            environment: description.environment.keys().map(|name| format!("{name}=")).collect::<Vec<_>>().join("\n"),
            working_directory: description
                .working_directory
                .as_ref()
                .map(|path| path.to_string_lossy().into_owned())
                .unwrap_or_default(),
            mode: description.mode,
            max_children: description.max_children.to_string(),
            idle: description.idle.to_string(),
            proxied_url: text(&description.proxied_url),
            users: description.users.as_ref().map(|users| users.join("\n")).unwrap_or_default(),
            groups: description.groups.as_ref().map(|groups| groups.join("\n")).unwrap_or_default(),
            scopes: lists::show_lists(&description.scopes),
            most: lists::show_lists(&description.most),
        }
    }

    /// Whether the connection is to be tried, and nothing saved.
    pub fn is_test(&self) -> bool {
        self.then == "test"
    }
}

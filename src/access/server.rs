//! What is a guarded server? One MCP server behind Keyward: one protected resource with its own URL (RFC 9728 §1).
//!
//! Invariant: a server's resource is the issuer's origin and its path, so that what clients put into their settings, what
//! the metadata says and what stands in the `aud` of tokens are the same text.

use crate::oauth::issuer::Issuer;
use crate::oauth::resource::{ResourceError, ResourceUri};
use crate::oauth::scope::ScopeSet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// The name of a server in paths, settings and pages: `[a-z0-9][a-z0-9-]{0,62}`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerName(Arc<str>);

/// The text is not the name of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a server's name has 1 to 63 characters: small letters, digits and hyphens, beginning with a letter or a digit"
)]
pub struct NotAServerName;

impl ServerName {
    /// Parses a name.
    pub fn parse(text: &str) -> Result<Self, NotAServerName> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let (first, rest) = text.as_bytes().split_first().ok_or(NotAServerName)?;
        if plain(*first) && rest.len() <= 62 && rest.iter().all(|byte| plain(*byte) || *byte == b'-') {
            Ok(Self(text.into()))
        } else {
            Err(NotAServerName)
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for ServerName {
    type Err = NotAServerName;

    fn from_str(text: &str) -> Result<Self, NotAServerName> {
        Self::parse(text)
    }
}

impl Serialize for ServerName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ServerName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// What stands behind a guarded server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerKind {
    /// Keyward's own tools.
    Builtin,
}

/// A guarded server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardedServer {
    /// Its name.
    pub name: ServerName,
    /// Its name for people.
    pub title: String,
    /// Its path at the issuer: `/mcp` or `/mcp/{name}`.
    pub path: String,
    /// Its URL: what tokens for it have in `aud`.
    pub resource: ResourceUri,
    /// What stands behind it.
    pub kind: ServerKind,
}

impl GuardedServer {
    /// The server at `/mcp`. Fails only if the issuer leaves no room for a path.
    pub fn main(issuer: &Issuer, name: ServerName, title: &str, kind: ServerKind) -> Result<Self, ResourceError> {
        Self::at(issuer, name, title, kind, "/mcp".to_owned())
    }

    /// A further server, at `/mcp/{name}`. Fails only if the issuer leaves no room for a path.
    pub fn further(issuer: &Issuer, name: ServerName, title: &str, kind: ServerKind) -> Result<Self, ResourceError> {
        let path = format!("/mcp/{name}");
        Self::at(issuer, name, title, kind, path)
    }

    /// The scopes that can be asked for here.
    pub fn scopes(&self) -> ScopeSet {
        match self.kind {
            ServerKind::Builtin => ScopeSet::mcp(),
        }
    }

    fn at(
        issuer: &Issuer,
        name: ServerName,
        title: &str,
        kind: ServerKind,
        path: String,
    ) -> Result<Self, ResourceError> {
        let resource = ResourceUri::parse(&issuer.join(&path))?;
        Ok(Self { name, title: title.to_owned(), path, resource, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_into_paths_and_host_names() {
        let longest = "a".repeat(63);
        for name in ["a", "0", "files", "my-files-2", "a-", &longest] {
            assert_eq!(ServerName::parse(name).unwrap().as_str(), name);
        }
        let too_long = "a".repeat(64);
        for name in ["", "-a", "Files", "a_b", "a.b", "a/b", "a b", "ä", "a\n", "%61", &too_long] {
            assert_eq!(ServerName::parse(name), Err(NotAServerName), "{name:?}");
        }
    }

    #[test]
    fn a_server_is_a_resource_below_the_issuer() {
        let issuer = Issuer::parse("https://mcp.example.com/").unwrap();
        let name = ServerName::parse("files").unwrap();
        let main = GuardedServer::main(&issuer, name.clone(), "Files", ServerKind::Builtin).unwrap();
        let further = GuardedServer::further(&issuer, name, "Files", ServerKind::Builtin).unwrap();
        assert_eq!((main.path.as_str(), main.resource.as_str()), ("/mcp", "https://mcp.example.com/mcp"));
        assert_eq!(
            (further.path.as_str(), further.resource.as_str()),
            ("/mcp/files", "https://mcp.example.com/mcp/files")
        );
    }
}

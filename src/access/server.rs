//! What is a guarded server? One MCP server behind Keyward: one protected resource with its own URL (RFC 9728 §1).
//!
//! Invariant: a server's resource is the issuer's origin and its path, or the URL at the proxy that it stands behind
//! ([`super::proxied`]), so that what clients put into their settings, what the metadata says and what stands in the `aud` of
//! tokens are the same text.

use crate::access::rule::AccessRule;
use crate::access::upstream::{HttpUpstream, StdioUpstream};
use crate::access::upstream_credential::{PerUserCredential, UpstreamCredential};
use crate::clock::Timestamp;
use crate::oauth::issuer::Issuer;
use crate::oauth::metadata::resource_metadata_url;
use crate::oauth::resource::{ResourceError, ResourceUri};
use crate::oauth::scope::ScopeSet;
use crate::token::{Audience, GenuineToken, TokenRefusal, VerifiedToken};
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
#[derive(Debug, Clone)]
pub enum ServerKind {
    /// Keyward's own tools.
    Builtin,
    /// An MCP server that is reached over HTTP.
    Http(HttpUpstream),
    /// A program that is an MCP server on its standard input and output.
    Stdio(StdioUpstream),
    /// An MCP server behind a proxy of the owner's, which asks us about each request. Its messages never come here.
    Proxied,
}

/// Who set up a server, and so where it can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerSource {
    /// Part of the program.
    Builtin,
    /// The configuration file.
    File,
    /// An admin, in the dashboard.
    Dashboard,
}

/// A guarded server.
#[derive(Debug, Clone)]
pub struct GuardedServer {
    /// Its name.
    pub name: ServerName,
    /// Its name for people.
    pub title: String,
    /// Its path at the issuer: `/mcp` or `/mcp/{one segment}`; `/verify/{name}` for one behind a proxy.
    pub path: String,
    /// Its URL: what tokens for it have in `aud`.
    pub resource: ResourceUri,
    /// Where its metadata document is (RFC 9728 §3).
    pub metadata_url: String,
    /// What stands behind it.
    pub kind: ServerKind,
    /// Who may do what there.
    pub rule: AccessRule,
    /// Who set it up.
    pub source: ServerSource,
    /// Whether it answers. One that does not is as unknown to clients as one that never was.
    pub enabled: bool,
    /// Tells apart what was set up under this name one after the other.
    pub edition: u64,
    /// From when on it has stood at its URL; from the beginning, if that is the owner's matter.
    pub since: Timestamp,
}

/// Why there cannot be a server at a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Not below `/mcp`.
    #[error("the path must be /mcp or /mcp/NAME, where NAME is as short and plain as a server's name")]
    NotAPath,
    /// The issuer leaves no room for it.
    #[error(transparent)]
    Resource(#[from] ResourceError),
}

impl GuardedServer {
    /// The server at `/mcp`. Fails only if the issuer leaves no room for a path.
    pub fn main(issuer: &Issuer, name: ServerName, title: &str, kind: ServerKind) -> Result<Self, PathError> {
        Self::at(issuer, MAIN_PATH, name, title, kind)
    }

    /// A further server, at `/mcp/{name}`. Fails only if the issuer leaves no room for a path.
    pub fn further(issuer: &Issuer, name: ServerName, title: &str, kind: ServerKind) -> Result<Self, PathError> {
        let path = format!("{MAIN_PATH}/{name}");
        Self::at(issuer, &path, name, title, kind)
    }

    /// A server at `path`, enabled, for every user, not set up by anybody.
    pub fn at(issuer: &Issuer, path: &str, name: ServerName, title: &str, kind: ServerKind) -> Result<Self, PathError> {
        let segment = path.strip_prefix(MAIN_PATH).ok_or(PathError::NotAPath)?;
        if !segment.is_empty() {
            let segment = segment.strip_prefix('/').ok_or(PathError::NotAPath)?;
            ServerName::parse(segment).map_err(|_| PathError::NotAPath)?;
        }
        let resource = ResourceUri::parse(&issuer.join(path))?;
        let metadata_url = resource_metadata_url(&resource);
        let (title, path) = (title.to_owned(), path.to_owned());
        let (rule, source) = (AccessRule::default(), ServerSource::Builtin);
        let (edition, since) = (0, Timestamp::EPOCH);
        Ok(Self { name, title, path, resource, metadata_url, kind, rule, source, enabled: true, edition, since })
    }

    /// Whether it was set up at its URL after `moment`. Tokens tell whole seconds, so seconds are compared.
    pub const fn is_newer_than(&self, moment: Timestamp) -> bool {
        moment.unix_seconds() < self.since.unix_seconds()
    }

    /// The proof that `token` is for this server: for its URL, and not made for what stood there before. A token for every
    /// server of its owner's is for those to come as well.
    pub fn verify(&self, token: &GenuineToken) -> Result<VerifiedToken, TokenRefusal> {
        let claims = token.claims();
        if self.is_newer_than(claims.issued_at)
            && claims.audience != Audience::EveryServer
            && claims.audience.covers(&self.resource)
        {
            return Err(TokenRefusal::OlderThanServer);
        }
        token.for_resource(&self.resource)
    }

    /// Whether what began at `other`, an earlier version of it, can go on here: under the same URL, with the same server
    /// behind. Who may use it is another question.
    pub fn is_same_place(&self, other: &Self) -> bool {
        let is_same_kind = match (&self.kind, &other.kind) {
            (ServerKind::Builtin, ServerKind::Builtin) | (ServerKind::Proxied, ServerKind::Proxied) => true,
            (ServerKind::Http(own), ServerKind::Http(others)) => own.url == others.url,
            (ServerKind::Stdio(own), ServerKind::Stdio(others)) => own.is_same_program(others),
            _ => false,
        };
        is_same_kind && self.name == other.name && self.resource == other.resource && self.since == other.since
    }

    /// Whether it is at `/mcp`.
    pub fn is_main(&self) -> bool {
        self.path == MAIN_PATH
    }

    /// The upstream behind it and how a key is sent there, if each user needs one of their own.
    pub const fn per_user_credential(&self) -> Option<(&HttpUpstream, &PerUserCredential)> {
        match &self.kind {
            ServerKind::Http(upstream) => match &upstream.credential {
                Some(UpstreamCredential::PerUser(credential)) => Some((upstream, credential)),
                _ => None,
            },
            _ => None,
        }
    }

    /// All scopes that can be asked for here.
    pub const fn scopes(&self) -> &ScopeSet {
        self.rule.scopes()
    }

    /// The scopes to ask for when nobody knows better (RFC 9728 §2, `scopes_supported`; MCP 2025-11-25, authorization: the
    /// least that is useful). Narrower ones are a person's choice or a challenge's.
    pub fn default_scopes(&self) -> ScopeSet {
        ScopeSet::mcp()
    }
}

/// Where the main server is.
const MAIN_PATH: &str = "/mcp";

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

    #[test]
    fn a_path_is_mcp_or_one_plain_segment_below() {
        let issuer = Issuer::parse("https://h").unwrap();
        let name = ServerName::parse("files").unwrap();
        let at = |path| GuardedServer::at(&issuer, path, name.clone(), "Files", ServerKind::Builtin);
        assert_eq!(at("/mcp/drive-2").unwrap().resource.as_str(), "https://h/mcp/drive-2");
        assert!(at("/mcp").unwrap().is_main() && !at("/mcp/files").unwrap().is_main());
        for wrong in ["", "/", "mcp", "/files", "/mcp/", "/mcpfiles", "/mcp/a/b", "/mcp/A", "/mcp/..", "/mcp/a?b"] {
            assert_eq!(at(wrong).unwrap_err(), PathError::NotAPath, "{wrong}");
        }
    }
}

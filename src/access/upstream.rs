//! What stands behind a guarded server that is not built in? An MCP server at a URL, or a program that speaks on its
//! standard input and output.
//!
//! Private addresses are allowed: guarding what nobody else reaches is the point. Invariants: a URL is http or https and
//! carries no user name; nothing secret is printed.

use crate::access::upstream_credential::UpstreamCredential;
use crate::clock::minutes;
use crate::secret::Secret;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Longest URL of an upstream, in bytes.
pub const MAX_UPSTREAM_URL: usize = 2048;

/// An MCP server that is reached over HTTP.
#[derive(Debug, Clone)]
pub struct HttpUpstream {
    /// Where it is.
    pub url: UpstreamUrl,
    /// What the gateway shows it, instead of what the client showed.
    pub credential: Option<UpstreamCredential>,
    /// Whether it gets `X-Keyward-Assertion`, a short-lived signed statement of who calls.
    pub assertion: bool,
    /// How long it is waited for.
    pub timeouts: UpstreamTimeouts,
}

/// How long an HTTP upstream is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// From the request to the head of the answer.
    pub first_byte: Duration,
    /// Between two parts of the answer.
    pub idle: Duration,
}

impl Default for UpstreamTimeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), first_byte: minutes(1), idle: minutes(5) }
    }
}

/// A program that is an MCP server on its standard input and output.
#[derive(Debug, Clone)]
pub struct StdioUpstream {
    /// The program and its arguments; never empty.
    pub command: Vec<String>,
    /// Its environment, beyond what every child gets; nothing of Keyward's own is inherited.
    pub environment: Vec<(String, Secret<String>)>,
    /// Where it runs; by default where Keyward does.
    pub working_directory: Option<PathBuf>,
    /// Who shares a child.
    pub mode: ChildMode,
    /// Most children of this server at once.
    pub max_children: usize,
    /// A child that nobody uses is ended after this.
    pub idle: Duration,
}

impl StdioUpstream {
    /// Whether the children of `other` can serve as its own.
    pub fn is_same_program(&self, other: &Self) -> bool {
        let (own, others) = (&self.environment, &other.environment);
        std::ptr::eq(self, other)
            || (self.command == other.command
                && self.working_directory == other.working_directory
                && self.mode == other.mode
                && self.max_children == other.max_children
                && self.idle == other.idle
                && own.len() == others.len()
                && own.iter().zip(others).all(|(a, b)| a.0 == b.0 && a.1.expose() == b.1.expose()))
    }
}

/// Who shares a child process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum ChildMode {
    /// Each user has one.
    #[default]
    PerUser,
    /// All users share one.
    Shared,
    /// Each session has one.
    PerSession,
}

/// The URL of an HTTP upstream. Cheap to clone.
///
/// Its query may hold a secret, so only the origin is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamUrl {
    text: Arc<str>,
    origin: Arc<str>,
}

/// Why a text is not the URL of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamUrlError {
    /// Not an absolute URL with a host, or longer than [`MAX_UPSTREAM_URL`].
    #[error("expected a URL such as http://127.0.0.1:9000/mcp")]
    NotAUrl,
    /// Neither http nor https.
    #[error(
        "only http:// and https:// can be forwarded to. Let the server listen on a port of this machine, such as \
         http://127.0.0.1:9000/mcp, or start it with `command` if it speaks on standard input and output"
    )]
    Scheme,
    /// With a user name or password.
    #[error("the URL must not hold a user name or password; use `credential` for what the server asks for")]
    UserName,
    /// With a fragment.
    #[error("the URL must not have a fragment (#…)")]
    Fragment,
}

impl UpstreamUrl {
    /// Parses a URL.
    pub fn parse(text: &str) -> Result<Self, UpstreamUrlError> {
        if text.len() > MAX_UPSTREAM_URL || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UpstreamUrlError::NotAUrl);
        }
        let url = Url::parse(text).map_err(|_| UpstreamUrlError::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(UpstreamUrlError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() || authority_of(text).contains('@') {
            return Err(UpstreamUrlError::UserName);
        }
        if url.fragment().is_some() {
            return Err(UpstreamUrlError::Fragment);
        }
        let origin = url.origin().ascii_serialization();
        Ok(Self { text: url.as_str().into(), origin: origin.into() })
    }

    /// The whole URL. It may hold a secret.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port, for logs and pages.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

impl fmt::Debug for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

fn authority_of(text: &str) -> &str {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    &rest[..rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_at_an_http_url_also_inside() {
        for url in [
            "http://127.0.0.1:9000/mcp",
            "http://10.0.0.7/",
            "https://mcp.internal:8443/a/b?tenant=7",
            "http://[::1]:9000/mcp",
            "http://files/mcp",
        ] {
            assert_eq!(UpstreamUrl::parse(url).unwrap().as_str(), url);
        }
        assert_eq!(UpstreamUrl::parse("HTTP://Files:80").unwrap().as_str(), "http://files/");
    }

    #[test]
    fn other_schemes_user_names_and_fragments_are_refused() {
        use UpstreamUrlError::{Fragment, NotAUrl, Scheme, UserName};
        for (url, why) in [
            ("", NotAUrl),
            ("127.0.0.1:9000/mcp", NotAUrl),
            ("files", NotAUrl),
            ("http://", NotAUrl),
            ("http://a b/", NotAUrl),
            ("file:///etc/passwd", Scheme),
            ("unix:/run/mcp.sock", Scheme),
            ("ftp://files/", Scheme),
            ("ws://files/", Scheme),
            ("javascript:alert(1)", Scheme),
            ("http://ada:secret@files/", UserName),
            ("http://@files/", UserName),
            ("http://files/#x", Fragment),
        ] {
            assert_eq!(UpstreamUrl::parse(url), Err(why), "{url}");
        }
        assert!(Scheme.to_string().contains("`command`"));
    }

    #[test]
    fn a_url_prints_its_origin_only() {
        let url = UpstreamUrl::parse("https://files.example/mcp?key=hunter2").unwrap();
        assert_eq!(format!("{url:?}"), "https://files.example");
    }
}

//! Who speaks? The issuer identifier of this authorization server (RFC 8414 §2), and the URLs that hang below it.
//!
//! Invariant: an origin in canonical form (`scheme://host[:port]`, lower case, no default port, no trailing slash), https
//! or, on loopback only, http. It comes from the configuration, never from a request, and the same string stands in the
//! metadata, in the `iss` parameter (RFC 9207) and in the `iss` claim, because clients compare it byte for byte.

use std::fmt;
use std::sync::Arc;
use url::{Host, Url};

/// Longest issuer, in bytes.
pub const MAX_ISSUER: usize = 512;

/// The issuer identifier. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Issuer(Arc<str>);

/// Why a text is not an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// Not an absolute URL with a host, or longer than [`MAX_ISSUER`].
    #[error("not a URL such as https://mcp.example.com")]
    NotAUrl,
    /// A scheme other than https and http.
    #[error("the public URL must begin with https://")]
    Scheme,
    /// Plain http to another machine.
    #[error("plain http is for localhost, 127.0.0.1 and [::1] only: use https for any other host")]
    NotSecure,
    /// User name, path, query or fragment.
    #[error("give scheme, host and port only, without a path, a query or a user name")]
    NotAnOrigin,
}

impl Issuer {
    /// Parses a public URL; one trailing slash is dropped, letter case and a default port are made canonical.
    pub fn parse(text: &str) -> Result<Self, IssuerError> {
        if text.len() > MAX_ISSUER || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(IssuerError::NotAUrl);
        }
        let url = Url::parse(text).map_err(|_| IssuerError::NotAUrl)?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return Err(IssuerError::NotSecure),
            _ => return Err(IssuerError::Scheme),
        }
        let canonical = url.origin().ascii_serialization();
        let after_scheme = text.get(url.scheme().len()..).unwrap_or_default();
        let rest = after_scheme.strip_prefix("://").ok_or(IssuerError::NotAUrl)?;
        if rest.trim_end_matches('/').contains(['/', '?', '#', '@', '\\', '%', '*'])
            || rest.ends_with("//")
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(IssuerError::NotAnOrigin);
        }
        Ok(Self(canonical.into()))
    }

    /// The identifier itself, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Host and port as in a `Host` header: `mcp.example.com`, `localhost:8080`.
    pub fn origin_host(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, host)| host)
    }

    /// Is it plain http, hence on this machine?
    pub fn is_loopback(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| is_loopback(&url))
    }

    /// Does the browser reach it over TLS?
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// The URL of an absolute `path` (`/token`) at this issuer.
    pub fn join(&self, path: &str) -> String {
        debug_assert!(path.starts_with('/'), "a path begins with a slash");
        format!("{}{path}", self.0)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for Issuer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Issuer {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_becomes_canonical() {
        for (text, canonical) in [
            ("https://mcp.example.com", "https://mcp.example.com"),
            ("https://mcp.example.com/", "https://mcp.example.com"),
            ("HTTPS://MCP.Example.COM:443/", "https://mcp.example.com"),
            ("https://mcp.example.com:8443", "https://mcp.example.com:8443"),
            ("https://192.0.2.7", "https://192.0.2.7"),
            ("http://localhost:8080/", "http://localhost:8080"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("http://[::1]:9000", "http://[::1]:9000"),
        ] {
            assert_eq!(Issuer::parse(text).unwrap().as_str(), canonical, "{text}");
            assert_eq!(Issuer::parse(canonical).unwrap().as_str(), canonical, "{text}");
        }
    }

    #[test]
    fn anything_but_an_origin_is_refused() {
        use IssuerError::{NotAUrl, NotAnOrigin, NotSecure, Scheme};
        for (text, why) in [
            ("", NotAUrl),
            ("mcp.example.com", NotAUrl),
            ("https://", NotAUrl),
            ("https:mcp.example.com", NotAUrl),
            ("https:/mcp.example.com", NotAUrl),
            (" https://mcp.example.com", NotAUrl),
            ("https://mcp.example.com\n", NotAUrl),
            ("https://mcp.exämple.com", NotAUrl),
            ("ftp://mcp.example.com", Scheme),
            ("unix:/run/socket", Scheme),
            ("http://mcp.example.com", NotSecure),
            ("http://localhost.example.com", NotSecure),
            ("http://0.0.0.0", NotSecure),
            ("https://mcp.example.com//", NotAnOrigin),
            ("https://mcp.example.com/path", NotAnOrigin),
            ("https://mcp.example.com/..", NotAnOrigin),
            ("https://mcp.example.com?", NotAnOrigin),
            ("https://mcp.example.com?a=b", NotAnOrigin),
            ("https://mcp.example.com#", NotAnOrigin),
            ("https://user@mcp.example.com", NotAnOrigin),
            ("https://@mcp.example.com", NotAnOrigin),
            ("https://*.example.com", NotAnOrigin),
            ("https://mcp.example.com\\", NotAnOrigin),
        ] {
            assert_eq!(Issuer::parse(text), Err(why), "{text}");
        }
        assert!(Issuer::parse(&format!("https://{}.example", "a".repeat(MAX_ISSUER))).is_err());
    }

    #[test]
    fn it_knows_its_host_and_its_urls() {
        let issuer = Issuer::parse("http://[::1]:9000").unwrap();
        assert_eq!(issuer.origin_host(), "[::1]:9000");
        assert!(issuer.is_loopback() && !issuer.is_https());
        assert_eq!(issuer.join("/token"), "http://[::1]:9000/token");
        let issuer = Issuer::parse("https://mcp.example.com/").unwrap();
        assert!(!issuer.is_loopback() && issuer.is_https());
        assert_eq!(issuer.origin_host(), "mcp.example.com");
    }
}

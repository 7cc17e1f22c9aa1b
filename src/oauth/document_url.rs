//! Which URLs of strangers are fetched at all? Those of client metadata documents and of their key sets
//! (draft-ietf-oauth-client-id-metadata-document-02 §3, MCP 2026-07-28 client registration).
//!
//! Invariant: a URL is in the one form that the WHATWG parser gives it, so that no two parsers read it differently, and
//! so that the client id, which is compared as a plain string, has one spelling. Where the host's name leads is checked
//! when it is fetched: [`crate::wire::document_fetch`].

use super::client::MAX_CLIENT_ID;
use std::fmt;
use std::sync::Arc;
use url::{Host, Url};

/// The URL of a client's document or of its keys (`jwks_uri`). Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DocumentUrl {
    text: Arc<str>,
    host: Arc<str>,
}

/// Why a URL is not fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DocumentUrlError {
    /// Longer than [`MAX_CLIENT_ID`] or no URL at all.
    #[error("not a URL of at most 256 bytes")]
    NotAUrl,
    /// Another scheme (draft §3: MUST be https).
    #[error("the URL must begin with https://")]
    NotHttps,
    /// Not as the WHATWG parser writes it: dot segments, default port, upper case in the host, backslash, user name.
    #[error("the URL must be in its plain form: lower-case host, no default port, no dot segments, no user name")]
    NotPlain,
    /// Fragment (draft §3: MUST NOT).
    #[error("the URL must not have a fragment")]
    Fragment,
    /// An IP address names nobody whom a person could recognise. Loopback passes here, for development.
    #[error("the URL must name a host, not an IP address")]
    IpAddress,
}

impl DocumentUrl {
    /// Parses a client id that begins with `https://`, or a `jwks_uri`.
    pub fn parse(text: &str) -> Result<Self, DocumentUrlError> {
        if text.len() > MAX_CLIENT_ID {
            return Err(DocumentUrlError::NotAUrl);
        }
        let url = Url::parse(text).map_err(|_| DocumentUrlError::NotAUrl)?;
        if url.scheme() != "https" {
            return Err(DocumentUrlError::NotHttps);
        }
        if url.fragment().is_some() {
            return Err(DocumentUrlError::Fragment);
        }
        if url.as_str() != text || !url.username().is_empty() || url.password().is_some() || dotted(url.path()) {
            return Err(DocumentUrlError::NotPlain);
        }
        match url.host() {
            Some(Host::Domain(_)) => {}
            Some(Host::Ipv4(address)) if address.is_loopback() => {}
            Some(Host::Ipv6(address)) if address.is_loopback() => {}
            _ => return Err(DocumentUrlError::IpAddress),
        }
        Ok(Self { text: text.into(), host: url.host_str().unwrap_or_default().into() })
    }

    /// The URL, byte for byte.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host that vouches for the client; for the person who is asked to approve.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Debug for DocumentUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for DocumentUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Encoded slashes can hide dot segments from one parser and show them to another.
fn dotted(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.contains("%2f..") || path.contains("..%2f") || path.contains("%5c")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::client::ClientId;
    use proptest::prelude::*;

    const URL: &str = "https://app.example/oauth/client.json";

    #[test]
    fn a_plain_https_url_may_be_fetched() {
        for (text, host) in [
            (URL, "app.example"),
            ("https://app.example/", "app.example"),
            ("https://app.example:8443/c.json", "app.example"),
            ("https://app.example/c.json?v=2", "app.example"),
            ("https://xn--caf-dma.example/c", "xn--caf-dma.example"),
            ("https://app.example/a%20b/~c", "app.example"),
            ("https://localhost:9000/c.json", "localhost"),
            ("https://127.0.0.1:9000/c.json", "127.0.0.1"),
            ("https://[::1]:9000/c.json", "[::1]"),
        ] {
            let url = DocumentUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((url.as_str(), url.host()), (text, host));
            assert_eq!(ClientId::parse(text).unwrap().document_url(), Some(text));
        }
    }

    #[test]
    fn any_other_url_is_refused() {
        use DocumentUrlError::{Fragment, IpAddress, NotAUrl, NotHttps, NotPlain};
        let long = format!("https://app.example/{}", "x".repeat(MAX_CLIENT_ID));
        for (text, reason) in [
            ("", NotAUrl),
            ("app.example/c.json", NotAUrl),
            ("https://", NotAUrl),
            ("https://app.example:99999/c", NotAUrl),
            (long.as_str(), NotAUrl),
            ("http://app.example/c.json", NotHttps),
            ("http://localhost/c.json", NotHttps),
            ("file:///etc/passwd", NotHttps),
            ("https://app.example", NotPlain),
            ("HTTPS://app.example/c", NotPlain),
            ("https://APP.example/c", NotPlain),
            ("https://app.example:443/c", NotPlain),
            ("https://app.example/a/../c", NotPlain),
            ("https://app.example/./c", NotPlain),
            ("https://app.example/%2e%2e/c", NotPlain),
            ("https://app.example/a%2f../c", NotPlain),
            ("https://app.example/a/..%2Fc", NotPlain),
            ("https://app.example/a%5c..", NotPlain),
            ("https://app.example\\c", NotPlain),
            ("https:app.example/c", NotPlain),
            ("https:///app.example/c", NotPlain),
            (" https://app.example/c", NotPlain),
            ("https://app.example/c\n", NotPlain),
            ("https://app.example/é", NotPlain),
            ("https://äpp.example/c", NotPlain),
            ("https://user@app.example/c", NotPlain),
            ("https://user:pass@app.example/c", NotPlain),
            ("https://@app.example/c", NotPlain),
            ("https://app.example/c#f", Fragment),
            ("https://app.example/c#", Fragment),
            ("https://0x7f000001/c", NotPlain),
            ("https://2130706433/c", NotPlain),
            ("https://127.1/c", NotPlain),
            ("https://10.0.0.1/c", IpAddress),
            ("https://169.254.169.254/latest", IpAddress),
            ("https://8.8.8.8/c", IpAddress),
            ("https://[fd00::1]/c", IpAddress),
            ("https://[::ffff:7f00:1]/c", IpAddress),
        ] {
            assert_eq!(DocumentUrl::parse(text), Err(reason), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
            let _ = DocumentUrl::parse(&text);
            let _ = DocumentUrl::parse(&format!("https://{text}"));
        }
    }
}

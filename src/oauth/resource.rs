//! For which server? Resource indicators (RFC 8707 §2) and the audience of tokens, in one canonical form.
//!
//! Invariant: http or https, lower-case scheme and host, no default port, no user name, no fragment, no trailing slash, no
//! dot segments; so `https://h` and `https://h/` are one resource, and `https://H:443/mcp/` is `https://h/mcp`. Clients
//! write all of these (some send a URL object's text); nothing else is made equal. Whether a server of that name exists is
//! decided by the caller.

use std::fmt;
use std::sync::Arc;
use url::Url;

/// Longest resource, in bytes.
pub const MAX_RESOURCE: usize = 512;

/// The canonical URL of a protected resource. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceUri(Arc<str>);

/// Why a text is not a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    /// Not an absolute http or https URL, or longer than [`MAX_RESOURCE`].
    #[error("a resource is an absolute http or https URL of at most 512 bytes")]
    NotAUrl,
    /// RFC 8707 §2: must not have a fragment.
    #[error("a resource has no fragment")]
    Fragment,
    /// A user name, dot segments, doubled slashes, or characters that a URL does not carry as they are.
    #[error("a resource has no user name, no dot segments and no empty segments")]
    NotPlain,
}

impl ResourceUri {
    /// Parses a URL and brings it into the canonical form.
    pub fn parse(text: &str) -> Result<Self, ResourceError> {
        if text.len() > MAX_RESOURCE || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ResourceError::NotAUrl);
        }
        if text.contains('#') {
            return Err(ResourceError::Fragment);
        }
        let url = Url::parse(text).map_err(|_| ResourceError::NotAUrl)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(ResourceError::NotAUrl);
        }
        let rest = text[url.scheme().len()..].strip_prefix("://").ok_or(ResourceError::NotAUrl)?;
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        // The parser must have had nothing to repair behind the host, or two texts would be one for us and two for others.
        let path = if rest.starts_with('/') { url.path() } else { "" };
        let as_parsed = url.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        if authority.contains(['@', '\\', '%', '*']) || as_parsed != rest || path.contains("//") {
            return Err(ResourceError::NotPlain);
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut canonical = url.origin().ascii_serialization() + path;
        if let Some(query) = url.query() {
            canonical.push('?');
            canonical.push_str(query);
        }
        Ok(Self(canonical.into()))
    }

    /// The canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its scheme, host and port.
    pub fn origin(&self) -> &str {
        let host = self.0.find("://").map_or(0, |place| place + "://".len());
        &self.0[..self.0[host..].find(['/', '?']).map_or(self.0.len(), |place| host + place)]
    }
}

impl fmt::Display for ResourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ResourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for ResourceUri {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for ResourceUri {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn variants_that_clients_write_are_one_resource() {
        for (text, canonical) in [
            ("https://h", "https://h"),
            ("https://h/", "https://h"),
            ("https://H:443/mcp/", "https://h/mcp"),
            ("HTTPS://h/mcp", "https://h/mcp"),
            ("https://h/MCP", "https://h/MCP"),
            ("https://h:8443/mcp", "https://h:8443/mcp"),
            ("http://localhost:80/mcp/files", "http://localhost/mcp/files"),
            ("http://127.0.0.1:3000/mcp", "http://127.0.0.1:3000/mcp"),
            ("http://[::1]:3000/mcp", "http://[::1]:3000/mcp"),
            ("https://h/mcp?tenant=a", "https://h/mcp?tenant=a"),
            ("https://h?tenant=a", "https://h?tenant=a"),
            ("https://h/a%20b", "https://h/a%20b"),
        ] {
            let resource = ResourceUri::parse(text).unwrap();
            assert_eq!(resource.as_str(), canonical, "{text}");
            assert_eq!(ResourceUri::parse(canonical), Ok(resource), "{text}");
        }
    }

    #[test]
    fn what_needs_repair_is_refused() {
        use ResourceError::{Fragment, NotAUrl, NotPlain};
        for (text, why) in [
            ("", NotAUrl),
            ("/mcp", NotAUrl),
            ("h/mcp", NotAUrl),
            ("//h/mcp", NotAUrl),
            ("https:h/mcp", NotAUrl),
            ("https:///h/mcp", NotPlain),
            ("https:\\\\h\\mcp", NotAUrl),
            ("urn:example:mcp", NotAUrl),
            ("ftp://h/mcp", NotAUrl),
            ("javascript:alert(1)", NotAUrl),
            ("https://h/ä", NotAUrl),
            ("https://h/a b", NotAUrl),
            ("https://h/mcp\n", NotAUrl),
            ("https://h:99999/mcp", NotAUrl),
            ("https://h/mcp#", Fragment),
            ("https://h/mcp#x", Fragment),
            ("https://user@h/mcp", NotPlain),
            ("https://u:p@h/mcp", NotPlain),
            ("https://@h/mcp", NotPlain),
            ("https://h\\@evil/mcp", NotPlain),
            ("https://*.h/mcp", NotPlain),
            ("https://%68/mcp", NotPlain),
            ("https://h/a/../mcp", NotPlain),
            ("https://h/./mcp", NotPlain),
            ("https://h/%2e%2e/mcp", NotPlain),
            ("https://h//mcp", NotPlain),
            ("https://h/mcp//", NotPlain),
            ("https://h/a\\b", NotPlain),
            ("https://h/<x>", NotPlain),
        ] {
            assert_eq!(ResourceUri::parse(text), Err(why), "{text}");
        }
        assert_eq!(ResourceUri::parse(&format!("https://h/{}", "a".repeat(MAX_RESOURCE))), Err(NotAUrl));
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_stable(text in "(https|HTTP)://[a-zA-Z0-9.:@%-]{1,12}[/?a-zA-Z0-9.%;=-]{0,20}") {
            if let Ok(resource) = ResourceUri::parse(&text) {
                prop_assert_eq!(ResourceUri::parse(resource.as_str()), Ok(resource));
            }
        }
    }
}

//! What is a server behind a proxy of the owner's? One whose messages never come here: its proxy asks about each request.
//!
//! Its resource is the URL that clients use, at the proxy, on whichever host (RFC 9728 §3.3: the same text in the metadata and
//! in the client's settings); that is the audience of its tokens. Its document is where a challenge says it is (RFC 9728 §5.1):
//! below the issuer, so that the proxy needs no rule for it; and on the issuer's own host at the place that RFC 9728 §3.1
//! derives from the URL. Its scopes are not divided, since nobody here sees what a message asks for.

use crate::access::rule::AccessRule;
use crate::access::server::{GuardedServer, ServerKind, ServerName, ServerSource};
use crate::clock::Timestamp;
use crate::oauth::issuer::Issuer;
use crate::oauth::metadata::{RESOURCE_WELL_KNOWN, resource_metadata_url};
use crate::oauth::resource::{ResourceError, ResourceUri};

/// Below which path proxies ask.
const VERIFY_PATH: &str = "/verify";

/// Why there cannot be a server behind a proxy at a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxiedUrlError {
    /// Not a URL of a protected resource.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// Plain http to another machine.
    #[error("tokens travel to it, so it must be https; http is for loopback only")]
    Plain,
    /// A query.
    #[error("it has a query; give the URL that clients use, up to its path")]
    Query,
    /// A place of our own.
    #[error("Keyward itself answers there; give the server a path or a host of its own")]
    Taken,
}

impl GuardedServer {
    /// A server that clients reach at `url`, through a proxy that asks at `/verify/{name}`; enabled, for every user, not set
    /// up by anybody.
    pub fn behind_proxy(issuer: &Issuer, name: ServerName, title: &str, url: &str) -> Result<Self, ProxiedUrlError> {
        let resource = ResourceUri::parse(url)?;
        if resource.as_str().contains('?') {
            return Err(ProxiedUrlError::Query);
        }
        let (origin, place) = (resource.origin(), &resource.as_str()[resource.origin().len()..]);
        Issuer::parse(origin).map_err(|_| ProxiedUrlError::Plain)?;
        let path = format!("{VERIFY_PATH}/{name}");
        let metadata_url = if origin != issuer.as_str() {
            issuer.join(&format!("{RESOURCE_WELL_KNOWN}{path}"))
        } else if place.is_empty() || place == VERIFY_PATH || place.starts_with("/verify/") {
            return Err(ProxiedUrlError::Taken);
        } else {
            resource_metadata_url(&resource)
        };
        let (title, kind, rule) = (title.to_owned(), ServerKind::Proxied, AccessRule::default().undivided());
        let (source, edition, since) = (ServerSource::Builtin, 0, Timestamp::EPOCH);
        Ok(Self { name, title, path, resource, metadata_url, kind, rule, source, enabled: true, edition, since })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(url: &str) -> Result<GuardedServer, ProxiedUrlError> {
        let issuer = Issuer::parse("https://mcp.example.org").unwrap();
        GuardedServer::behind_proxy(&issuer, ServerName::parse("tools").unwrap(), "Tools", url)
    }

    #[test]
    fn its_resource_is_where_clients_go_and_its_document_is_ours() {
        let ours = "https://mcp.example.org/.well-known/oauth-protected-resource";
        for (url, resource, document) in [
            ("https://tools.example.org/mcp", "https://tools.example.org/mcp", "/verify/tools"),
            ("https://TOOLS.example.org:443/", "https://tools.example.org", "/verify/tools"),
            ("https://mcp.example.org:8443/mcp", "https://mcp.example.org:8443/mcp", "/verify/tools"),
            ("http://127.0.0.1:9000/mcp", "http://127.0.0.1:9000/mcp", "/verify/tools"),
            ("https://mcp.example.org/tools/mcp/", "https://mcp.example.org/tools/mcp", "/tools/mcp"),
            ("https://mcp.example.org/mcp/tools", "https://mcp.example.org/mcp/tools", "/mcp/tools"),
        ] {
            let server = behind(url).unwrap();
            assert_eq!((server.path.as_str(), server.resource.as_str()), ("/verify/tools", resource));
            assert_eq!(server.metadata_url, format!("{ours}{document}"), "{url}");
            assert_eq!(server.scopes().as_str(), "mcp");
        }
    }

    #[test]
    fn a_url_that_would_not_do_is_refused() {
        for (url, error) in [
            ("http://tools.example.org/mcp", ProxiedUrlError::Plain),
            ("https://tools.example.org/mcp?a=b", ProxiedUrlError::Query),
            ("https://tools.example.org/mcp#a", ResourceError::Fragment.into()),
            ("https://ada@tools.example.org/mcp", ResourceError::NotPlain.into()),
            ("tools.example.org/mcp", ResourceError::NotAUrl.into()),
            ("https://mcp.example.org", ProxiedUrlError::Taken),
            ("https://MCP.example.org/", ProxiedUrlError::Taken),
            ("https://mcp.example.org/verify/tools", ProxiedUrlError::Taken),
        ] {
            assert_eq!(behind(url).unwrap_err(), error, "{url}");
        }
    }
}

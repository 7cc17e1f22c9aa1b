//! What is known about an upstream before a call comes? Its address, its credential and its connections, made ready once.
//!
//! A link belongs to one version of a server: when the server changes, the next call makes a new one, and connections of the
//! old one end with the calls that use them. Calls find their link without a lock.

use super::client::{Connector, UpstreamClient};
use crate::access::{GuardedServer, HttpUpstream, ServerDirectory, ServerName, UpstreamCredential, UpstreamTimeouts};
use crate::secret::Secret;
use crate::wire::tls::Roots;
use arc_swap::ArcSwap;
use axum::http::uri::Authority;
use axum::http::{HeaderName, HeaderValue, Uri};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// One upstream, ready to be called.
pub(super) struct Link {
    /// The version of the server that it belongs to.
    server: Arc<GuardedServer>,
    /// What requests ask for, in origin form (RFC 9112 §3.2.1).
    pub(super) target: Uri,
    /// `Host` of requests.
    pub(super) host: HeaderValue,
    /// The credential that requests carry.
    pub(super) credential: Option<LinkCredential>,
    /// Whether requests carry an assertion.
    pub(super) assertion: bool,
    /// How long to wait.
    pub(super) timeouts: UpstreamTimeouts,
    /// The connections.
    pub(super) client: UpstreamClient,
}

/// What requests carry that identifies us or the caller.
pub(super) enum LinkCredential {
    /// This header.
    Fixed(HeaderName, HeaderValue),
    /// This header with what stands before the caller's own key.
    PerUser(HeaderName, Secret<String>),
}

/// The upstream's address or credential cannot be sent, although it was accepted when it was set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's url or credential cannot be sent in a request")]
pub(in crate::gateway) struct Unsendable;

impl Link {
    fn new(server: &Arc<GuardedServer>, upstream: &HttpUpstream, connector: &Connector) -> Result<Self, Unsendable> {
        let uri: Uri = upstream.url.as_str().parse().map_err(|_| Unsendable)?;
        let host = uri.authority().map(Authority::as_str).ok_or(Unsendable)?;
        let host = HeaderValue::try_from(host).map_err(|_| Unsendable)?;
        let credential = upstream.credential.as_ref().map(|credential| {
            let name = HeaderName::try_from(credential.header()).map_err(|_| Unsendable)?;
            match credential {
                UpstreamCredential::Fixed(fixed) => {
                    let mut value = HeaderValue::try_from(fixed.value().expose()).map_err(|_| Unsendable)?;
                    value.set_sensitive(true);
                    Ok(LinkCredential::Fixed(name, value))
                }
                UpstreamCredential::PerUser(own) => Ok(LinkCredential::PerUser(name, own.prefix().clone())),
            }
        });
        let target = uri.path_and_query().map_or(Uri::from_static("/"), |target| Uri::from(target.clone()));
        let client = connector.client(uri, upstream.timeouts.connect);
        let (server, credential) = (Arc::clone(server), credential.transpose()?);
        Ok(Self {
            server,
            target,
            host,
            credential,
            assertion: upstream.assertion,
            timeouts: upstream.timeouts,
            client,
        })
    }
}

/// The links that were needed so far.
pub(super) struct Links {
    connector: Connector,
    made: ArcSwap<HashMap<ServerName, Arc<Link>>>,
}

impl Links {
    /// None yet.
    pub(super) fn new(roots: &Roots) -> Self {
        Self { connector: Connector::new(roots), made: ArcSwap::default() }
    }

    /// A link that is kept nowhere, of a server that need not be guarded.
    pub(super) fn apart(&self, server: &Arc<GuardedServer>, upstream: &HttpUpstream) -> Result<Link, Unsendable> {
        Link::new(server, upstream, &self.connector)
    }

    /// The link of `server`, whose kind is `upstream`. `servers` are those that there are now.
    pub(super) fn of(
        &self,
        server: &Arc<GuardedServer>,
        upstream: &HttpUpstream,
        servers: &ServerDirectory,
    ) -> Result<Arc<Link>, Unsendable> {
        if let Some(link) = self.made.load().get(&server.name).filter(|link| Arc::ptr_eq(&link.server, server)) {
            return Ok(Arc::clone(link));
        }
        let link = Arc::new(Link::new(server, upstream, &self.connector)?);
        // Two calls that race may make two links; one of them is not kept and goes with its call.
        self.made.rcu(|made| {
            let is_there = |link: &Link| servers.all().any(|server| Arc::ptr_eq(server, &link.server));
            let kept = made.iter().filter(|(_, link)| is_there(link));
            let mut next: HashMap<_, _> = kept.map(|(name, link)| (name.clone(), Arc::clone(link))).collect();
            next.insert(server.name.clone(), Arc::clone(&link));
            next
        });
        Ok(link)
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.made.load().keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{FixedCredential, ServerKind, UpstreamUrl};
    use crate::oauth::issuer::Issuer;

    fn directory(names: &[&str]) -> ServerDirectory {
        let issuer = Issuer::parse("https://h").unwrap();
        ServerDirectory::new(names.iter().map(|name| {
            let upstream = HttpUpstream {
                url: UpstreamUrl::parse("http://127.0.0.1:9000/mcp?tenant=7").unwrap(),
                credential: Some(UpstreamCredential::Fixed(FixedCredential::new("X-Key", "hunter2").unwrap())),
                assertion: true,
                timeouts: UpstreamTimeouts::default(),
            };
            GuardedServer::further(&issuer, ServerName::parse(name).unwrap(), name, ServerKind::Http(upstream)).unwrap()
        }))
        .unwrap()
    }

    fn link(links: &Links, directory: &ServerDirectory, name: &str) -> Arc<Link> {
        let server = directory.by_name(&ServerName::parse(name).unwrap()).unwrap();
        let ServerKind::Http(upstream) = &server.kind else { panic!("{server:?}") };
        links.of(server, upstream, directory).unwrap()
    }

    #[tokio::test]
    async fn a_link_is_made_once_for_a_version_of_a_server_and_goes_with_it() {
        let links = Links::new(&Roots::public());
        let before = directory(&["files", "mail"]);
        let files = link(&links, &before, "files");
        let mail = link(&links, &before, "mail");
        assert_eq!(
            (files.host.to_str().unwrap(), files.target.to_string().as_str()),
            ("127.0.0.1:9000", "/mcp?tenant=7")
        );
        let Some(LinkCredential::Fixed(name, value)) = &files.credential else { panic!("a credential") };
        assert!(name == "x-key" && value.is_sensitive());
        assert!(Arc::ptr_eq(&files, &link(&links, &before, "files")));

        let after = directory(&["files"]);
        assert!(!Arc::ptr_eq(&files, &link(&links, &after, "files")));
        assert_eq!(format!("{links:?}"), "{files}");
        assert_eq!(Arc::strong_count(&mail), 1, "nobody else holds it");
    }
}

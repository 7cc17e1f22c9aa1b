//! Where does a stranger's host name lead? Resolved once, checked, and only those addresses are dialled.
//!
//! A layer under the HTTP client, so that nothing lies between the check and the connection: a second look-up with
//! another answer (DNS rebinding) does not happen. One special-use address among the answers refuses the fetch; a name
//! that leads to both a public and an inner address is no accident. See [`crate::oauth::special_use`] for the table.

use crate::oauth::special_use::special_use;
use hyper_util::client::legacy::connect::dns::Name;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What a look-up comes to.
pub type Answer<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Turns a host name into addresses. Tests give their own answers.
pub trait AddressLookup: Send + Sync + 'static {
    /// The addresses of `host`.
    fn addresses<'a>(&'a self, host: &'a str) -> Answer<'a>;
}

/// The system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

impl AddressLookup for SystemLookup {
    fn addresses<'a>(&'a self, host: &'a str) -> Answer<'a> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|found| found.ip()).collect()) })
    }
}

/// Why a host is not connected to. The message names no address: it may be shown to the stranger who chose the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostRefusal {
    /// At least one address is not an ordinary public one.
    #[error("the host does not lead to the public internet")]
    NotPublic {
        /// That address, for the log.
        address: IpAddr,
    },
    /// No address at all, or the look-up failed.
    #[error("the host name has no address")]
    NoAddress,
}

/// Refuses `address` unless it is an ordinary public one, or loopback where that is allowed.
pub fn check_address(address: IpAddr, allow_loopback: bool) -> Result<(), HostRefusal> {
    match special_use(address) {
        None => Ok(()),
        Some(kind) if allow_loopback && kind.is_loopback() => Ok(()),
        Some(_) => Err(HostRefusal::NotPublic { address }),
    }
}

/// The resolver of the fetching client.
#[derive(Clone)]
pub(super) struct PublicResolver {
    lookup: Arc<dyn AddressLookup>,
    allow_loopback: bool,
}

impl PublicResolver {
    pub(super) fn new(lookup: Arc<dyn AddressLookup>, allow_loopback: bool) -> Self {
        Self { lookup, allow_loopback }
    }

    async fn resolve(self, host: Name) -> Result<std::vec::IntoIter<SocketAddr>, HostRefusal> {
        let found = self.lookup.addresses(host.as_str()).await.map_err(|_| HostRefusal::NoAddress)?;
        if found.is_empty() {
            return Err(HostRefusal::NoAddress);
        }
        for address in &found {
            check_address(*address, self.allow_loopback)?;
        }
        // The connector puts the URL's port in.
        Ok(found.into_iter().map(|address| SocketAddr::new(address, 0)).collect::<Vec<_>>().into_iter())
    }
}

impl tower::Service<Name> for PublicResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = HostRefusal;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, HostRefusal>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), HostRefusal>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, host: Name) -> Self::Future {
        Box::pin(self.clone().resolve(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Vec<IpAddr>);

    impl AddressLookup for Fixed {
        fn addresses<'a>(&'a self, _: &'a str) -> Answer<'a> {
            Box::pin(async { Ok(self.0.clone()) })
        }
    }

    async fn resolve(answers: &[&str], allow_loopback: bool) -> Result<Vec<SocketAddr>, HostRefusal> {
        let answers = answers.iter().map(|address| address.parse().unwrap()).collect();
        let resolver = PublicResolver::new(Arc::new(Fixed(answers)), allow_loopback);
        resolver.resolve("app.test".parse().unwrap()).await.map(Iterator::collect)
    }

    #[tokio::test]
    async fn only_public_addresses_are_dialled_and_all_of_them() {
        let dialled = resolve(&["93.184.216.34", "2606:2800:220:1::1"], false).await.unwrap();
        assert_eq!(dialled, ["93.184.216.34:0".parse().unwrap(), "[2606:2800:220:1::1]:0".parse().unwrap()]);
        assert_eq!(resolve(&[], false).await, Err(HostRefusal::NoAddress));
    }

    #[tokio::test]
    async fn one_special_address_among_public_ones_refuses_the_host() {
        for special in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::a00:1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::",
            "fd00::1",
            "fe80::1",
            "ff02::1",
        ] {
            let address = special.parse().unwrap();
            for answers in [&[special][..], &["8.8.8.8", special], &[special, "8.8.8.8"]] {
                assert_eq!(resolve(answers, false).await, Err(HostRefusal::NotPublic { address }), "{answers:?}");
            }
        }
    }

    #[tokio::test]
    async fn loopback_is_dialled_only_where_it_is_allowed_and_nothing_else_with_it() {
        assert!(resolve(&["127.0.0.1", "::1"], true).await.is_ok());
        assert!(resolve(&["127.0.0.1", "10.0.0.1"], true).await.is_err());
        assert!(resolve(&["::ffff:127.0.0.1"], true).await.is_err());
        assert!(resolve(&["0.0.0.0"], true).await.is_err());
    }
}

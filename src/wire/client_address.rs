//! From which address does a request come? The peer's, unless the peer is a proxy that the operator trusts.
//!
//! Then `X-Forwarded-For` is read from its right end: each trusted proxy added what it saw, so the right-most entry that
//! is not itself a trusted proxy is the caller. What stands further left anyone may have written. A header that cannot
//! be read counts as absent. A proxy on this machine or network that is not trusted leaves the caller unknown. Addresses slow guessing and are shown to people; no right ever hangs on one.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// The other end of the connection: a request extension that the accept loop sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// Where the request comes from: a request extension and an extractor. Unspecified (`0.0.0.0`) if nobody knows, as in a
/// test without a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// What to say when nobody knows.
    pub const UNKNOWN: Self = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or(Self::UNKNOWN))
    }
}

/// A network in CIDR notation (RFC 4632 §3.1), or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// The text is neither an address nor a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an address such as 10.0.0.7 or a network such as 10.0.0.0/8 or fd00::/8")]
pub struct NotANetwork;

impl Network {
    /// Whether `address` lies in it; an IPv4 address in its IPv6 form counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                u32::from(network) & mask == u32::from(address) & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                u128::from(network) & mask == u128::from(address) & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().map_err(|_| NotANetwork)?,
            Some(_) => return Err(NotANetwork),
            None => whole,
        };
        if prefix <= whole { Ok(Self { address, prefix }) } else { Err(NotANetwork) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// The proxies whose `X-Forwarded-For` is believed; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    /// Trusts these.
    pub const fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// Where a request from `peer` with these headers comes from.
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return if is_unnamed_proxy(peer, headers) { ClientAddress::UNKNOWN.0 } else { peer };
        }
        let mut client = peer;
        for line in headers.get_all("x-forwarded-for").iter().rev() {
            let Ok(line) = line.to_str() else { return peer };
            for entry in line.rsplit(',') {
                let Some(address) = parse_entry(entry.trim()) else { return peer };
                client = address;
                if !self.trusts(client) {
                    return client;
                }
            }
        }
        client
    }

    /// Whether `address` is one of them.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// A proxy on this machine or network that the operator has not named. Its address would stand for everybody behind it, and
/// a stranger's wrong passwords would slow all of them; it is no address of a caller.
fn is_unnamed_proxy(peer: IpAddr, headers: &HeaderMap) -> bool {
    let inner = match peer {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    };
    inner && headers.contains_key("x-forwarded-for")
}

/// An entry is an address; some proxies add a port.
fn parse_entry(entry: &str) -> Option<IpAddr> {
    let address = entry
        .parse()
        .or_else(|_| entry.parse().map(|with_port: SocketAddr| with_port.ip()))
        .or_else(|_| entry.trim_start_matches('[').trim_end_matches(']').parse())
        .ok()?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn address(proxies: &[&str], peer: &str, lines: &[&str]) -> String {
        let proxies = TrustedProxies::new(proxies.iter().map(|text| text.parse().unwrap()).collect());
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_str(line).unwrap());
        }
        proxies.client_address(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_stranger_cannot_choose_an_address() {
        assert_eq!(address(&[], "203.0.113.9", &["10.0.0.1"]), "203.0.113.9");
        assert_eq!(address(&["127.0.0.1"], "203.0.113.9", &["10.0.0.1"]), "203.0.113.9");
        // Through the proxy, only what the proxy itself added counts.
        assert_eq!(address(&["127.0.0.1"], "127.0.0.1", &["1.2.3.4, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(address(&["127.0.0.1"], "127.0.0.1", &["1.2.3.4", "203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn a_proxy_that_was_not_named_is_nobody() {
        for proxy in ["127.0.0.1", "::1", "172.18.0.2", "fd00::2", "::ffff:10.0.0.1"] {
            assert_eq!(address(&[], proxy, &["203.0.113.9"]), "0.0.0.0", "{proxy}");
        }
        assert_eq!(address(&[], "127.0.0.1", &[]), "127.0.0.1", "a caller on this machine");
        assert_eq!(address(&["127.0.0.1"], "10.0.0.1", &["203.0.113.9"]), "0.0.0.0");
    }

    #[test]
    fn a_chain_of_trusted_proxies_is_walked_from_the_right() {
        let proxies = ["127.0.0.0/8", "10.0.0.0/8", "fd00::/8"];
        assert_eq!(address(&proxies, "127.0.0.1", &["203.0.113.9, 10.1.2.3, fd00::5"]), "203.0.113.9");
        assert_eq!(address(&proxies, "::ffff:127.0.0.1", &["2001:db8::7"]), "2001:db8::7");
        assert_eq!(address(&proxies, "127.0.0.1", &["10.9.9.9"]), "10.9.9.9", "a caller on the trusted network");
        assert_eq!(address(&proxies, "127.0.0.1", &["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(address(&proxies, "127.0.0.1", &["[2001:db8::7]:4711"]), "2001:db8::7");
    }

    #[test]
    fn what_cannot_be_read_counts_as_absent() {
        for wrong in ["", "unknown", "203.0.113.9, nonsense", "203.0.113.9,", "999.1.1.1", "for=1.2.3.4"] {
            assert_eq!(address(&["127.0.0.1"], "127.0.0.1", &[wrong]), "127.0.0.1", "{wrong}");
        }
    }

    #[test]
    fn networks_are_read_strictly() {
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("203.0.113.9".parse().unwrap()));
        assert!(!all.contains("2001:db8::1".parse().unwrap()));
        assert!("::/0".parse::<Network>().unwrap().contains("2001:db8::1".parse().unwrap()));
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "example.org", "10.0.0.0/8/8"] {
            assert_eq!(wrong.parse::<Network>(), Err(NotANetwork), "{wrong}");
        }
    }
}

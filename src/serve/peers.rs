//! How many connections may one address have? A stranger who opens connections and keeps them must not take all places.
//!
//! Addresses of this machine and of trusted proxies stand for many callers and are not counted. Of IPv6 a whole /64 counts
//! as one address, because one caller has as many as they like. What is kept is bounded by the connections that are open.

use crate::wire::client_address::TrustedProxies;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts the connections of each address.
#[derive(Debug)]
pub struct Peers {
    most: usize,
    proxies: TrustedProxies,
    open: Mutex<HashMap<IpAddr, Open>>,
}

#[derive(Debug, Default)]
struct Open {
    count: usize,
    /// The log has heard of it, until all of them are closed.
    told: bool,
}

/// One connection in the count of its address, until it is dropped.
#[derive(Debug)]
pub struct PeerPlace(Option<(Arc<Peers>, IpAddr)>);

impl Peers {
    /// At most `most` of each address, other than those of `proxies`.
    pub fn new(most: usize, proxies: TrustedProxies) -> Arc<Self> {
        Arc::new(Self { most, proxies, open: Mutex::default() })
    }

    /// A place for one more connection from `peer`, if it may have one.
    pub fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<PeerPlace> {
        let peer = peer.to_canonical();
        if peer.is_loopback() || self.proxies.trusts(peer) {
            return Some(PeerPlace(None));
        }
        let network = network(peer);
        let mut all = self.open();
        let open = all.entry(network).or_default();
        if open.count >= self.most {
            if !std::mem::replace(&mut open.told, true) {
                tracing::warn!(
                    address = %peer,
                    connections = open.count,
                    "too many connections from one address; if it is a proxy of yours, name it in trusted_proxies"
                );
            }
            return None;
        }
        open.count += 1;
        Some(PeerPlace(Some((Arc::clone(self), network))))
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PeerPlace {
    fn drop(&mut self) {
        let Some((peers, network)) = &self.0 else { return };
        let mut all = peers.open();
        if let Some(open) = all.get_mut(network) {
            open.count -= 1;
            if open.count == 0 {
                all.remove(network);
            }
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_so_many_places_and_no_other_is_hurt() {
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let peers = Peers::new(2, proxies);
        let admit = |address: &str| peers.admit(address.parse().unwrap());
        let mut kept: Vec<_> = (0..2).map(|_| admit("203.0.113.7").unwrap()).collect();
        assert!(admit("203.0.113.7").is_none());
        assert!(admit("::ffff:203.0.113.7").is_none(), "the same address");
        assert!(admit("203.0.113.8").is_some(), "a neighbour");
        kept.pop();
        assert!(admit("203.0.113.7").is_some(), "a place is free again");

        let six = [admit("2001:db8::1").unwrap(), admit("2001:db8::2").unwrap()];
        assert!(admit("2001:db8::ffff:3").is_none(), "one network of one caller");
        assert!(admit("2001:db8:0:1::1").is_some());
        let _exempt: Vec<_> = ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.9.9.9"]
            .repeat(9)
            .into_iter()
            .map(|a| admit(a).unwrap())
            .collect();
        drop(kept);
        drop(six);
        assert!(peers.open().is_empty(), "nothing is kept of who has gone");
    }
}

//! Which addresses are one place? For telling owners, a home, an office or a data centre; for counting guesses, what one
//! stranger is sure to have: an IPv4 address, or the last 64 bits of IPv6.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The network of an address: IPv4 by its first 24 bits, IPv6 by its first 48.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum UseNetwork {
    /// IPv4, also where it was written as IPv6.
    V4([u8; 3]),
    /// IPv6.
    V6([u8; 6]),
}

impl UseNetwork {
    /// The network of this address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(address) => {
                let mut network = [0; 6];
                network.copy_from_slice(&address.octets()[..6]);
                Self::V6(network)
            }
        }
    }
}

impl fmt::Display for UseNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4([a, b, c]) => write!(f, "{}/24", Ipv4Addr::new(*a, *b, *c, 0)),
            Self::V6(network) => {
                let mut octets = [0; 16];
                octets[..6].copy_from_slice(network);
                write!(f, "{}/48", Ipv6Addr::from(octets))
            }
        }
    }
}

/// What stands for one place on the network: an IPv4 address, or the /64 of an IPv6 address.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_place_are_one_network() {
        let of = |text: &str| UseNetwork::of(text.parse().unwrap()).to_string();
        assert_eq!(of("203.0.113.7"), "203.0.113.0/24");
        assert_eq!(of("203.0.113.250"), of("::ffff:203.0.113.7"));
        assert_eq!(of("2001:db8:1:2::9"), "2001:db8:1::/48");
        assert_ne!(of("2001:db8:1:2::9"), of("2001:db8:2:2::9"));
    }

    #[test]
    fn an_ipv6_network_is_one_place() {
        assert_eq!(network_of("2001:db8::1".parse().unwrap()), network_of("2001:db8::ffff".parse().unwrap()));
        assert_ne!(network_of("2001:db8::1".parse().unwrap()), network_of("2001:db8:0:1::1".parse().unwrap()));
        assert_eq!(network_of("::ffff:10.0.0.1".parse().unwrap()), network_of("10.0.0.1".parse().unwrap()));
    }
}

//! May this address be dialled on a stranger's word? Only if it is an ordinary public one.
//!
//! A client document's URL is chosen by whoever starts an authorization, so a fetch must not reach this machine, its
//! network or its cloud's metadata service (server-side request forgery). The table is the IANA special-purpose address
//! registry (RFC 6890 and its updates). Addresses that carry an IPv4 address inside are refused as a whole, except
//! NAT64's well-known prefix (RFC 6052), behind which an IPv6-only machine sees all of IPv4: there the inner address
//! decides. IPv6 is a list of what is allowed: whatever is not global unicast (RFC 4291 §2.4) is refused.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `address` is special-use: not an ordinary public address (RFC 6890).
pub fn special_use_ip(address: IpAddr) -> bool {
    special_use(address).is_some()
}

/// What makes `address` special-use; `None` for an ordinary public address.
pub fn special_use(address: IpAddr) -> Option<SpecialUse> {
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

/// A reason why an address is not an ordinary public one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecialUse(&'static str);

impl SpecialUse {
    /// Whether the address is this machine itself (`127.0.0.0/8` or `::1`).
    pub fn is_loopback(self) -> bool {
        self.0 == LOOPBACK
    }
}

impl fmt::Display for SpecialUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

const LOOPBACK: &str = "loopback";

/// Network, prefix length, what it is.
type Block<Address> = (Address, u32, &'static str);

const V4: [Block<Ipv4Addr>; 18] = [
    (Ipv4Addr::UNSPECIFIED, 8, "this network (RFC 791)"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private use (RFC 1918)"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "carrier-grade NAT (RFC 6598)"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, LOOPBACK),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local (RFC 3927)"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private use (RFC 1918)"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "protocol assignments (RFC 6890)"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation (RFC 5737)"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "AS112 (RFC 7535)"),
    (Ipv4Addr::new(192, 52, 193, 0), 24, "multicast tunnelling (RFC 7450)"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relay (RFC 7526)"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private use (RFC 1918)"),
    (Ipv4Addr::new(192, 175, 48, 0), 24, "AS112 (RFC 7534)"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking (RFC 2544)"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation (RFC 5737)"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation (RFC 5737)"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast (RFC 5771)"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved or broadcast (RFC 1112)"),
];

fn v4(address: Ipv4Addr) -> Option<SpecialUse> {
    let within = |(network, length, _): &&Block<Ipv4Addr>| {
        let shift = 32 - length;
        address.to_bits() >> shift == network.to_bits() >> shift
    };
    V4.iter().find(within).map(|block| SpecialUse(block.2))
}

/// Outside global unicast, to give the refusal a name; anything else there is refused as "not global unicast".
const V6_NAMED: [Block<Ipv6Addr>; 10] = [
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified (RFC 4291)"),
    (Ipv6Addr::LOCALHOST, 128, LOOPBACK),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, "IPv4-mapped (RFC 4291)"),
    (Ipv6Addr::UNSPECIFIED, 96, "IPv4-compatible (RFC 4291)"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "local NAT64 (RFC 8215)"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "discard-only (RFC 6666)"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "unique local (RFC 4193)"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local (RFC 4291)"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "site-local (RFC 3879)"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast (RFC 4291)"),
];

/// Inside global unicast.
const V6_GLOBAL: [Block<Ipv6Addr>; 5] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "protocol assignments, with Teredo (RFC 2928, RFC 4380)"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation (RFC 3849)"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4 (RFC 3056)"),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48, "AS112 (RFC 7534)"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation (RFC 9637)"),
];

const NAT64: Block<Ipv6Addr> =
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, "NAT64 of a special-use address (RFC 6052)");
const GLOBAL_UNICAST: Block<Ipv6Addr> = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3, "global unicast");

fn v6(address: Ipv6Addr) -> Option<SpecialUse> {
    let within = |(network, length, _): &&Block<Ipv6Addr>| {
        let shift = 128 - length;
        address.to_bits() >> shift == network.to_bits() >> shift
    };
    if within(&&NAT64) {
        let [.., a, b, c, d] = address.octets();
        return v4(Ipv4Addr::new(a, b, c, d)).map(|_| SpecialUse(NAT64.2));
    }
    let known = if within(&&GLOBAL_UNICAST) {
        V6_GLOBAL.iter().find(within).map(|block| block.2)
    } else {
        Some(V6_NAMED.iter().find(within).map_or("not global unicast (RFC 4291)", |block| block.2))
    };
    known.map(SpecialUse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_refused() {
        let table = [
            ("0.0.0.0", "this network"),
            ("0.1.2.3", "this network"),
            ("10.0.0.1", "private use"),
            ("10.255.255.255", "private use"),
            ("100.64.0.1", "carrier-grade NAT"),
            ("100.100.100.200", "carrier-grade NAT"),
            ("100.127.255.255", "carrier-grade NAT"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("169.254.169.254", "link-local"),
            ("172.16.0.1", "private use"),
            ("172.31.255.255", "private use"),
            ("192.0.0.8", "protocol assignments"),
            ("192.0.0.192", "protocol assignments"),
            ("192.0.2.1", "documentation"),
            ("192.31.196.1", "AS112"),
            ("192.52.193.1", "multicast tunnelling"),
            ("192.88.99.1", "6to4 relay"),
            ("192.168.1.1", "private use"),
            ("192.175.48.1", "AS112"),
            ("198.18.0.1", "benchmarking"),
            ("198.19.255.255", "benchmarking"),
            ("198.51.100.7", "documentation"),
            ("203.0.113.9", "documentation"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "reserved or broadcast"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::2", "IPv4-compatible"),
            ("::127.0.0.1", "IPv4-compatible"),
            ("::8.8.8.8", "IPv4-compatible"),
            ("::ffff:127.0.0.1", "IPv4-mapped"),
            ("::ffff:169.254.169.254", "IPv4-mapped"),
            ("::ffff:8.8.8.8", "IPv4-mapped"),
            ("::ffff:0:127.0.0.1", "not global unicast"),
            ("64:ff9b::127.0.0.1", "NAT64 of a special-use"),
            ("64:ff9b::10.0.0.1", "NAT64 of a special-use"),
            ("64:ff9b::169.254.169.254", "NAT64 of a special-use"),
            ("64:ff9b:0:1::8.8.8.8", "not global unicast"),
            ("64:ff9b:1::8.8.8.8", "local NAT64"),
            ("64:ff9b:1:ffff::1", "local NAT64"),
            ("100::1", "discard-only"),
            ("100:0:0:1::1", "not global unicast"),
            ("2001::1", "protocol assignments"),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "protocol assignments"),
            ("2001:2::1", "protocol assignments"),
            ("2001:10::1", "protocol assignments"),
            ("2001:20::1", "protocol assignments"),
            ("2001:1ff:ffff::1", "protocol assignments"),
            ("2001:db8::1", "documentation"),
            ("2002:7f00:1::", "6to4"),
            ("2002:808:808::1", "6to4"),
            ("2620:4f:8000::1", "AS112"),
            ("3fff:fff::1", "documentation"),
            ("4000::1", "not global unicast"),
            ("5f00::1", "not global unicast"),
            ("fc00::1", "unique local"),
            ("fd00:ec2::254", "unique local"),
            ("fe80::1", "link-local"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"),
        ];
        for (address, what) in table {
            let found = special_use(address.parse().unwrap()).map(|use_| use_.to_string());
            assert!(found.as_deref().is_some_and(|found| found.starts_with(what)), "{address}: {found:?}");
        }
    }

    #[test]
    fn public_addresses_pass_up_to_the_edge_of_each_block() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "160.79.104.10",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "64:ff9b::8.8.8.8",
            "2000::1",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2003::1",
            "2606:4700:4700::1111",
            "2620:4f:8001::1",
            "2a00:1450:4001::1",
            "3ffe::1",
        ] {
            assert_eq!(special_use(address.parse().unwrap()), None, "{address}");
        }
    }

    #[test]
    fn loopback_is_told_apart() {
        for (address, loopback) in
            [("127.0.0.1", true), ("::1", true), ("64:ff9b::127.0.0.1", false), ("10.0.0.1", false), ("::", false)]
        {
            let special = special_use(address.parse().unwrap());
            assert_eq!(special.is_some_and(SpecialUse::is_loopback), loopback, "{address}");
        }
    }
}

//! For whom is a passkey? The relying party (Web Authentication Level 3 §4): its id is the host of the public URL that was
//! configured, and browsers sign only for pages of exactly that origin. Nothing of a request goes into it.

use crate::oauth::issuer::Issuer;
use ring::digest::{SHA256, digest};
use std::net::Ipv4Addr;

/// Keyward, as authenticators know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelyingParty {
    id: String,
    origin: String,
}

impl RelyingParty {
    /// The one at this public URL; none if its host is an address: browsers make passkeys for names only (§5.1.3).
    pub fn of(issuer: &Issuer) -> Option<Self> {
        let host = issuer.origin_host();
        // Only an IPv6 address has brackets; then what follows the last colon is the port.
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let is_name = !host.starts_with('[') && name.parse::<Ipv4Addr>().is_err();
        is_name.then(|| Self { id: name.to_owned(), origin: issuer.as_str().to_owned() })
    }

    /// Its id: a host name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Of its pages.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether authenticator data with this digest is for it.
    pub fn is_named_by(&self, digest_of_name: &[u8; 32]) -> bool {
        digest(&SHA256, self.id.as_bytes()).as_ref() == digest_of_name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_host_of_the_public_url_if_that_is_a_name() {
        let of = |url: &str| RelyingParty::of(&Issuer::parse(url).unwrap());
        let party = of("https://mcp.example.com:8443").unwrap();
        assert_eq!((party.id(), party.origin()), ("mcp.example.com", "https://mcp.example.com:8443"));
        assert_eq!(of("http://localhost:8080").unwrap().id(), "localhost");
        assert_eq!(of("http://127.0.0.1:8080"), None);
        assert_eq!(of("http://[::1]:8080"), None);
    }
}

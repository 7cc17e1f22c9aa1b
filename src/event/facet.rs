//! Under what is a line found? A person, a client, a server or a class of kinds, as a key of fixed width.

use crate::event::kind::EventClass;
use crate::id::UserId;
use crate::secret::TokenDigest;

/// What lines have in common: the beginning of a digest, so that any name fits into a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Facet([u8; 16]);

impl Facet {
    /// Done by this user or about them.
    pub fn of_user(id: UserId) -> Self {
        Self::of("user", &id.to_string())
    }

    /// Of this client.
    pub fn of_client(id: &str) -> Self {
        Self::of("client", id)
    }

    /// Of this server.
    pub fn of_server(name: &str) -> Self {
        Self::of("server", name)
    }

    /// Of this class.
    pub fn of_class(class: EventClass) -> Self {
        Self::of("class", class.keyword())
    }

    fn of(what: &str, which: &str) -> Self {
        let digest = TokenDigest::of(&format!("{what} {which}"));
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest.as_bytes()[..16]);
        Self(bytes)
    }

    /// The facet with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, as the store keeps them.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

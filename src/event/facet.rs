//! Under what is a line found? A person, a client, a server or a class of kinds, as a key of fixed width.

use crate::event::kind::EventClass;
use crate::id::UserId;
use crate::secret::TokenDigest;
use serde::{Deserialize, Serialize};

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

/// The beginnings of all facets of a line, so that a search sees in the index of one what it has of the others. Another
/// facet may begin the same: what matches is still to be compared with the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FacetMarks(Vec<[u8; 4]>);

impl FacetMarks {
    /// Of a line that was written before there were marks: it may have any facet.
    pub const UNKNOWN: Self = Self(Vec::new());

    /// Of these facets.
    pub fn of(facets: &[Facet]) -> Self {
        Self(facets.iter().map(|Facet([a, b, c, d, ..])| [*a, *b, *c, *d]).collect())
    }

    /// Whether the line may have all facets that `wanted` is of.
    pub fn may_have(&self, wanted: &Self) -> bool {
        *self == Self::UNKNOWN || wanted.0.iter().all(|mark| self.0.contains(mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_leave_out_only_what_a_line_does_not_have() {
        let [files, notes, client] = [Facet::of_server("files"), Facet::of_server("notes"), Facet::of_client("files")];
        let line = FacetMarks::of(&[files, client]);
        assert!([[].as_slice(), &[files], &[client, files]].into_iter().all(|has| line.may_have(&FacetMarks::of(has))));
        assert!(!line.may_have(&FacetMarks::of(&[notes])) && !line.may_have(&FacetMarks::of(&[files, notes])));
        assert!(FacetMarks::UNKNOWN.may_have(&FacetMarks::of(&[notes])));
    }
}

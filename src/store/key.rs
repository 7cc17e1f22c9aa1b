//! How does a key become bytes? The version byte 1, then its parts, so that bytes sort as the keys do.
//!
//! Every part but the last has a fixed width; that makes the parts of a tuple separable and a leading part a prefix.
//! Bytes that a key did not write are refused.

use crate::clock::Timestamp;
use crate::event::Facet;
use crate::id::{
    EventId, FactorId, GrantId, HalfSessionId, InstanceId, InvitationId, KeyId, SessionId, TokenId, UserId,
};
use crate::oauth::registration::MetadataDigest;
use crate::secret::TokenDigest;

/// The longest key, in bytes, its version byte included.
pub const MAX_KEY_BYTES: usize = 1024;

const VERSION: u8 = 1;

/// A key, or a part of one.
pub trait Key: Sized {
    /// Appends the part, in bytes that sort as the values do.
    fn write_to(&self, bytes: &mut Vec<u8>);

    /// Takes the part off the front; `None` if it is not there.
    fn read_from(bytes: &mut &[u8]) -> Option<Self>;
}

/// A key whose bytes are always equally many, so that more may follow.
pub trait FixedWidth: Key {}

/// What a row with a key of type `K` may be looked up by: the key, or its borrowed form.
pub trait AsKey<K: Key> {
    /// Appends the same bytes as the key itself.
    fn write_key(&self, bytes: &mut Vec<u8>);
}

/// The leading parts of a key of type `K`.
pub trait PrefixOf<K: Key> {
    /// Appends the bytes with which such keys begin.
    fn write_prefix(&self, bytes: &mut Vec<u8>);
}

/// The bytes under which a row is kept.
pub fn encode_key<K: Key>(key: &(impl AsKey<K> + ?Sized)) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    key.write_key(&mut bytes);
    bytes
}

/// The key that was written as these bytes; `None` if there is none.
pub fn decode_key<K: Key>(bytes: &[u8]) -> Option<K> {
    let (&VERSION, mut rest) = bytes.split_first()? else { return None };
    let key = K::read_from(&mut rest)?;
    rest.is_empty().then_some(key)
}

/// The bytes with which the keys under `prefix` begin.
pub(super) fn encode_prefix<K: Key>(prefix: &impl PrefixOf<K>) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    prefix.write_prefix(&mut bytes);
    bytes
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (part, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*part)
}

macro_rules! keys_of_bytes {
    ($($name:ty)*) => {$(
        impl Key for $name {
            fn write_to(&self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(self.as_bytes());
            }

            fn read_from(bytes: &mut &[u8]) -> Option<Self> {
                take(bytes).map(Self::from_bytes)
            }
        }

        impl FixedWidth for $name {}
    )*};
}

keys_of_bytes! {
    UserId GrantId KeyId TokenId SessionId HalfSessionId FactorId InvitationId InstanceId EventId Facet TokenDigest MetadataDigest
}

/// The key of a table with one row.
impl Key for () {
    fn write_to(&self, _: &mut Vec<u8>) {}

    fn read_from(_: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}

impl Key for u64 {
    fn write_to(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_be_bytes());
    }

    fn read_from(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes).map(Self::from_be_bytes)
    }
}

impl FixedWidth for u64 {}

impl Key for Timestamp {
    fn write_to(&self, bytes: &mut Vec<u8>) {
        self.unix_millis().write_to(bytes);
    }

    fn read_from(bytes: &mut &[u8]) -> Option<Self> {
        u64::read_from(bytes).map(Self::from_unix_millis)
    }
}

impl FixedWidth for Timestamp {}

/// The whole rest of the key.
impl Key for String {
    fn write_to(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.as_bytes());
    }

    fn read_from(bytes: &mut &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(std::mem::take(bytes)).ok()?;
        Some(text.to_owned())
    }
}

impl<A: FixedWidth, B: Key> Key for (A, B) {
    fn write_to(&self, bytes: &mut Vec<u8>) {
        self.0.write_to(bytes);
        self.1.write_to(bytes);
    }

    fn read_from(bytes: &mut &[u8]) -> Option<Self> {
        Some((A::read_from(bytes)?, B::read_from(bytes)?))
    }
}

impl<A: FixedWidth, B: FixedWidth> FixedWidth for (A, B) {}

impl<A: FixedWidth, B: FixedWidth, C: Key> Key for (A, B, C) {
    fn write_to(&self, bytes: &mut Vec<u8>) {
        self.0.write_to(bytes);
        self.1.write_to(bytes);
        self.2.write_to(bytes);
    }

    fn read_from(bytes: &mut &[u8]) -> Option<Self> {
        Some((A::read_from(bytes)?, B::read_from(bytes)?, C::read_from(bytes)?))
    }
}

impl<A: FixedWidth, B: FixedWidth, C: FixedWidth> FixedWidth for (A, B, C) {}

impl<K: Key> AsKey<K> for K {
    fn write_key(&self, bytes: &mut Vec<u8>) {
        self.write_to(bytes);
    }
}

impl AsKey<String> for str {
    fn write_key(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.as_bytes());
    }
}

impl<A: FixedWidth> AsKey<(A, String)> for (A, &str) {
    fn write_key(&self, bytes: &mut Vec<u8>) {
        self.0.write_to(bytes);
        bytes.extend_from_slice(self.1.as_bytes());
    }
}

impl<K: FixedWidth> PrefixOf<K> for K {
    fn write_prefix(&self, bytes: &mut Vec<u8>) {
        self.write_to(bytes);
    }
}

impl<A: FixedWidth, B: Key> PrefixOf<(A, B)> for A {
    fn write_prefix(&self, bytes: &mut Vec<u8>) {
        self.write_to(bytes);
    }
}

impl<A: FixedWidth, B: FixedWidth, C: Key> PrefixOf<(A, B, C)> for A {
    fn write_prefix(&self, bytes: &mut Vec<u8>) {
        self.write_to(bytes);
    }
}

impl<A: FixedWidth, B: FixedWidth, C: Key> PrefixOf<(A, B, C)> for (A, B) {
    fn write_prefix(&self, bytes: &mut Vec<u8>) {
        self.write_to(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip<K: Key + PartialEq + std::fmt::Debug + Clone>(key: &K) {
        let bytes = encode_key::<K>(key);
        assert_eq!(bytes[0], 1);
        assert_eq!(decode_key::<K>(&bytes).as_ref(), Some(key));
    }

    #[test]
    fn a_key_is_its_version_and_its_parts() {
        let user = UserId::from_bytes([7; 16]);
        assert_eq!(encode_key::<UserId>(&user), [&[1][..], &[7; 16]].concat());
        assert_eq!(encode_key::<()>(&()), [1]);
        assert_eq!(encode_key::<String>("anna"), b"\x01anna");
        assert_eq!(encode_key::<(u64, String)>(&(258, "x")), b"\x01\0\0\0\0\0\0\x01\x02x");
        assert_eq!(encode_prefix::<(UserId, String)>(&user), encode_key::<UserId>(&user));
    }

    #[test]
    fn bytes_that_no_key_wrote_are_refused() {
        assert_eq!(decode_key::<u64>(&[]), None);
        assert_eq!(decode_key::<u64>(&[1, 0, 0]), None);
        assert_eq!(decode_key::<u64>(&[2, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(decode_key::<u64>(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(decode_key::<()>(&[1, 0]), None);
        assert_eq!(decode_key::<String>(&[1, 0xff]), None);
    }

    proptest! {
        #[test]
        fn keys_come_back_and_sort_as_they_did(
            left in (any::<u64>(), any::<[u8; 16]>(), ".{0,20}"),
            right in (any::<u64>(), any::<[u8; 16]>(), ".{0,20}"),
        ) {
            let left = (left.0, TokenId::from_bytes(left.1), left.2);
            let right = (right.0, TokenId::from_bytes(right.1), right.2);
            round_trip(&left);
            let bytes = |key: &(u64, TokenId, String)| encode_key::<(u64, TokenId, String)>(key);
            prop_assert_eq!(bytes(&left).cmp(&bytes(&right)), left.cmp(&right));
            let near = (left.0, left.1, right.2);
            prop_assert_eq!(bytes(&left).cmp(&bytes(&near)), left.cmp(&near));
        }
    }
}

//! How does a value become bytes? A version byte, then bincode's standard encoding (variable-length integers,
//! little-endian), at most [`MAX_RECORD_BYTES`] of it.
//!
//! The layout of a stored type is its fields in their order: adding, removing or moving one, or a variant, is a new
//! version. The old bytes stay in a test, and [`Record::from_older`] opens them. Serde attributes that change a layout
//! (`default`, `flatten`, `tag`, `skip`) have no place on a stored type. Trailing bytes are refused.

use crate::clock::Timestamp;
use crate::id::{GrantId, InvitationId, KeyId, SessionId, TokenId, UserId};
use crate::secret::TokenDigest;
use serde::{Serialize, de::DeserializeOwned};

/// The largest encoded record, in bytes, its version byte included.
pub const MAX_RECORD_BYTES: usize = 65_536;

const LAYOUT: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<MAX_RECORD_BYTES>,
> = bincode::config::standard().with_limit::<MAX_RECORD_BYTES>();

/// The bytes are not a record of this type; the text says how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnreadableRecord(String);

impl UnreadableRecord {
    /// With this explanation, which must not quote the record.
    pub fn new(how: impl Into<String>) -> Self {
        Self(how.into())
    }
}

/// A type that the store keeps.
pub trait Record: Serialize + DeserializeOwned {
    /// The version that this program writes.
    const VERSION: u8;

    /// Reads the body of an older version: decode it into a type that still has the old layout (with [`decode_body`]),
    /// then convert.
    fn from_older(version: u8, body: &[u8]) -> Result<Self, UnreadableRecord> {
        let _ = body;
        Err(UnreadableRecord(format!("version {version} is not known, this program writes {}", Self::VERSION)))
    }
}

/// The bytes to keep: version, then body.
pub fn encode_record<V: Record>(record: &V) -> Result<Vec<u8>, UnreadableRecord> {
    let mut bytes = vec![V::VERSION];
    bincode::serde::encode_into_std_write(record, &mut bytes, LAYOUT)
        .map_err(|error| UnreadableRecord(error.to_string()))?;
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(UnreadableRecord(format!("{} bytes are more than {MAX_RECORD_BYTES}", bytes.len())));
    }
    Ok(bytes)
}

/// The record that was written as these bytes, by this program or an older one.
pub fn decode_record<V: Record>(bytes: &[u8]) -> Result<V, UnreadableRecord> {
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(UnreadableRecord(format!("{} bytes are more than {MAX_RECORD_BYTES}", bytes.len())));
    }
    let (&version, body) = bytes.split_first().ok_or_else(|| UnreadableRecord("it is empty".into()))?;
    if version == V::VERSION { decode_body(body) } else { V::from_older(version, body) }
}

/// What follows the version byte: exactly one value.
pub fn decode_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, UnreadableRecord> {
    let (value, read) =
        bincode::serde::decode_from_slice(body, LAYOUT).map_err(|error| UnreadableRecord(error.to_string()))?;
    if read == body.len() {
        Ok(value)
    } else {
        Err(UnreadableRecord(format!("{} bytes follow its end", body.len() - read)))
    }
}

/// The value of a row whose key says everything: an index.
impl Record for () {
    const VERSION: u8 = 1;
}

impl Record for u64 {
    const VERSION: u8 = 1;
}

impl Record for String {
    const VERSION: u8 = 1;
}

impl Record for Timestamp {
    const VERSION: u8 = 1;
}

impl Record for UserId {
    const VERSION: u8 = 1;
}

impl Record for GrantId {
    const VERSION: u8 = 1;
}

impl Record for KeyId {
    const VERSION: u8 = 1;
}

impl Record for TokenId {
    const VERSION: u8 = 1;
}

impl Record for SessionId {
    const VERSION: u8 = 1;
}

impl Record for InvitationId {
    const VERSION: u8 = 1;
}

impl Record for TokenDigest {
    const VERSION: u8 = 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Sample {
        name: String,
        user: UserId,
        at: Timestamp,
        note: Option<u32>,
    }

    #[derive(serde::Deserialize)]
    struct SampleV1 {
        name: String,
        user: UserId,
    }

    impl Record for Sample {
        const VERSION: u8 = 2;

        fn from_older(version: u8, body: &[u8]) -> Result<Self, UnreadableRecord> {
            match version {
                1 => {
                    let SampleV1 { name, user } = decode_body(body)?;
                    Ok(Self { name, user, at: Timestamp::EPOCH, note: None })
                }
                other => Err(UnreadableRecord::new(format!("version {other} is not known"))),
            }
        }
    }

    fn sample() -> Sample {
        Sample {
            name: "anna".into(),
            user: UserId::from_bytes([9; 16]),
            at: Timestamp::from_unix_millis(1_000),
            note: Some(300),
        }
    }

    #[test]
    fn the_bytes_of_a_record_are_frozen() {
        let golden =
            b"\x02\x04anna\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\xfb\xe8\x03\x01\xfb\x2c\x01";
        assert_eq!(encode_record(&sample()).unwrap(), golden);
        assert_eq!(decode_record::<Sample>(golden).unwrap(), sample());
    }

    #[test]
    fn the_bytes_of_an_older_version_open() {
        let golden = b"\x01\x04anna\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09";
        let expected = Sample { at: Timestamp::EPOCH, note: None, ..sample() };
        assert_eq!(decode_record::<Sample>(golden).unwrap(), expected);
    }

    #[test]
    fn whatever_is_not_exactly_a_record_is_refused() {
        let bytes = encode_record(&sample()).unwrap();
        for cut in 0..bytes.len() {
            assert!(decode_record::<Sample>(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(decode_record::<Sample>(&longer).unwrap_err().to_string(), "1 bytes follow its end");
        let newer = [&[3], &bytes[1..]].concat();
        assert_eq!(decode_record::<Sample>(&newer).unwrap_err().to_string(), "version 3 is not known");
        assert!(decode_record::<()>(&[2]).is_err());
        assert!(decode_record::<String>(b"\x01\xfd\xff\xff\xff\xff\xff\xff\xff\x7f").is_err(), "a length that lies");
    }

    #[test]
    fn a_record_has_a_largest_size() {
        assert!(encode_record(&"x".repeat(MAX_RECORD_BYTES - 10)).is_ok());
        assert!(encode_record(&"x".repeat(MAX_RECORD_BYTES)).is_err());
        assert!(decode_record::<String>(&vec![1; MAX_RECORD_BYTES + 1]).is_err());
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_record::<Sample>(&bytes);
            let _ = decode_record::<String>(&bytes);
        }
    }
}

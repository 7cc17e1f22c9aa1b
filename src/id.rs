//! What is this thing called? One type per kind of thing that Keyward names itself.
//!
//! An id is 16 bytes: 48 bits of Unix milliseconds, then 80 random bits (the ULID layout), so that ids sort by their
//! age in the store. As text it is a prefix that tells the kind, `_`, and 26 characters of Crockford's base 32.
//! Only that canonical text parses. An id is a name, never a secret: see [`crate::secret`] for those.

use crate::clock::Timestamp;
use crate::entropy::Entropy;
use std::fmt;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// The value of a byte that is not in the alphabet: no value of a character has this bit.
const NO_VALUE: u8 = 0x80;
/// The place of each byte in the alphabet.
const VALUES: [u8; 256] = {
    let mut values = [NO_VALUE; 256];
    let mut value = 0_u8;
    while value < 32 {
        values[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    values
};
const TEXT_LEN: usize = 26;

/// The text is not the canonical form of an id of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct NotAnId;

macro_rules! define_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// What the text form begins with.
            pub const PREFIX: &str = concat!($prefix, "_");

            /// A new id, made of `now` and 80 random bits.
            pub fn generate(now: Timestamp, entropy: &dyn Entropy) -> Self {
                Self(generate(now, entropy))
            }

            /// The id with these bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The moment in it.
            pub fn made_at(&self) -> Timestamp {
                let mut millis = [0; 8];
                millis[2..].copy_from_slice(&self.0[..6]);
                Timestamp::from_unix_millis(u64::from_be_bytes(millis))
            }

            /// The bytes, as the store keeps them.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Self::PREFIX)?;
                f.write_str(encode(self.0, &mut [0; TEXT_LEN]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                decode(text.strip_prefix(Self::PREFIX).ok_or(NotAnId)?).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    <[u8; 16]>::deserialize(deserializer).map(Self)
                }
            }
        }
    )*};
}

define_ids! {
    /// A person with an account.
    UserId = "usr";
    /// An OAuth client that this server gave its id; other clients are known by a URL ([`crate::oauth`] knows both).
    RegisteredClientId = "cli";
    /// What a user has allowed one client.
    GrantId = "grt";
    /// A signing key; its text is the `kid` of JOSE headers.
    KeyId = "key";
    /// A signed token, personal or access; its text is the `jti` claim (RFC 7519 §4.1.7).
    TokenId = "tok";
    /// A browser's signed-in state.
    SessionId = "ses";
    /// A sign-in whose second factor is still missing; no session, and no page takes it for one.
    HalfSessionId = "hlf";
    /// A second factor of a user.
    FactorId = "fac";
    /// A one-time link to an account; its secret is another thing.
    InvitationId = "inv";
    /// This installation: stands in the database and in a file beside it.
    InstanceId = "ins";
    /// One HTTP request, in logs and in the `x-request-id` header.
    RequestId = "req";
    /// One line of the audit log.
    EventId = "evt";
}

fn generate(now: Timestamp, entropy: &dyn Entropy) -> [u8; 16] {
    let mut id = [0; 16];
    entropy.fill(&mut id[6..]);
    id[..6].copy_from_slice(&now.unix_millis().to_be_bytes()[2..]);
    id
}

fn encode(bytes: [u8; 16], text: &mut [u8; TEXT_LEN]) -> &str {
    let mut rest = u128::from_be_bytes(bytes);
    for place in text.iter_mut().rev() {
        *place = ALPHABET[(rest & 31) as usize];
        rest >>= 5;
    }
    std::str::from_utf8(text).unwrap_or_default()
}

fn decode(text: &str) -> Result<[u8; 16], NotAnId> {
    let text: &[u8; TEXT_LEN] = text.as_bytes().try_into().map_err(|_| NotAnId)?;
    // 26 × 5 = 130 bits: the first character may carry only three of its five.
    if text[0] > b'7' {
        return Err(NotAnId);
    }
    let mut bits = 0_u128;
    let mut seen = 0;
    for character in text {
        let value = VALUES[usize::from(*character)];
        seen |= value;
        bits = bits << 5 | u128::from(value & 31);
    }
    if seen & NO_VALUE == 0 { Ok(bits.to_be_bytes()) } else { Err(NotAnId) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn text_and_bytes_name_the_same_id() {
        let id = UserId::generate(Timestamp::from_unix_seconds(1_790_000_000), &SeededEntropy::new(1));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(UserId::from_bytes(*id.as_bytes()), id);
        assert!(id.to_string().starts_with("usr_"));
    }

    #[test]
    fn only_the_canonical_text_parses() {
        let text = TokenId::from_bytes([0xff; 16]).to_string();
        assert_eq!(text, "tok_7zzzzzzzzzzzzzzzzzzzzzzzzz");
        for wrong in [
            "",
            "tok_",
            "tok_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "TOK_7zzzzzzzzzzzzzzzzzzzzzzzzz",
            "usr_7zzzzzzzzzzzzzzzzzzzzzzzzz",
            "tok_7zzzzzzzzzzzzzzzzzzzzzzzzZ",
            "tok_7zzzzzzzzzzzzzzzzzzzzzzzz",
            "tok_7zzzzzzzzzzzzzzzzzzzzzzzzz0",
            "tok_ézzzzzzzzzzzzzzzzzzzzzzzz",
        ] {
            assert_eq!(wrong.parse::<TokenId>(), Err(NotAnId), "{wrong}");
        }
    }

    #[test]
    fn ids_sort_by_age() {
        let entropy = SeededEntropy::new(7);
        let ids: Vec<_> =
            (0..50).map(|s| GrantId::generate(Timestamp::from_unix_seconds(1_000 + s), &entropy)).collect();
        assert!(ids.is_sorted());
        assert!(ids.iter().map(ToString::to_string).collect::<Vec<_>>().is_sorted());
        assert_eq!(ids[7].made_at(), Timestamp::from_unix_seconds(1_007));
    }
}

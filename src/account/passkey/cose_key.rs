//! With which key does a passkey sign? A `COSE_Key` (RFC 9052 §7) as authenticators write it: canonical CBOR (CTAP 2.1 §8), a
//! map of a few numbers and byte strings. Read as strictly as that; everything else is refused.

use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The key of a passkey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CoseKey {
    /// ECDSA on P-256 with SHA-256: an uncompressed point, 65 bytes.
    Es256(Vec<u8>),
    /// Ed25519, 32 bytes.
    EdDsa(Vec<u8>),
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256 {
        /// The modulus, of 2048 to 4096 bits.
        modulus: Vec<u8>,
        /// The exponent.
        exponent: Vec<u8>,
    },
}

/// Pairs in the map at most; the longest known key has five.
const MOST_PAIRS: u64 = 16;

impl CoseKey {
    /// The algorithms that passkeys may sign with, the best first (IANA "COSE Algorithms").
    pub const ALGORITHMS: [i64; 3] = [-8, -7, -257];

    /// Reads the key that `bytes` begin with; returns it and what follows.
    pub fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let mut reader = Reader(bytes);
        let (MAP, pairs @ 1..=MOST_PAIRS) = reader.head()? else { return None };
        let mut map = BTreeMap::new();
        for _ in 0..pairs {
            let Item::Number(label) = reader.item()? else { return None };
            if map.insert(label, reader.item()?).is_some() {
                return None;
            }
        }
        let number = |label| match map.get(&label) {
            Some(Item::Number(number)) => Some(*number),
            _ => None,
        };
        let text = |label, length: std::ops::RangeInclusive<usize>| match map.get(&label) {
            Some(Item::Bytes(bytes)) if length.contains(&bytes.len()) => Some(*bytes),
            _ => None,
        };
        // Kind (1), algorithm (3), then by kind: curve (-1) and coordinates (-2, -3), or modulus (-1) and exponent (-2).
        let key = match (number(1)?, number(3)?) {
            (2, -7) if number(-1)? == 1 => Self::Es256([&[4], text(-2, 32..=32)?, text(-3, 32..=32)?].concat()),
            (1, -8) if number(-1)? == 6 => Self::EdDsa(text(-2, 32..=32)?.to_vec()),
            (3, -257) => {
                let (modulus, exponent) = (text(-1, 256..=512)?, text(-2, 1..=4)?);
                // A leading zero would make the key shorter than it looks.
                if modulus[0] < 0x80 || exponent[0] == 0 {
                    return None;
                }
                Self::Rs256 { modulus: modulus.to_vec(), exponent: exponent.to_vec() }
            }
            _ => return None,
        };
        Some((key, reader.0))
    }

    /// Whether the key made `signature` over `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Es256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature),
            Self::EdDsa(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
            Self::Rs256 { modulus, exponent } => ring::signature::RsaPublicKeyComponents { n: modulus, e: exponent }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
        }
        .is_ok()
    }
}

const POSITIVE: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const MAP: u8 = 5;

/// What a key is made of.
enum Item<'a> {
    Number(i64),
    Bytes(&'a [u8]),
}

/// Reads the part of CBOR (RFC 8949) that keys are written in.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// Major type and argument (RFC 8949 §3), the latter in its shortest form only.
    fn head(&mut self) -> Option<(u8, u64)> {
        let first = self.take(1)?[0];
        let argument = match first & 0x1f {
            small @ 0..=23 => u64::from(small),
            24 => {
                let byte = self.take(1)?[0];
                (byte >= 24).then_some(u64::from(byte))?
            }
            25 => {
                let long = u16::from_be_bytes(self.take(2)?.try_into().ok()?);
                (long > 0xff).then_some(u64::from(long))?
            }
            _ => return None,
        };
        Some((first >> 5, argument))
    }

    fn item(&mut self) -> Option<Item<'a>> {
        match self.head()? {
            (POSITIVE, number) => Some(Item::Number(i64::try_from(number).ok()?)),
            (NEGATIVE, number) => Some(Item::Number(-1 - i64::try_from(number).ok()?)),
            (BYTES, length) => self.take(usize::try_from(length).ok()?).map(Item::Bytes),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};

    fn ed25519(public: &[u8]) -> Vec<u8> {
        [&[0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20], public].concat()
    }

    #[test]
    fn a_key_verifies_what_its_other_half_signed() {
        let random = SystemRandom::new();
        let pair = Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&random).unwrap().as_ref()).unwrap();
        let bytes = ed25519(pair.public_key().as_ref());
        let (key, rest) = CoseKey::parse(&bytes).unwrap();
        assert!(rest.is_empty() && key.verify(b"message", pair.sign(b"message").as_ref()));
        assert!(!key.verify(b"massage", pair.sign(b"message").as_ref()));

        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let head = [0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
        let bytes = [&head[..], x, &[0x22, 0x58, 0x20], y, b"rest"].concat();
        let (key, rest) = CoseKey::parse(&bytes).unwrap();
        assert_eq!(rest, b"rest");
        assert!(key.verify(b"message", pair.sign(&random, b"message").unwrap().as_ref()));
        for cut in 0..bytes.len() - 4 {
            assert_eq!(CoseKey::parse(&bytes[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn an_rsa_key_is_long_enough() {
        let rsa = |modulus: &[u8], exponent: &[u8]| {
            let length = u16::try_from(modulus.len()).unwrap().to_be_bytes();
            let head = [0xa4, 0x01, 0x03, 0x03, 0x39, 0x01, 0x00, 0x20, 0x59];
            let exponent_head = [0x21, 0x40 + u8::try_from(exponent.len()).unwrap()];
            CoseKey::parse(&[&head[..], &length, modulus, &exponent_head, exponent].concat()).map(|(key, _)| key)
        };
        assert!(matches!(rsa(&[0xff; 256], &[1, 0, 1]), Some(CoseKey::Rs256 { .. })));
        assert_eq!(rsa(&[0xff; 255], &[1, 0, 1]), None, "2040 bits, and not in the shortest form");
        assert_eq!(rsa(&[0x7f; 256], &[1, 0, 1]), None, "2047 bits");
        assert_eq!(rsa(&[0xff; 513], &[1, 0, 1]), None);
        assert_eq!(rsa(&[0xff; 256], &[0, 1, 1]), None);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let good = ed25519(&[7; 32]);
        assert!(CoseKey::parse(&good).is_some());
        let with = |place: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[place] = byte;
            CoseKey::parse(&bytes).map(|(key, _)| key)
        };
        for (place, byte, why) in [
            (0, 0xbf, "a map without a length"),
            (0, 0xa0, "an empty map"),
            (0, 0x84, "an array"),
            (2, 0x02, "another kind"),
            (4, 0x26, "another algorithm"),
            (5, 0x03, "a label twice"),
            (6, 0x01, "another curve"),
            (8, 0x78, "a text for the coordinate"),
            (9, 0x1f, "a short coordinate"),
            (9, 0x17, "a length that is not in its shortest form"),
        ] {
            assert_eq!(with(place, byte), None, "{why}");
        }
    }
}

//! What does an authenticator say about itself? The authenticator data (Web Authentication Level 3 §6.1), signed by the key of
//! a passkey or, when the passkey is made, with the key in it.

use super::cose_key::CoseKey;

/// Longest credential id, in bytes (§5.8.3).
pub const MAX_CREDENTIAL_ID: usize = 1023;
/// Largest authenticator data that is looked at, in bytes.
pub const MAX_AUTHENTICATOR_DATA: usize = 8 * 1024;

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const BACKED_UP: u8 = 0x10;
const HAS_CREDENTIAL: u8 = 0x40;
const HAS_EXTENSIONS: u8 = 0x80;

/// Authenticator data, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatorData {
    /// SHA-256 of the name of the relying party.
    pub relying_party: [u8; 32],
    /// Somebody touched it.
    pub user_present: bool,
    /// It knows who: by a PIN, a finger or a face.
    pub user_verified: bool,
    /// The passkey is kept elsewhere as well.
    pub backed_up: bool,
    /// Signatures so far; 0 if it does not count.
    pub counter: u32,
    /// The passkey that was just made.
    pub credential: Option<NewCredential>,
}

/// A passkey that was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// What the authenticator calls it.
    pub id: Vec<u8>,
    /// With what it signs.
    pub key: CoseKey,
}

impl AuthenticatorData {
    /// Reads all of `bytes`. Extensions are passed over: none was asked for.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_AUTHENTICATOR_DATA {
            return None;
        }
        let (relying_party, rest) = bytes.split_first_chunk::<32>()?;
        let ([flags], rest) = rest.split_first_chunk::<1>()?;
        let (counter, mut rest) = rest.split_first_chunk::<4>()?;
        let mut credential = None;
        if flags & HAS_CREDENTIAL != 0 {
            let (_model, after) = rest.split_first_chunk::<16>()?;
            let (length, after) = after.split_first_chunk::<2>()?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (id, after) = after.split_at_checked(length)?;
            if !(1..=MAX_CREDENTIAL_ID).contains(&length) {
                return None;
            }
            let (key, after) = CoseKey::parse(after)?;
            credential = Some(NewCredential { id: id.to_vec(), key });
            rest = after;
        }
        let ends = if flags & HAS_EXTENSIONS == 0 { rest.is_empty() } else { !rest.is_empty() };
        ends.then_some(Self {
            relying_party: *relying_party,
            user_present: flags & USER_PRESENT != 0,
            user_verified: flags & USER_VERIFIED != 0,
            backed_up: flags & BACKED_UP != 0,
            counter: u32::from_be_bytes(*counter),
            credential,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(flags: u8) -> Vec<u8> {
        [&[9; 32][..], &[flags], &7_u32.to_be_bytes()].concat()
    }

    #[test]
    fn flags_and_counter_are_read() {
        let data = AuthenticatorData::parse(&head(0x05)).unwrap();
        assert!(data.user_present && data.user_verified && !data.backed_up);
        assert_eq!((data.relying_party, data.counter, data.credential), ([9; 32], 7, None));
        assert!(!AuthenticatorData::parse(&head(0x01)).unwrap().user_verified);
        assert!(AuthenticatorData::parse(&head(0x1d)).unwrap().backed_up);
    }

    #[test]
    fn a_new_passkey_is_read_whole_or_not_at_all() {
        let key = [&[0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20][..], &[7; 32]].concat();
        let bytes = [&head(0x41)[..], &[0; 16], &[0, 3], b"abc", &key].concat();
        let credential = AuthenticatorData::parse(&bytes).unwrap().credential.unwrap();
        assert_eq!((credential.id.as_slice(), credential.key), (&b"abc"[..], CoseKey::EdDsa(vec![7; 32])));
        for cut in 0..bytes.len() {
            assert_eq!(AuthenticatorData::parse(&bytes[..cut]), None, "{cut}");
        }
        assert_eq!(AuthenticatorData::parse(&[&bytes[..], &[0]].concat()), None, "more than it says");
        let empty = [&head(0x41)[..], &[0; 16], &[0, 0], &key].concat();
        assert_eq!(AuthenticatorData::parse(&empty), None, "a name of no bytes");
    }

    #[test]
    fn extensions_are_there_if_and_only_if_it_says_so() {
        assert!(AuthenticatorData::parse(&[&head(0x81)[..], &[0xa0]].concat()).is_some());
        assert_eq!(AuthenticatorData::parse(&head(0x81)), None);
        assert_eq!(AuthenticatorData::parse(&[&head(0x01)[..], &[0xa0]].concat()), None);
    }
}

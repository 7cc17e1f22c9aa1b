//! How does somebody sign in whose second factor is lost? With one of ten codes that were shown once.
//!
//! A code has 80 random bits, so at rest it is a plain digest like every other random credential. Each counts once. New codes
//! void those before; without any factor there are none.

use crate::clock::Timestamp;
use crate::entropy::{Entropy, random_bytes};
use crate::secret::TokenDigest;
use serde::{Deserialize, Serialize};
use zeroize::ZeroizeOnDrop;

/// How many codes are made at once.
pub const RECOVERY_CODES: usize = 10;
/// With so many left, or fewer, their owner is told to make new ones.
pub const FEW_LEFT: usize = 3;

/// Characters of a code, without what stands between its groups.
const LENGTH: usize = 16;
/// Without letters that look like a digit.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A code in the clear: exists only between its making and its one showing.
#[derive(Clone, ZeroizeOnDrop)]
pub struct RecoveryCode(String);

impl std::fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryCode")
    }
}

impl RecoveryCode {
    fn generate(entropy: &dyn Entropy) -> Self {
        let bytes: [u8; LENGTH] = random_bytes(entropy);
        Self(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect())
    }

    /// Reads a code as typed: letters of either case, with spaces and dashes wherever they are; `o` is read as 0, `i` and `l`
    /// as 1.
    pub fn parse(text: &str) -> Option<Self> {
        let mut code = Self(String::with_capacity(LENGTH));
        for typed in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            let letter = match typed.to_ascii_lowercase() {
                'o' => '0',
                'i' | 'l' => '1',
                letter => letter,
            };
            if code.0.len() == LENGTH || !LETTERS.iter().any(|known| char::from(*known) == letter) {
                return None;
            }
            code.0.push(letter);
        }
        (code.0.len() == LENGTH).then_some(code)
    }

    /// The text to show: four groups of four.
    pub fn to_text(&self) -> String {
        let letters: Vec<char> = self.0.chars().collect();
        letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
    }

    /// What is stored.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(&self.0)
    }
}

/// The codes of a user that still count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryCodes {
    /// When they were made.
    pub made_at: Timestamp,
    /// Their digests.
    unused: Vec<TokenDigest>,
}

impl RecoveryCodes {
    /// New codes, and what to store of them.
    pub fn generate(now: Timestamp, entropy: &dyn Entropy) -> (Self, Vec<RecoveryCode>) {
        let codes: Vec<_> = (0..RECOVERY_CODES).map(|_| RecoveryCode::generate(entropy)).collect();
        (Self { made_at: now, unused: codes.iter().map(RecoveryCode::digest).collect() }, codes)
    }

    /// How many still count.
    pub fn left(&self) -> usize {
        self.unused.len()
    }

    /// Uses a code up; nothing if it is none of these.
    pub fn without(mut self, code: &RecoveryCode) -> Option<Self> {
        let (digest, before) = (code.digest(), self.unused.len());
        self.unused.retain(|known| *known != digest);
        (self.unused.len() < before).then_some(self)
    }

    /// A row with these digests.
    #[cfg(test)]
    pub(crate) fn sample(made_at: Timestamp, unused: Vec<TokenDigest>) -> Self {
        Self { made_at, unused }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use std::collections::BTreeSet;

    #[test]
    fn each_code_counts_once() {
        let (mut codes, shown) = RecoveryCodes::generate(Timestamp::EPOCH, &SeededEntropy::new(1));
        assert_eq!(shown.iter().map(RecoveryCode::to_text).collect::<BTreeSet<_>>().len(), RECOVERY_CODES);
        for (used, code) in shown.iter().enumerate() {
            assert_eq!(codes.left(), RECOVERY_CODES - used);
            codes = codes.without(code).unwrap();
            assert!(codes.clone().without(code).is_none());
        }
        assert_eq!(codes.left(), 0);
        let (_, others) = RecoveryCodes::generate(Timestamp::EPOCH, &SeededEntropy::new(2));
        let (codes, _) = RecoveryCodes::generate(Timestamp::EPOCH, &SeededEntropy::new(1));
        assert!(codes.without(&others[0]).is_none());
    }

    #[test]
    fn a_code_is_read_as_people_write_it() {
        let (_, shown) = RecoveryCodes::generate(Timestamp::EPOCH, &SeededEntropy::new(1));
        let text = shown[0].to_text();
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [4; 4]);
        for typed in [text.clone(), text.to_uppercase(), text.replace('-', ""), format!(" {} ", text.replace('-', " "))]
        {
            assert_eq!(RecoveryCode::parse(&typed).unwrap().digest(), shown[0].digest(), "{typed}");
        }
        let digest = |text: &str| RecoveryCode::parse(text).unwrap().digest();
        assert_eq!(digest("OIl0-0000-0000-0000"), digest("0110-0000-0000-0000"));
        for wrong in ["", "123456", &text[1..], &format!("{text}0"), "uuuu-uuuu-uuuu-uuuu", "é000-0000-0000-0000"] {
            assert!(RecoveryCode::parse(wrong).is_none(), "{wrong}");
        }
        assert_eq!(format!("{:?}", shown[0]), "RecoveryCode");
    }
}

//! May this password be set? Long enough, not one of the most common, not its owner's name.

use super::common::is_common;
use super::{MAX_PASSWORD, MIN_PASSWORD, PasswordHash};
use crate::entropy::{Entropy, random_bytes};
use crate::secret::Secret;
use zeroize::Zeroizing;

/// A password that may be set: long enough, not one of the most common, not its owner's name.
#[derive(Debug, Clone)]
pub struct NewPassword(Secret<String>);

/// Why a password may not be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Outside of 8 to 128 characters.
    #[error("A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters.")]
    Length,
    /// Among the first that a stranger would try.
    #[error("This password is one of the most common. Choose another, such as four random words.")]
    Common,
    /// Made of the user's own name.
    #[error("The password must not be the user name. Choose another, such as four random words.")]
    Name,
}

impl NewPassword {
    /// Judges a password that the user called `canonical_name` wants to set.
    pub fn parse(text: &str, canonical_name: &str) -> Result<Self, WeakPassword> {
        if !(MIN_PASSWORD..=MAX_PASSWORD).contains(&text.chars().count()) {
            return Err(WeakPassword::Length);
        }
        let lower = Zeroizing::new(text.to_lowercase());
        if is_made_of(&lower, canonical_name) {
            return Err(WeakPassword::Name);
        }
        if is_common(&lower) {
            return Err(WeakPassword::Common);
        }
        Ok(Self(Secret::new(text.to_owned())))
    }

    /// What to store.
    pub fn hash(&self, entropy: &dyn Entropy) -> PasswordHash {
        PasswordHash::of(self.0.expose(), entropy)
    }

    /// What to keep in memory, where nobody finds it to guess at: at least cost.
    pub fn hash_for_memory(&self, entropy: &dyn Entropy) -> PasswordHash {
        PasswordHash::for_memory_of(self.0.expose(), entropy)
    }
}

/// Nothing but the name, once or more, with digits and signs around.
fn is_made_of(lower: &str, canonical_name: &str) -> bool {
    !canonical_name.is_empty() && lower.contains(canonical_name) && {
        let rest = Zeroizing::new(lower.replace(canonical_name, ""));
        rest.chars().all(|c| !c.is_alphabetic())
    }
}

/// A password to hand to somebody: 75 random bits in letters and digits that are hard to confuse, in groups of five.
pub fn readable_password(entropy: &dyn Entropy) -> String {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let bytes: [u8; 15] = random_bytes(entropy);
    let letters: Vec<char> = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect();
    letters.chunks(5).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn passwords_are_readable_and_new_each_time() {
        let entropy = SeededEntropy::new(1);
        let password = readable_password(&entropy);
        assert_eq!((password.len(), password.matches('-').count()), (17, 2));
        assert_ne!(password, readable_password(&entropy));
        assert!(NewPassword::parse(&password, "ada").is_ok());
    }

    #[test]
    fn weak_passwords_are_refused() {
        let cases = [
            ("short", WeakPassword::Length),
            (&"x".repeat(129), WeakPassword::Length),
            ("password", WeakPassword::Common),
            ("Password123!", WeakPassword::Common),
            ("aaaaaaaaaa", WeakPassword::Common),
            ("12345678", WeakPassword::Common),
            ("lovelace", WeakPassword::Name),
            ("LOVELACE2026", WeakPassword::Name),
            ("!lovelace-lovelace!", WeakPassword::Name),
            ("P@ssw0rd", WeakPassword::Common),
            ("pa$$word1", WeakPassword::Common),
            ("$unsh1ne99", WeakPassword::Common),
            ("dragondragon", WeakPassword::Common),
            ("Summer2026!", WeakPassword::Common),
            ("liverpool1", WeakPassword::Common),
            ("19870412", WeakPassword::Common),
            ("0171-23456", WeakPassword::Common),
            ("hijklmnop", WeakPassword::Common),
            ("poiuytrew", WeakPassword::Common),
            ("x1x1x1x1x1", WeakPassword::Common),
            ("1q2w3e4r5t", WeakPassword::Common),
        ];
        for (text, why) in cases {
            assert_eq!(NewPassword::parse(text, "lovelace").err(), Some(why), "{text}");
        }
        for good in ["ein gutes Paßwort", "lovelace wrote notes", "sunshine over harbour", "9f8Kq2xW", "dragon-boat"] {
            assert!(NewPassword::parse(good, "lovelace").is_ok(), "{good}");
        }
        assert!(NewPassword::parse("a password", "").is_ok(), "nobody's name is in it");
    }
}

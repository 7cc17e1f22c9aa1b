//! Is this password good enough, and is it the right one?
//!
//! Argon2id (RFC 9106) at OWASP's 19 MiB, two passes, one lane: tens of milliseconds of one core. Callers run it off the
//! reactor, a few at a time. A sign-in for an unknown name verifies against [`PasswordHash::nobody`], so that it takes
//! as long as any other.

use crate::entropy::{Entropy, random_bytes};
use crate::secret::Secret;
use argon2::password_hash::phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroizing;

/// Fewest characters of a password.
pub const MIN_PASSWORD: usize = 8;
/// Most characters of a password: more would only cost time.
pub const MAX_PASSWORD: usize = 128;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

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
        self.hash_by(&argon2(), entropy)
    }

    /// What to keep in memory, where nobody finds it to guess at: at least cost.
    pub fn hash_for_memory(&self, entropy: &dyn Entropy) -> PasswordHash {
        let least = Params::new(Params::MIN_M_COST, Params::MIN_T_COST, LANES, None).expect("the least parameters");
        self.hash_by(&Argon2::new(Algorithm::Argon2id, Version::V0x13, least), entropy)
    }

    fn hash_by(&self, argon2: &Argon2<'_>, entropy: &dyn Entropy) -> PasswordHash {
        let salt: [u8; 16] = random_bytes(entropy);
        let hash: phc::PasswordHash = argon2
            .hash_password_with_salt(self.0.expose().as_bytes(), &salt)
            .expect("lengths and parameters are within Argon2's limits");
        PasswordHash(hash.to_string())
    }
}

/// Nothing but the name, once or more, with digits and signs around.
fn is_made_of(lower: &str, canonical_name: &str) -> bool {
    !canonical_name.is_empty() && lower.contains(canonical_name) && {
        let rest = Zeroizing::new(lower.replace(canonical_name, ""));
        rest.chars().all(|c| !c.is_alphabetic())
    }
}

/// What guessing tries first: a word of the list, once or more, with digits and signs around it or in place of letters;
/// few digits and no letters; a short piece again and again; neighbours on a keyboard or in the alphabet.
fn is_common(lower: &str) -> bool {
    let plain = Zeroizing::new(lower.chars().map(as_letter).collect::<String>());
    let around = |c: char| !c.is_alphabetic();
    let [typed, plain_core] = [lower, &**plain].map(|text| text.trim_matches(around));
    let behind_signs = lower.trim_matches(|c: char| c.is_ascii_digit() || c.is_ascii_punctuation());
    let as_letters = Zeroizing::new(behind_signs.chars().map(as_letter).collect::<String>());
    let listed = |text: &str| COMMON.lines().any(|common| common == text || is_repeated(text, common));
    let few_digits = lower.chars().count() < 12 && lower.chars().all(|c| !c.is_alphabetic());
    few_digits
        || is_periodic(lower)
        || is_run(lower)
        || is_run(typed)
        || [lower, typed, plain_core, &**as_letters].into_iter().any(listed)
}

/// The letter that a digit or sign often stands for.
const fn as_letter(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

fn is_repeated(text: &str, word: &str) -> bool {
    text.len() > word.len() && text.len().is_multiple_of(word.len()) && text.replace(word, "").is_empty()
}

/// A piece of at most four characters, again and again.
fn is_periodic(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=4).any(|period| bytes.len() > period && bytes.iter().zip(&bytes[period..]).all(|(a, b)| a == b))
}

/// Neighbours on a keyboard's row, or in the alphabet, one after the other, in either direction.
fn is_run(text: &str) -> bool {
    const ROWS: [&str; 7] =
        ["abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm"];
    let backwards = Zeroizing::new(text.chars().rev().collect::<String>());
    text.len() >= 6 && ROWS.iter().any(|row| row.contains(text) || row.contains(&**backwards))
}

/// A password's Argon2id hash in PHC string form.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The hash of a password that nobody knows: for names that do not exist.
    pub fn nobody() -> Self {
        let salt = "a2V5d2FyZG5vYm9keQ";
        let hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        Self(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${hash}"))
    }

    /// Whether `typed` is the password. Costs tens of milliseconds whatever the answer; over-long input costs nothing.
    pub fn verify(&self, typed: &str) -> bool {
        if typed.chars().count() > MAX_PASSWORD {
            return false;
        }
        let Ok(hash) = phc::PasswordHash::new(&self.0) else { return false };
        argon2().verify_password(typed.as_bytes(), &hash).is_ok()
    }

    /// Made with other parameters than today's: to be made anew at the next sign-in.
    pub fn is_outdated(&self) -> bool {
        !self.0.starts_with(&format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$"))
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// A password to hand to somebody: 75 random bits in letters and digits that are hard to confuse, in groups of five.
pub fn readable_password(entropy: &dyn Entropy) -> String {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let bytes: [u8; 15] = random_bytes(entropy);
    let letters: Vec<char> = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect();
    letters.chunks(5).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are constants within range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The words that guessing begins with, one a line in small letters, sorted. Put together for Keyward from what is generally
/// known to be chosen: words for “password”, keyboard patterns, names, teams, brands, heroes, months. No list of anybody's was
/// copied. Each stands for thousands of passwords: see [`is_common`].
const COMMON: &str = include_str!("common_passwords.txt");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn the_right_password_and_no_other_is_accepted() {
        let hash = NewPassword::parse("correct horse battery", "ada").unwrap().hash(&SeededEntropy::new(1));
        assert!(hash.verify("correct horse battery"));
        assert!(!hash.verify("correct horse battery "));
        assert!(!hash.verify(""));
        assert!(!hash.verify(&"x".repeat(MAX_PASSWORD + 1)));
        assert!(!hash.is_outdated());
        assert_eq!(format!("{hash:?}"), "PasswordHash");
    }

    #[test]
    fn a_hash_for_memory_is_one_of_the_same_password_and_made_anew_where_it_would_be_kept() {
        let hash = NewPassword::parse("correct horse battery", "ada").unwrap().hash_for_memory(&SeededEntropy::new(1));
        assert!(hash.verify("correct horse battery") && !hash.verify("correct horse"));
        assert!(hash.is_outdated());
    }

    #[test]
    fn passwords_are_readable_and_new_each_time() {
        let entropy = SeededEntropy::new(1);
        let password = readable_password(&entropy);
        assert_eq!((password.len(), password.matches('-').count()), (17, 2));
        assert_ne!(password, readable_password(&entropy));
        assert!(NewPassword::parse(&password, "ada").is_ok());
    }

    #[test]
    fn nobody_has_a_readable_hash_that_no_password_opens() {
        let nobody = PasswordHash::nobody();
        assert!(phc::PasswordHash::new(&nobody.0).is_ok());
        assert!(!nobody.verify("password"));
        assert!(!nobody.is_outdated());
        assert!(PasswordHash("$argon2id$v=19$m=4096,t=3,p=1$c2FsdHNhbHQ$AAAA".to_owned()).is_outdated());
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

    #[test]
    fn the_list_is_sorted_plain_and_small() {
        let words: Vec<_> = COMMON.lines().collect();
        assert!(words.is_sorted() && words.len() > 1_500 && COMMON.len() < 24 * 1024, "{} words", words.len());
        assert!(words.iter().all(|word| word.len() >= 3 && *word == word.to_lowercase()));
    }
}

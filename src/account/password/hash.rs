//! Is this the right password? Argon2id (RFC 9106) at OWASP's 19 MiB, two passes, one lane: tens of milliseconds of one core.
//!
//! Callers run it off the reactor, a few at a time. A sign-in for an unknown name verifies against
//! [`PasswordHash::nobody`], so that it takes as long as any other.

use super::MAX_PASSWORD;
use crate::entropy::{Entropy, random_bytes};
use argon2::password_hash::phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use std::fmt;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// A password's Argon2id hash in PHC string form.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Of this password, with today's parameters and a new salt.
    pub(super) fn of(password: &str, entropy: &dyn Entropy) -> Self {
        Self::by(&argon2(), password, entropy)
    }

    /// The same at least cost.
    pub(super) fn for_memory_of(password: &str, entropy: &dyn Entropy) -> Self {
        let least = Params::new(Params::MIN_M_COST, Params::MIN_T_COST, LANES, None).expect("the least parameters");
        Self::by(&Argon2::new(Algorithm::Argon2id, Version::V0x13, least), password, entropy)
    }

    fn by(argon2: &Argon2<'_>, password: &str, entropy: &dyn Entropy) -> Self {
        let salt: [u8; 16] = random_bytes(entropy);
        let hash: phc::PasswordHash = argon2
            .hash_password_with_salt(password.as_bytes(), &salt)
            .expect("lengths and parameters are within Argon2's limits");
        Self(hash.to_string())
    }

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

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are constants within range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::super::NewPassword;
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
    fn nobody_has_a_readable_hash_that_no_password_opens() {
        let nobody = PasswordHash::nobody();
        assert!(phc::PasswordHash::new(&nobody.0).is_ok());
        assert!(!nobody.verify("password"));
        assert!(!nobody.is_outdated());
        assert!(PasswordHash("$argon2id$v=19$m=4096,t=3,p=1$c2FsdHNhbHQ$AAAA".to_owned()).is_outdated());
    }
}

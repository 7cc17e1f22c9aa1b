//! Where does randomness come from? The only module that asks the operating system for it; everything else is given
//! an [`Entropy`], so a test can be repeated byte for byte.

use std::fmt;
use std::sync::Mutex;

/// A source of random bytes.
pub trait Entropy: Send + Sync + fmt::Debug {
    /// Fills `buffer` with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}

/// `N` random bytes.
pub fn random_bytes<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the operating system")]
    fn fill(&self, buffer: &mut [u8]) {
        // There is no safe way on without randomness: stop this request rather than make a guessable secret.
        getrandom::fill(buffer).expect("the operating system gives random bytes");
    }
}

/// A repeatable stream for tests: SHA-256 of a seed and a counter. Never for a secret that protects anything.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    counter: Mutex<u64>,
}

impl SeededEntropy {
    /// The stream that belongs to `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { seed, counter: Mutex::new(0) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        use sha2::{Digest, Sha256};
        let mut counter = self.counter.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for chunk in buffer.chunks_mut(32) {
            *counter += 1;
            let block =
                Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(counter.to_be_bytes()).finalize();
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_two_seeds_differ() {
        let first: [u8; 40] = random_bytes(&SeededEntropy::new(1));
        assert_eq!(first, random_bytes(&SeededEntropy::new(1)));
        assert_ne!(first, random_bytes(&SeededEntropy::new(2)));
    }

    #[test]
    fn the_system_does_not_repeat_itself() {
        assert_ne!(random_bytes::<16>(&OsEntropy), random_bytes::<16>(&OsEntropy));
    }
}

//! Was this very token verified before? Then its signature need not be verified again: that is 30 of 36 µs.
//!
//! A fixed number of slots in sets of four. The key is the SHA-256 of the whole token, compared in full, so a hit means the
//! same bytes. Only tokens with a good signature enter; whether they are over or revoked is for the caller to ask, on every
//! hit. Invariants: bounded, and no operation waits: a slot is one atomic pointer, and a lost race is a miss at worst.

use crate::clock::Timestamp;
use crate::secret::TokenDigest;
use crate::token::genuine::Signed;
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const WAYS: usize = 4;

pub(super) struct VerifiedCache {
    sets: Box<[Set]>,
}

/// One cache line: the tags spare a look at the tokens of the other three ways.
#[derive(Default)]
#[repr(align(64))]
struct Set {
    tags: [AtomicU64; WAYS],
    tokens: [ArcSwapOption<Signed>; WAYS],
}

impl VerifiedCache {
    /// A cache of at least `slots` slots, rounded up to a power of two.
    pub(super) fn new(slots: usize) -> Self {
        let sets = slots.div_ceil(WAYS).max(1).next_power_of_two();
        Self { sets: std::iter::repeat_with(Set::default).take(sets).collect() }
    }

    /// The token with this digest.
    pub(super) fn get(&self, digest: &TokenDigest) -> Option<Arc<Signed>> {
        let (set, tag) = self.place(digest);
        for (way, known) in set.tags.iter().enumerate() {
            if known.load(Ordering::Acquire) == tag
                && let Some(token) = &*set.tokens[way].load()
                && token.digest == *digest
            {
                return Some(Arc::clone(token));
            }
        }
        None
    }

    /// Remembers `token`: in an empty slot, or for one that is over, or else for one that its digest picks.
    pub(super) fn put(&self, token: Arc<Signed>, now: Timestamp) {
        let (set, tag) = self.place(&token.digest);
        let free = |slot: &ArcSwapOption<Signed>| slot.load().as_ref().is_none_or(|old| old.claims.expires_at <= now);
        let picked = usize::from(token.digest.as_bytes()[16]) % WAYS;
        let way = set.tokens.iter().position(free).unwrap_or(picked);
        set.tokens[way].store(Some(token));
        set.tags[way].store(tag, Ordering::Release);
    }

    fn place(&self, digest: &TokenDigest) -> (&Set, u64) {
        let word = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&digest.as_bytes()[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let mask = self.sets.len() - 1;
        let place = usize::try_from(word(0) & mask as u64).unwrap_or_default();
        (&self.sets[place], word(8))
    }
}

impl std::fmt::Debug for VerifiedCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VerifiedCache({} slots)", self.sets.len() * WAYS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::hours;
    use crate::id::{KeyId, TokenId, UserId};
    use crate::oauth::scope::ScopeSet;
    use crate::token::claims::{Audience, Claims, TokenKind};

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);

    fn token(number: u32, expires_at: Timestamp) -> Arc<Signed> {
        let claims = Claims {
            id: TokenId::from_bytes([0; 16]),
            user: UserId::from_bytes([0; 16]),
            kind: TokenKind::Personal,
            audience: Audience::EveryServer,
            scopes: ScopeSet::mcp(),
            issued_at: NOW,
            expires_at,
        };
        Arc::new(Signed { digest: TokenDigest::of(&number.to_string()), key: KeyId::from_bytes([0; 16]), claims })
    }

    #[test]
    fn a_token_is_found_by_all_of_its_digest() {
        let cache = VerifiedCache::new(64);
        let token = token(1, NOW + hours(1));
        assert!(cache.get(&token.digest).is_none());
        cache.put(Arc::clone(&token), NOW);
        assert!(Arc::ptr_eq(&cache.get(&token.digest).unwrap(), &token));

        let mut nearly = *token.digest.as_bytes();
        nearly[31] ^= 1;
        assert!(cache.get(&TokenDigest::from_bytes(nearly)).is_none());
    }

    #[test]
    fn the_cache_is_bounded_and_prefers_tokens_that_are_not_over() {
        let cache = VerifiedCache::new(4);
        for number in 0..4 {
            cache.put(token(number, NOW + hours(number.into())), NOW);
        }
        cache.put(token(4, NOW + hours(9)), NOW);
        let known = |number| cache.get(&token(number, NOW).digest).is_some();
        assert_eq!([0, 1, 2, 3, 4].map(known), [false, true, true, true, true]);

        for number in 5..1_000 {
            cache.put(token(number, NOW + hours(9)), NOW);
            assert!(known(number), "the newest is known");
        }
        assert_eq!((0..1_000).filter(|number| known(*number)).count(), 4);
    }

    #[test]
    fn threads_that_race_for_slots_get_their_own_tokens() {
        let cache = VerifiedCache::new(8);
        std::thread::scope(|scope| {
            for thread in 0..4_u32 {
                let cache = &cache;
                scope.spawn(move || {
                    for step in 0..2_000 {
                        let token = token(step % 40 + thread, NOW + hours(1));
                        if let Some(found) = cache.get(&token.digest) {
                            assert_eq!(found.digest, token.digest);
                        }
                        cache.put(token, NOW);
                    }
                });
            }
        });
    }

    #[test]
    fn a_set_is_one_cache_line() {
        assert_eq!(size_of::<Set>(), 64);
    }
}

//! Which tokens are no good although they are genuine? Revocations (RFC 7009) and the set of them that every request asks.
//!
//! Invariants: an operation commits a [`RevocationEntry`] to the store first, publishes it here second, and answers third.
//! The set only grows until entries expire: [`RevocationSet::merge`] takes what the store has and drops nothing, so a
//! refresh that read the store a moment too early cannot undo what was just published. An entry outlives every token that
//! it speaks of. Condemned keys are not here: they are in the key ring.
//!
//! Reading takes no lock and never waits: a writer that resizes a map leaves the old table to the readers until the new one
//! is complete. Writers take turns. They only insert: what papaya 0.2 adds by way of `update_or_insert` makes every later
//! miss, which is the answer for nearly all requests, thirty times as slow.

use crate::clock::{Timestamp, minutes};
use crate::id::{GrantId, TokenId, UserId};
use crate::token::claims::Claims;
use crate::token::refusal::RevokedBy;
use papaya::{HashMap, ResizeMode};
use serde::{Deserialize, Serialize};
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A statement that tokens are no longer good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Revocation {
    /// This token.
    Token(TokenId),
    /// Every token under this grant.
    Grant(GrantId),
    /// Every token of this user that was issued before a moment.
    User {
        /// Whose tokens.
        user: UserId,
        /// The moment. Tokens know only the second in which they were issued: those of this very second are refused
        /// too. See [`RevocationSet::issue_time`] for tokens that are made right afterwards.
        issued_before: Timestamp,
    },
    /// This token, from a moment on: it was replaced, and its successor has had time to take its place.
    TokenFrom {
        /// Which token.
        token: TokenId,
        /// The first moment at which it is refused.
        from: Timestamp,
    },
    /// Every token under this grant that was issued before a moment: those issued later may do less.
    GrantUntil {
        /// Under which grant.
        grant: GrantId,
        /// The moment; the tokens of its second are refused too.
        issued_before: Timestamp,
    },
}

/// A revocation as the store keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationEntry {
    /// What is revoked.
    pub revocation: Revocation,
    /// When it was.
    pub revoked_at: Timestamp,
    /// When the last token that it speaks of is over for every verifier; then the entry may go.
    pub expires_at: Timestamp,
}

/// By how much an entry outlives its tokens: more than the largest leeway and a token's rounding to the next second.
const MARGIN: Duration = minutes(10);

impl RevocationEntry {
    /// Revokes the token `id`, which would expire at `token_expires_at`.
    pub fn token(id: TokenId, token_expires_at: Timestamp, now: Timestamp) -> Self {
        Self { revocation: Revocation::Token(id), revoked_at: now, expires_at: token_expires_at + MARGIN }
    }

    /// Revokes the token `id` from `from` on; it would expire at `token_expires_at`.
    pub fn token_from(id: TokenId, from: Timestamp, token_expires_at: Timestamp, now: Timestamp) -> Self {
        let revocation = Revocation::TokenFrom { token: id, from };
        Self { revocation, revoked_at: now, expires_at: token_expires_at + MARGIN }
    }

    /// Revokes what was issued under the grant `id` until `now`; its access tokens live at most `access_token_life`.
    pub fn grant_until(id: GrantId, access_token_life: Duration, now: Timestamp) -> Self {
        let revocation = Revocation::GrantUntil { grant: id, issued_before: now };
        Self { revocation, revoked_at: now, expires_at: now + access_token_life + MARGIN }
    }

    /// Revokes what was issued under the grant `id`; its access tokens live at most `access_token_life`.
    pub fn grant(id: GrantId, access_token_life: Duration, now: Timestamp) -> Self {
        Self { revocation: Revocation::Grant(id), revoked_at: now, expires_at: now + access_token_life + MARGIN }
    }

    /// Revokes every token of `user` that was issued until `now`; tokens live at most `max_token_life`.
    pub fn user(user: UserId, max_token_life: Duration, now: Timestamp) -> Self {
        let revocation = Revocation::User { user, issued_before: now };
        Self { revocation, revoked_at: now, expires_at: now + max_token_life + MARGIN }
    }
}

/// The revocations that count now, in memory.
#[derive(Debug)]
pub struct RevocationSet {
    tokens: HashMap<TokenId, TokenRevocation>,
    grants: HashMap<GrantId, OlderRevocation>,
    users: HashMap<UserId, OlderRevocation>,
    writers: Mutex<()>,
    changes: AtomicU64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TokenRevocation {
    /// The beginning of time for one that counts whatever the clock says.
    from: Timestamp,
    expires_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OlderRevocation {
    /// The end of time for one of all tokens.
    issued_before: Timestamp,
    expires_at: Timestamp,
}

impl TokenRevocation {
    fn stricter(self, other: Self) -> Self {
        Self { from: self.from.min(other.from), expires_at: self.expires_at.max(other.expires_at) }
    }
}

impl OlderRevocation {
    fn stricter(self, other: Self) -> Self {
        let issued_before = self.issued_before.max(other.issued_before);
        Self { issued_before, expires_at: self.expires_at.max(other.expires_at) }
    }

    fn covers(&self, claims: &Claims) -> bool {
        claims.issued_at.unix_seconds() <= self.issued_before.unix_seconds()
    }
}

impl Default for RevocationSet {
    fn default() -> Self {
        let (writers, changes) = (Mutex::default(), AtomicU64::new(0));
        Self { tokens: new_map(), grants: new_map(), users: new_map(), writers, changes }
    }
}

fn new_map<K: Eq + Hash, V>() -> HashMap<K, V> {
    HashMap::builder().resize_mode(ResizeMode::Blocking).build()
}

impl RevocationSet {
    /// A set that revokes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes `entry` count, from the very next request on. Call it after the entry is committed.
    ///
    /// Two entries about the same thing become the stricter of both.
    pub fn publish(&self, entry: &RevocationEntry) {
        let _turn = self.turn_to_write();
        let expires_at = entry.expires_at;
        let is_new = match entry.revocation {
            Revocation::Token(id) => self.put_token(id, Timestamp::EPOCH, expires_at),
            Revocation::TokenFrom { token, from } => self.put_token(token, from, expires_at),
            Revocation::Grant(id) => put_older(&self.grants, id, Timestamp::FAR_FUTURE, expires_at),
            Revocation::GrantUntil { grant, issued_before } => {
                put_older(&self.grants, grant, issued_before, expires_at)
            }
            Revocation::User { user, issued_before } => put_older(&self.users, user, issued_before, expires_at),
        };
        if is_new {
            // After the entry: whoever sees the new number sees the entry.
            self.changes.fetch_add(1, Ordering::Release);
        }
    }

    /// How often something was revoked that was not before: a number that only grows.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Publishes all that the store has: at the start, before the listener opens, and in every refresh.
    pub fn merge(&self, entries: impl IntoIterator<Item = RevocationEntry>) {
        for entry in entries {
            self.publish(&entry);
        }
    }

    /// What revokes a token with these claims at `now`, if anything does.
    pub fn covers(&self, claims: &Claims, now: Timestamp) -> Option<RevokedBy> {
        if let Some(revocation) = self.tokens.pin().get(&claims.id)
            && now >= revocation.from
        {
            let is_replaced = revocation.from > Timestamp::EPOCH;
            return Some(if is_replaced { RevokedBy::Successor } else { RevokedBy::Token });
        }
        if let Some(grant) = claims.grant()
            && let Some(revocation) = self.grants.pin().get(&grant)
            && revocation.covers(claims)
        {
            let is_all = revocation.issued_before == Timestamp::FAR_FUTURE;
            return Some(if is_all { RevokedBy::Grant } else { RevokedBy::Narrowing });
        }
        self.users.pin().get(&claims.user)?.covers(claims).then_some(RevokedBy::User)
    }

    /// From when on the token `id` is refused, if it was replaced and the moment may lie ahead.
    pub fn token_ends_at(&self, id: TokenId) -> Option<Timestamp> {
        self.tokens.pin().get(&id).map(|revocation| revocation.from)
    }

    /// The moment to write into a token that is made for `user` at `now`: `now`, or the second after a revocation of the
    /// same second, which would hit the new token otherwise. At most one second ahead while the clock runs forward; the
    /// verifier's leeway is never less.
    pub fn issue_time(&self, user: UserId, now: Timestamp) -> Timestamp {
        let users = self.users.pin();
        let next =
            |revocation: &OlderRevocation| Timestamp::from_unix_seconds(revocation.issued_before.unix_seconds() + 1);
        users.get(&user).map_or(now, |revocation| now.max(next(revocation)))
    }

    /// Drops what no longer matters at `now`.
    pub fn expire(&self, now: Timestamp) {
        let _turn = self.turn_to_write();
        self.tokens.pin().retain(|_, revocation| now < revocation.expires_at);
        self.grants.pin().retain(|_, revocation| now < revocation.expires_at);
        self.users.pin().retain(|_, revocation| now < revocation.expires_at);
    }

    /// How many revocations count.
    pub fn len(&self) -> usize {
        self.tokens.len() + self.grants.len() + self.users.len()
    }

    /// Whether none counts.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn put_token(&self, id: TokenId, from: Timestamp, expires_at: Timestamp) -> bool {
        put(&self.tokens, id, TokenRevocation { from, expires_at }, TokenRevocation::stricter)
    }

    /// Nothing that happens in a turn leaves a map half written, so another writer's panic is no reason to stop.
    fn turn_to_write(&self) -> MutexGuard<'_, ()> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn put_older<K: Eq + Hash>(
    map: &HashMap<K, OlderRevocation>,
    key: K,
    issued_before: Timestamp,
    expires_at: Timestamp,
) -> bool {
    put(map, key, OlderRevocation { issued_before, expires_at }, OlderRevocation::stricter)
}

/// Says whether that changed anything.
fn put<K: Eq + Hash, V: Copy + PartialEq>(map: &HashMap<K, V>, key: K, new: V, stricter: impl Fn(V, V) -> V) -> bool {
    let map = map.pin();
    let old = map.get(&key).copied();
    let value = old.map_or(new, |old| stricter(new, old));
    let is_new = old != Some(value);
    if is_new {
        map.insert(key, value);
    }
    is_new
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{days, hours};
    use crate::oauth::client::ClientId;
    use crate::oauth::scope::ScopeSet;
    use crate::token::claims::{Audience, TokenKind};

    const NOW: Timestamp = Timestamp::from_unix_millis(1_790_000_000_400);
    const USER: UserId = UserId::from_bytes([1; 16]);
    const GRANT: GrantId = GrantId::from_bytes([2; 16]);
    const TOKEN: TokenId = TokenId::from_bytes([3; 16]);

    fn claims(issued_at: Timestamp) -> Claims {
        Claims {
            id: TOKEN,
            user: USER,
            kind: TokenKind::Access { client: ClientId::parse("https://client.example/c").unwrap(), grant: GRANT },
            audience: Audience::EveryServer,
            scopes: ScopeSet::mcp(),
            issued_at: Timestamp::from_unix_seconds(issued_at.unix_seconds()),
            expires_at: issued_at + hours(1),
        }
    }

    #[test]
    fn each_kind_of_revocation_covers_its_tokens_and_no_others() {
        let another = [
            RevocationEntry::token(TokenId::from_bytes([9; 16]), NOW + hours(1), NOW),
            RevocationEntry::grant(GrantId::from_bytes([9; 16]), hours(1), NOW),
            RevocationEntry::user(UserId::from_bytes([9; 16]), days(365), NOW),
        ];
        for (entry, by) in [
            (RevocationEntry::token(TOKEN, NOW + hours(1), NOW), RevokedBy::Token),
            (RevocationEntry::grant(GRANT, hours(1), NOW), RevokedBy::Grant),
            (RevocationEntry::user(USER, days(365), NOW), RevokedBy::User),
        ] {
            let set = RevocationSet::new();
            set.merge(another);
            assert_eq!(set.covers(&claims(NOW), NOW), None);
            set.publish(&entry);
            assert_eq!(set.covers(&claims(NOW), NOW), Some(by));
            assert_eq!(set.len(), 4);
        }
    }

    #[test]
    fn the_revocation_of_a_user_spares_what_is_issued_afterwards() {
        let set = RevocationSet::new();
        assert_eq!(set.issue_time(USER, NOW), NOW);
        set.publish(&RevocationEntry::user(USER, days(365), NOW));

        assert_eq!(set.covers(&claims(NOW - days(300)), NOW), Some(RevokedBy::User));
        assert_eq!(set.covers(&claims(NOW), NOW), Some(RevokedBy::User), "the same second");
        let reissued = set.issue_time(USER, NOW);
        assert_eq!(set.covers(&claims(reissued), NOW), None, "issued right afterwards");
        assert!(reissued.since(NOW) <= Duration::from_secs(1));
        let later = NOW + hours(1);
        assert_eq!(set.issue_time(USER, later), later);
    }

    #[test]
    fn a_replaced_token_is_refused_from_its_moment_on_and_an_ended_one_whatever_the_clock_says() {
        let set = RevocationSet::new();
        let (from, expiry) = (NOW + hours(1), NOW + days(30));
        set.publish(&RevocationEntry::token_from(TOKEN, from, expiry, NOW));
        assert_eq!(set.covers(&claims(NOW), from - Duration::from_millis(1)), None);
        assert_eq!(set.covers(&claims(NOW), from), Some(RevokedBy::Successor));
        assert_eq!(set.token_ends_at(TOKEN), Some(from));
        set.publish(&RevocationEntry::token_from(TOKEN, from + hours(1), expiry, NOW));
        assert_eq!(set.covers(&claims(NOW), from), Some(RevokedBy::Successor), "an earlier end stays");
        set.publish(&RevocationEntry::token(TOKEN, expiry, NOW));
        assert_eq!(set.covers(&claims(NOW), NOW - days(1)), Some(RevokedBy::Token));
    }

    #[test]
    fn a_grant_that_was_narrowed_refuses_what_was_issued_before() {
        let set = RevocationSet::new();
        set.publish(&RevocationEntry::grant_until(GRANT, hours(24), NOW));
        assert_eq!(set.covers(&claims(NOW - hours(1)), NOW), Some(RevokedBy::Narrowing));
        assert_eq!(set.covers(&claims(NOW), NOW), Some(RevokedBy::Narrowing), "the same second");
        let later = NOW + Duration::from_secs(1);
        assert_eq!(set.covers(&claims(later), later), None);
        set.publish(&RevocationEntry::grant(GRANT, hours(24), later));
        set.publish(&RevocationEntry::grant_until(GRANT, hours(24), later));
        assert_eq!(set.covers(&claims(later + hours(1)), later), Some(RevokedBy::Grant), "an end stays an end");
    }

    #[test]
    fn a_refresh_from_the_store_takes_nothing_back() {
        let set = RevocationSet::new();
        set.publish(&RevocationEntry::token(TOKEN, NOW + hours(1), NOW));
        set.publish(&RevocationEntry::user(USER, days(365), NOW));
        assert_eq!(set.changes(), 2);
        set.merge([]);
        set.merge([RevocationEntry::user(USER, days(1), NOW - days(2))]);
        assert_eq!(set.changes(), 2, "nothing new");
        assert_eq!(set.covers(&claims(NOW), NOW), Some(RevokedBy::Token));
        set.expire(NOW + days(2));
        assert_eq!(set.covers(&claims(NOW), NOW), Some(RevokedBy::User));
    }

    #[test]
    fn an_entry_outlives_the_tokens_it_speaks_of() {
        let set = RevocationSet::new();
        let expiry = NOW + hours(1);
        set.publish(&RevocationEntry::token(TOKEN, expiry, NOW));
        set.publish(&RevocationEntry::grant(GRANT, hours(1), NOW));
        set.publish(&RevocationEntry::user(USER, hours(1), NOW));

        set.expire(expiry + minutes(9));
        assert_eq!(set.len(), 3);
        set.expire(expiry + minutes(10));
        assert!(set.is_empty());
    }

    #[test]
    fn readers_and_writers_do_not_wait_for_one_another() {
        let set = RevocationSet::new();
        std::thread::scope(|scope| {
            for thread in 0..4_u8 {
                let set = &set;
                scope.spawn(move || {
                    for step in 0..=255_u8 {
                        let mut id = [thread; 16];
                        id[15] = step;
                        set.publish(&RevocationEntry::token(TokenId::from_bytes(id), NOW + hours(1), NOW));
                        set.expire(NOW);
                        assert_eq!(
                            set.covers(&Claims { id: TokenId::from_bytes(id), ..claims(NOW) }, NOW),
                            Some(RevokedBy::Token)
                        );
                    }
                });
            }
        });
        assert_eq!(set.len(), 4 * 256);
    }
}

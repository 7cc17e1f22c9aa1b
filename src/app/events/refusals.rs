//! Which requests were refused of late? A bounded list in memory, for the owners of tokens and for admins.
//!
//! Whoever refuses a request never waits here: where the list is being read at that moment, the refusal is counted and not
//! listed. What of it goes into the log is decided by [`Refusals::note`].

use crate::app::App;
use crate::app::error::OperationError;
use crate::clock::{Timestamp, hours};
use crate::event::Refusal;
use crate::id::UserId;
use crate::store::Reads;
use crate::store::tables::{CLIENTS, PERSONAL_TOKENS, USERS};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many refusals are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Different ones of one user's tokens.
    pub of_one_user: usize,
    /// Different ones of all users' tokens together.
    pub of_all_users: usize,
    /// Of requests without a genuine token.
    pub of_strangers: usize,
}

/// What is kept.
pub const KEPT: Kept = Kept { of_one_user: 50, of_all_users: 1_000, of_strangers: 100 };

/// A refusal that repeats itself is in the log once in this time.
const LOGGED_EVERY: Duration = hours(1);

/// The last refusals.
#[derive(Debug, Default)]
pub struct Refusals {
    lists: Mutex<Lists>,
    unlisted: AtomicU64,
}

#[derive(Debug, Default)]
struct Lists {
    /// Oldest first.
    owned: VecDeque<Entry>,
    strangers: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
    refusal: Refusal,
    logged_at: Timestamp,
}

impl Refusals {
    /// Notes a refusal; says whether the log should have a line for it.
    pub(super) fn note(&self, refusal: Refusal) -> bool {
        let Ok(mut lists) = self.lists.try_lock() else {
            self.unlisted.fetch_add(1, Ordering::Relaxed);
            return false;
        };
        let Lists { owned, strangers } = &mut *lists;
        let (list, most) = match refusal.owner {
            Some(_) => (owned, KEPT.of_all_users),
            None => (strangers, KEPT.of_strangers),
        };
        let known = list.iter().rposition(|entry| entry.refusal.is_like(&refusal)).and_then(|place| list.remove(place));
        let (at, is_owned) = (refusal.at, refusal.owner.is_some());
        let mut entry = Entry { refusal, logged_at: Timestamp::EPOCH };
        if let Some(known) = known {
            entry.refusal.times = known.refusal.times.saturating_add(1);
            entry.logged_at = known.logged_at;
        }
        let to_log = is_owned && (at < entry.logged_at || at.since(entry.logged_at) >= LOGGED_EVERY);
        if to_log {
            entry.logged_at = at;
        }
        if let Some(owner) = entry.refusal.owner.as_ref().map(|owner| owner.id) {
            let own = |other: &Entry| other.refusal.owner.as_ref().is_some_and(|other| other.id == owner);
            if list.iter().filter(|other| own(other)).count() >= KEPT.of_one_user
                && let Some(oldest) = list.iter().position(own)
            {
                list.remove(oldest);
            }
        }
        if list.len() >= most {
            list.pop_front();
        }
        list.push_back(entry);
        to_log
    }

    /// The last ones of this user's tokens, the newest first.
    pub fn of(&self, user: UserId) -> Vec<Refusal> {
        let lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        let own = lists.owned.iter().rev().map(|entry| &entry.refusal);
        own.filter(|refusal| refusal.owner.as_ref().is_some_and(|owner| owner.id == user)).cloned().collect()
    }

    /// The last ones of all, strangers' included, the newest first; at most `limit`.
    pub fn all(&self, limit: usize) -> Vec<Refusal> {
        let lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        let both = lists.owned.iter().rev().take(limit).chain(lists.strangers.iter().rev().take(limit));
        let mut all: Vec<_> = both.map(|entry| entry.refusal.clone()).collect();
        all.sort_by_key(|refusal| std::cmp::Reverse(refusal.at));
        all.truncate(limit);
        all
    }

    /// The last ones at a server, of one user's tokens or of all, strangers' included; the newest first.
    pub fn at(&self, server: &str, of: Option<UserId>) -> Vec<Refusal> {
        let mut all = of.map_or_else(|| self.all(usize::MAX), |user| self.of(user));
        all.retain(|refusal| refusal.server == server);
        all
    }

    /// How many came while the list was being read, and are not in it.
    pub fn unlisted(&self) -> u64 {
        self.unlisted.load(Ordering::Relaxed)
    }
}

/// A refusal, and what was presented: the name of the token or of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldRefusal {
    /// The refusal.
    pub refusal: Refusal,
    /// Empty where nothing is known of it.
    pub with: String,
}

impl App {
    /// The last refusals of this user's tokens, the newest first.
    pub fn refusals_of(&self, user: UserId, limit: usize) -> Result<Vec<ToldRefusal>, OperationError> {
        let mut refusals = self.live.calls().refusals.of(user);
        refusals.truncate(limit);
        self.tell(refusals)
    }

    /// The last refusals of all, the newest first.
    pub fn refusals_of_all(&self, limit: usize) -> Result<Vec<ToldRefusal>, OperationError> {
        self.tell(self.live.calls().refusals.all(limit))
    }

    /// The last refusals at a server, of one user's tokens or of all, the newest first.
    pub fn refusals_at(
        &self,
        server: &str,
        of: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<ToldRefusal>, OperationError> {
        let mut refusals = self.live.calls().refusals.at(server, of);
        refusals.truncate(limit);
        self.tell(refusals)
    }

    fn tell(&self, refusals: Vec<Refusal>) -> Result<Vec<ToldRefusal>, OperationError> {
        self.store.read(|tx| {
            let mut told = Vec::with_capacity(refusals.len());
            for mut refusal in refusals {
                let with = match (&refusal.client, refusal.token) {
                    (Some(client), _) => {
                        let known = tx.get(CLIENTS, client.as_str())?;
                        known.map_or_else(|| client.clone(), |client| client.display_name().to_owned())
                    }
                    (None, Some(token)) => {
                        let known = tx.get(PERSONAL_TOKENS, &token)?;
                        known.map_or_else(|| token.to_string(), |token| token.name.to_string())
                    }
                    (None, None) => String::new(),
                };
                if let Some(owner) = refusal.owner.as_mut().filter(|owner| owner.name.is_empty())
                    && let Some(user) = tx.get(USERS, &owner.id)?
                {
                    owner.name = user.name.to_string();
                }
                told.push(ToldRefusal { refusal, with });
            }
            Ok(told)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Named, RefusedBecause};

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);

    fn refusal(owner: Option<u8>, server: &str, at: Timestamp) -> Refusal {
        Refusal {
            at,
            times: 1,
            owner: owner.map(|n| Named::new(UserId::from_bytes([n; 16]), "ada")),
            token: None,
            grant: None,
            client: None,
            server: server.to_owned(),
            asked_for: None,
            because: RefusedBecause::NotForUser,
            address: None,
        }
    }

    #[test]
    fn what_repeats_itself_is_one_entry_and_one_line_an_hour() {
        let refusals = Refusals::default();
        assert!(refusals.note(refusal(Some(1), "files", NOW)));
        for _ in 0..20 {
            assert!(!refusals.note(refusal(Some(1), "files", NOW)));
        }
        assert!(refusals.note(refusal(Some(1), "files", NOW + LOGGED_EVERY)));
        let own = refusals.of(UserId::from_bytes([1; 16]));
        assert_eq!((own.len(), own[0].times, own[0].at), (1, 22, NOW + LOGGED_EVERY));
    }

    #[test]
    fn nobody_takes_the_room_of_others() {
        let refusals = Refusals::default();
        refusals.note(refusal(Some(2), "files", NOW));
        for n in 0..2_000 {
            refusals.note(refusal(Some(1), &format!("s{n}"), NOW));
            assert!(!refusals.note(refusal(None, &format!("s{n}"), NOW)), "strangers fill no log");
        }
        assert_eq!(refusals.of(UserId::from_bytes([1; 16])).len(), KEPT.of_one_user);
        assert_eq!(refusals.of(UserId::from_bytes([2; 16])).len(), 1);
        assert_eq!(refusals.all(usize::MAX).len(), KEPT.of_one_user + 1 + KEPT.of_strangers);
        assert!(refusals.of(UserId::from_bytes([3; 16])).is_empty());
        assert_eq!(refusals.at("files", Some(UserId::from_bytes([2; 16]))).len(), 1);
        assert!(refusals.at("files", Some(UserId::from_bytes([1; 16]))).is_empty());
        assert_eq!(refusals.at("s1999", None).len(), 2, "an owner's and a stranger's");
    }
}

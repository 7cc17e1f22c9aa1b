//! What was fetched lately and still holds? A bounded cache in memory, keyed by URL.
//!
//! Invariants: only what was fetched and found good gets in; each entry lives for the time that its answer's headers
//! gave (RFC 9111 §4.2), held within [`MIN_FRESH`] and [`MAX_FRESH`]; a full cache gives up what ends first.

use crate::clock::{Timestamp, hours, minutes};
use axum::http::HeaderMap;
use axum::http::header::{AGE, CACHE_CONTROL};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Shortest time for which an answer is kept, also if its headers ask for less or say nothing.
pub const MIN_FRESH: Duration = minutes(5);
/// Longest time for which an answer is kept.
pub const MAX_FRESH: Duration = hours(24);

/// How long an answer with these headers holds: `max-age` less `Age`, within the bounds.
pub fn freshness(headers: &HeaderMap) -> Duration {
    let directives = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut life: Option<u64> = None;
    for directive in directives.flat_map(|value| value.split(',')).map(str::trim) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return MIN_FRESH;
        }
        if name.eq_ignore_ascii_case("max-age") {
            // Two that differ: the shorter (RFC 9111 §4.2.1 allows it).
            let seconds = value.trim_matches('"').parse().unwrap_or(0);
            life = Some(life.map_or(seconds, |known| known.min(seconds)));
        }
    }
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()).and_then(|age| age.parse().ok()).unwrap_or(0_u64);
    Duration::from_secs(life.unwrap_or(0).saturating_sub(age)).clamp(MIN_FRESH, MAX_FRESH)
}

/// The cache.
#[derive(Debug)]
pub(super) struct FreshCache<T> {
    entries: Mutex<HashMap<String, Entry<T>>>,
    capacity: usize,
}

#[derive(Debug)]
struct Entry<T> {
    value: Arc<T>,
    fetched_at: Timestamp,
    fresh_until: Timestamp,
}

impl<T> FreshCache<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { entries: Mutex::default(), capacity }
    }

    /// What is kept under `url` and holds at `now`.
    pub(super) fn get(&self, url: &str, now: Timestamp) -> Option<Arc<T>> {
        let entries = self.entries();
        entries.get(url).filter(|entry| now < entry.fresh_until).map(|entry| Arc::clone(&entry.value))
    }

    /// What is kept under `url` if it was fetched within the last `age`.
    pub(super) fn get_younger(&self, url: &str, age: Duration, now: Timestamp) -> Option<Arc<T>> {
        let entries = self.entries();
        entries.get(url).filter(|entry| now < entry.fetched_at + age).map(|entry| Arc::clone(&entry.value))
    }

    /// Keeps `value`, fetched at `now`, for `life`.
    pub(super) fn keep(&self, url: &str, value: Arc<T>, now: Timestamp, life: Duration) {
        let mut entries = self.entries();
        if !entries.contains_key(url) && entries.len() >= self.capacity {
            entries.retain(|_, entry| now < entry.fresh_until);
            if entries.len() >= self.capacity {
                let first = entries.iter().min_by_key(|(_, entry)| entry.fresh_until).map(|(url, _)| url.clone());
                first.and_then(|url| entries.remove(&url));
            }
        }
        entries.insert(url.to_owned(), Entry { value, fetched_at: now, fresh_until: now + life });
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry<T>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_count_within_the_bounds() {
        for (control, age, seconds) in [
            (None, None, 300),
            (Some("max-age=3600"), None, 3600),
            (Some("public, MAX-AGE=3600, immutable"), None, 3600),
            (Some("max-age=\"3600\""), None, 3600),
            (Some("max-age=3600"), Some("600"), 3000),
            (Some("max-age=3600"), Some("9999"), 300),
            (Some("max-age=3600, max-age=7200"), None, 3600),
            (Some("max-age=0"), None, 300),
            (Some("max-age=31536000"), None, 86_400),
            (Some("max-age=99999999999999999999999"), None, 300),
            (Some("max-age=-1"), None, 300),
            (Some("max-age"), None, 300),
            (Some("max-age=3600, no-store"), None, 300),
            (Some("no-cache, max-age=3600"), None, 300),
            (Some("s-maxage=3600"), None, 300),
            (Some(""), None, 300),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(control) = control {
                headers.insert(CACHE_CONTROL, control.parse().unwrap());
            }
            if let Some(age) = age {
                headers.insert(AGE, age.parse().unwrap());
            }
            assert_eq!(freshness(&headers).as_secs(), seconds, "{control:?} {age:?}");
        }
    }

    #[test]
    fn an_entry_holds_for_its_time() {
        let cache = FreshCache::new(2);
        let start = Timestamp::from_unix_seconds(1_000);
        cache.keep("a", Arc::new(1), start, minutes(10));
        assert_eq!(cache.get("a", start + minutes(9)).as_deref(), Some(&1));
        assert_eq!(cache.get("a", start + minutes(10)), None);
        assert!(cache.get_younger("a", minutes(1), start).is_some());
        assert!(cache.get_younger("a", minutes(1), start + minutes(1)).is_none());
    }

    #[test]
    fn a_full_cache_gives_up_what_ends_first() {
        let cache = FreshCache::new(2);
        let now = Timestamp::from_unix_seconds(1_000);
        cache.keep("long", Arc::new(1), now, hours(2));
        cache.keep("short", Arc::new(2), now, hours(1));
        cache.keep("long", Arc::new(3), now, hours(2));
        assert!(cache.get("short", now).is_some(), "the same URL takes no further place");
        cache.keep("new", Arc::new(4), now, minutes(5));
        assert!(cache.get("short", now).is_none() && cache.get("new", now).is_some());
        cache.keep("other", Arc::new(5), now + minutes(6), minutes(5));
        assert!(cache.get("long", now).is_some() && cache.get("new", now).is_none());
    }
}

//! What is a table, and which of its rows are meant? A name with two types, and a [`Scan`]: bounds, direction, limit.

use super::key::{AsKey, Key, PrefixOf, encode_key, encode_prefix};
use super::record::Record;
use std::marker::PhantomData;
use std::ops::Bound;

/// A table: rows of `V`, sorted by `K`. All of them are constants in [`super::tables`].
pub struct Table<K, V> {
    name: &'static str,
    row: PhantomData<fn() -> (K, V)>,
}

impl<K: Key, V: Record> Table<K, V> {
    /// The table with this name, which is for ever.
    pub const fn new(name: &'static str) -> Self {
        Self { name, row: PhantomData }
    }

    /// Its name in the database.
    pub const fn name(self) -> &'static str {
        self.name
    }
}

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Table<K, V> {}

impl<K, V> std::fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Which rows of a table with keys of type `K`, in which direction, and how many.
///
/// Each call narrows; none widens. Without a limit all rows are read: set one wherever a stranger decides how many
/// there are.
pub struct Scan<K> {
    from: Vec<u8>,
    until: Vec<u8>,
    after: Option<Vec<u8>>,
    backwards: bool,
    limit: usize,
    key: PhantomData<fn() -> K>,
}

impl<K: Key> Scan<K> {
    /// Every row.
    pub fn all() -> Self {
        let from = encode_prefix::<Everything>(&Everything);
        let until = successor(&from);
        Self { from, until, after: None, backwards: false, limit: usize::MAX, key: PhantomData }
    }

    /// The rows whose keys begin with these parts, for example all of one user's.
    pub fn prefix(parts: &impl PrefixOf<K>) -> Self {
        let from = encode_prefix(parts);
        let until = successor(&from);
        Self { from, until, ..Self::all() }
    }

    /// Only rows whose leading parts are `parts` or greater.
    #[must_use]
    pub fn from(mut self, parts: &impl PrefixOf<K>) -> Self {
        self.from = self.from.max(encode_prefix(parts));
        self
    }

    /// Only rows whose leading parts are less than `parts`, for example what expired before `now`.
    #[must_use]
    pub fn until(mut self, parts: &impl PrefixOf<K>) -> Self {
        self.until = self.until.min(encode_prefix(parts));
        self
    }

    /// Only rows that come after `key` in the direction of the scan: where the previous page ended.
    #[must_use]
    pub fn after(mut self, key: &(impl AsKey<K> + ?Sized)) -> Self {
        self.after = Some(encode_key(key));
        self
    }

    /// From the greatest key to the least; where keys are ids, the newest first.
    #[must_use]
    pub fn backwards(mut self) -> Self {
        self.backwards = true;
        self
    }

    /// At most this many rows.
    #[must_use]
    pub fn limit(mut self, rows: usize) -> Self {
        self.limit = self.limit.min(rows);
        self
    }

    pub(super) fn into_bytes(self) -> ByteScan {
        let (mut from, mut until) = (Bound::Included(self.from), Bound::Excluded(self.until));
        match self.after {
            Some(after) if self.backwards => {
                if let Bound::Excluded(end) = &mut until {
                    *end = after.min(std::mem::take(end));
                }
            }
            Some(after) => {
                if matches!(&from, Bound::Included(start) if after >= *start) {
                    from = Bound::Excluded(after);
                }
            }
            None => {}
        }
        let empty = match (&from, &until) {
            (Bound::Included(start) | Bound::Excluded(start), Bound::Excluded(end)) => start >= end,
            _ => false,
        };
        ByteScan { from, until, backwards: self.backwards, limit: if empty { 0 } else { self.limit } }
    }
}

impl<K> std::fmt::Debug for Scan<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan").field("backwards", &self.backwards).field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// A scan in bytes; a limit of 0 where the bounds leave nothing.
#[derive(Debug)]
pub struct ByteScan {
    pub(super) from: Bound<Vec<u8>>,
    pub(super) until: Bound<Vec<u8>>,
    pub(super) backwards: bool,
    pub(super) limit: usize,
}

impl ByteScan {
    pub(super) fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (self.from.as_ref().map(Vec::as_slice), self.until.as_ref().map(Vec::as_slice))
    }
}

/// The prefix of every key: its version byte.
struct Everything;

impl Key for Everything {
    fn write_to(&self, _: &mut Vec<u8>) {}

    fn read_from(_: &mut &[u8]) -> Option<Self> {
        None
    }
}

impl super::key::FixedWidth for Everything {}

/// The least byte string that is greater than all that begin with `prefix`. It exists, for a key begins with a 1.
fn successor(prefix: &[u8]) -> Vec<u8> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX).unwrap_or(0);
    let mut next = prefix[..=kept].to_vec();
    next[kept] = next[kept].wrapping_add(1);
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{TokenId, UserId};

    #[test]
    fn a_prefix_of_the_greatest_bytes_still_has_an_end() {
        assert_eq!(successor(&[1]), [2]);
        assert_eq!(successor(&[1, 5, 0xff]), [1, 6]);
        assert_eq!(successor(&[1, 0xff, 0xff]), [2]);
    }

    #[test]
    fn a_cursor_never_widens_a_scan() {
        let user = |n| UserId::from_bytes([n; 16]);
        let outside = (user(1), TokenId::from_bytes([0; 16]));
        let beyond = (user(3), TokenId::from_bytes([0; 16]));
        let scan = || Scan::<(UserId, TokenId)>::prefix(&user(2));
        let plain = scan().into_bytes();
        let before = scan().after(&outside).into_bytes();
        assert_eq!((&before.from, &before.until), (&plain.from, &plain.until));
        assert_eq!(scan().after(&beyond).into_bytes().limit, 0);
        assert_eq!(scan().backwards().after(&outside).into_bytes().limit, 0);
        let before = scan().backwards().after(&beyond).into_bytes();
        assert_eq!((&before.from, &before.until), (&plain.from, &plain.until));
    }
}

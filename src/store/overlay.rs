//! What has a group of jobs written that the database does not have yet? Ordered changes over the snapshot, with a way
//! back for the job that is running.
//!
//! Invariant: between jobs `undo` is empty and the changes are exactly those of the jobs that were kept.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Row by row, in the order of the keys.
pub(super) type Changes = BTreeMap<Vec<u8>, Change>;

/// What becomes of a row.
pub(super) enum Change {
    Written(Vec<u8>),
    Removed,
}

/// The changes of a group of jobs, by table.
#[derive(Default)]
pub(super) struct Overlay {
    tables: BTreeMap<&'static str, Changes>,
    undo: Vec<Undo>,
}

/// What the changes said of a row before the running job touched it.
struct Undo {
    table: &'static str,
    key: Vec<u8>,
    before: Option<Change>,
}

impl Overlay {
    /// What the changes say of a row, if anything.
    pub(super) fn get(&self, table: &'static str, key: &[u8]) -> Option<&Change> {
        self.tables.get(table)?.get(key)
    }

    /// The changes between two bounds, which are in order and not both the same exclusion.
    pub(super) fn range<'a>(
        &'a self,
        table: &'static str,
        bounds: (Bound<&'a [u8]>, Bound<&'a [u8]>),
    ) -> impl DoubleEndedIterator<Item = (&'a [u8], &'a Change)> {
        self.tables
            .get(table)
            .into_iter()
            .flat_map(move |changes| changes.range::<[u8], _>(bounds))
            .map(|(key, change)| (key.as_slice(), change))
    }

    /// Changes a row.
    pub(super) fn set(&mut self, table: &'static str, key: Vec<u8>, change: Change) {
        let before = self.tables.entry(table).or_default().insert(key.clone(), change);
        self.undo.push(Undo { table, key, before });
    }

    /// The running job is kept.
    pub(super) fn keep(&mut self) {
        self.undo.clear();
    }

    /// The running job never was.
    pub(super) fn roll_back(&mut self) {
        while let Some(Undo { table, key, before }) = self.undo.pop() {
            let changes = self.tables.entry(table).or_default();
            match before {
                Some(change) => changes.insert(key, change),
                None => changes.remove(&key),
            };
        }
    }

    /// All that was kept, by table; tables without a change are left out.
    pub(super) fn into_changes(mut self) -> BTreeMap<&'static str, Changes> {
        self.roll_back();
        self.tables.retain(|_, changes| !changes.is_empty());
        self.tables
    }
}

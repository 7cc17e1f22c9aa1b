//! What may be done inside `read` and `write`? Typed gets and scans in both ([`Reads`]), changes only in [`WriteTx`].
//!
//! A [`ReadTx`] sees the database as it was at one commit. A [`WriteTx`] sees the last commit plus what the jobs before
//! it in its group have written; the database itself changes only when the whole group is committed.

use super::error::StoreError;
use super::key::{AsKey, Key, MAX_KEY_BYTES, decode_key, encode_key};
use super::overlay::{Change, Changes, Overlay};
use super::record::{Record, decode_record, encode_record};
use super::table::{ByteScan, Scan, Table};
use redb::{ReadOnlyTable, ReadTransaction, TableDefinition, TableError};
use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::rc::Rc;

/// What both kinds of transaction can do.
pub trait Reads: RawReads {
    /// The row with this key.
    fn get<K: Key, V: Record>(
        &self,
        table: Table<K, V>,
        key: &(impl AsKey<K> + ?Sized),
    ) -> Result<Option<V>, StoreError> {
        let mut found = Ok(None);
        self.raw_get(table.name(), &encode_key(key), &mut |bytes| found = decode_value(table, bytes).map(Some))?;
        found
    }

    /// Whether there is a row with this key.
    fn contains<K: Key, V: Record>(
        &self,
        table: Table<K, V>,
        key: &(impl AsKey<K> + ?Sized),
    ) -> Result<bool, StoreError> {
        let mut found = false;
        self.raw_get(table.name(), &encode_key(key), &mut |_| found = true)?;
        Ok(found)
    }

    /// The rows that `scan` describes, in its order.
    fn scan<K: Key, V: Record>(&self, table: Table<K, V>, scan: Scan<K>) -> Result<Vec<(K, V)>, StoreError> {
        let mut rows = Vec::new();
        self.visit(table, scan, |key, value| {
            rows.push((key, value));
            Ok::<_, StoreError>(())
        })?;
        Ok(rows)
    }

    /// The keys of the rows that `scan` describes, in its order; the records are not looked at.
    fn keys<K: Key, V: Record>(&self, table: Table<K, V>, scan: Scan<K>) -> Result<Vec<K>, StoreError> {
        let mut keys = Vec::new();
        let mut outcome = Ok(());
        self.raw_scan(table.name(), &scan.into_bytes(), &mut |key, _| match decode_row_key(table, key) {
            Ok(key) => {
                keys.push(key);
                ControlFlow::Continue(())
            }
            Err(error) => {
                outcome = Err(error);
                ControlFlow::Break(())
            }
        })?;
        outcome.map(|()| keys)
    }

    /// Shows the rows that `scan` describes one by one, without collecting them, until `each` fails.
    fn visit<K: Key, V: Record, E: From<StoreError>>(
        &self,
        table: Table<K, V>,
        scan: Scan<K>,
        mut each: impl FnMut(K, V) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut outcome = Ok(());
        self.raw_scan(table.name(), &scan.into_bytes(), &mut |key, value| {
            outcome = decode_row_key(table, key)
                .and_then(|key| Ok((key, decode_value(table, value)?)))
                .map_err(E::from)
                .and_then(|(key, value)| each(key, value));
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        outcome
    }

    /// How many rows `scan` describes.
    fn count<K: Key, V: Record>(&self, table: Table<K, V>, scan: Scan<K>) -> Result<usize, StoreError> {
        let mut rows = 0;
        self.raw_scan(table.name(), &scan.into_bytes(), &mut |_, _| {
            rows += 1;
            ControlFlow::Continue(())
        })?;
        Ok(rows)
    }
}

/// What a transaction over plain bytes must offer; only this folder implements it.
pub trait RawReads: sealed::Sealed {
    #[doc(hidden)]
    fn raw_get(&self, table: &'static str, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<(), StoreError>;

    #[doc(hidden)]
    fn raw_scan(&self, table: &'static str, scan: &ByteScan, each: &mut EachRow<'_>) -> Result<(), StoreError>;
}

/// Takes a key and a value; says whether to go on.
pub type EachRow<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ReadTx {}
    impl Sealed for super::WriteTx {}
}

fn decode_value<K: Key, V: Record>(table: Table<K, V>, bytes: &[u8]) -> Result<V, StoreError> {
    decode_record(bytes)
        .map_err(|error| StoreError::UnreadableRow { table: table.name(), detail: error.to_string().into() })
}

fn decode_row_key<K: Key, V: Record>(table: Table<K, V>, bytes: &[u8]) -> Result<K, StoreError> {
    decode_key(bytes)
        .ok_or_else(|| StoreError::UnreadableRow { table: table.name(), detail: "its key is malformed".into() })
}

pub(super) type ByteTable<'name> = TableDefinition<'name, &'static [u8], &'static [u8]>;
/// `None`: nothing was ever written to it.
type MaybeTable = Option<Rc<ReadOnlyTable<&'static [u8], &'static [u8]>>>;

/// The database as it was at one commit.
pub struct ReadTx {
    snapshot: ReadTransaction,
    open: RefCell<Vec<(&'static str, MaybeTable)>>,
}

impl ReadTx {
    pub(super) fn new(snapshot: ReadTransaction) -> Self {
        Self { snapshot, open: RefCell::default() }
    }

    /// A table, opened once per transaction.
    fn table(&self, name: &'static str) -> Result<MaybeTable, StoreError> {
        if let Some((_, table)) = self.open.borrow().iter().find(|(open, _)| *open == name) {
            return Ok(table.clone());
        }
        let table = match self.snapshot.open_table(ByteTable::new(name)) {
            Ok(table) => Some(Rc::new(table)),
            Err(TableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(StoreError::engine(error)),
        };
        self.open.borrow_mut().push((name, table.clone()));
        Ok(table)
    }
}

impl Reads for ReadTx {}

impl RawReads for ReadTx {
    fn raw_get(&self, table: &'static str, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        if let Some(table) = self.table(table)?
            && let Some(row) = table.get(key).map_err(StoreError::engine)?
        {
            found(row.value());
        }
        Ok(())
    }

    fn raw_scan(&self, table: &'static str, scan: &ByteScan, each: &mut EachRow<'_>) -> Result<(), StoreError> {
        let Some(table) = self.table(table)?.filter(|_| scan.limit > 0) else { return Ok(()) };
        let mut rows = table.range::<&[u8]>(scan.bounds()).map_err(StoreError::engine)?;
        for _ in 0..scan.limit {
            let Some(row) = (if scan.backwards { rows.next_back() } else { rows.next() }) else { break };
            let (key, value) = row.map_err(StoreError::engine)?;
            if each(key.value(), value.value()).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for ReadTx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReadTx")
    }
}

/// The last commit, and what the jobs of the running group have written on top of it.
pub struct WriteTx {
    snapshot: ReadTx,
    overlay: Overlay,
}

impl WriteTx {
    pub(super) fn new(snapshot: ReadTx) -> Self {
        Self { snapshot, overlay: Overlay::default() }
    }

    /// Writes a row, whether or not there was one.
    pub fn put<K: Key, V: Record>(
        &mut self,
        table: Table<K, V>,
        key: &(impl AsKey<K> + ?Sized),
        value: &V,
    ) -> Result<(), StoreError> {
        let key = storable_key(table, key)?;
        let value = encode_record(value)
            .map_err(|error| StoreError::RecordTooLarge { table: table.name(), detail: error.to_string().into() })?;
        self.overlay.set(table.name(), key, Change::Written(value));
        Ok(())
    }

    /// Writes a row that must not be there yet ([`StoreError::AlreadyExists`]).
    pub fn insert_new<K: Key, V: Record>(
        &mut self,
        table: Table<K, V>,
        key: &(impl AsKey<K> + ?Sized),
        value: &V,
    ) -> Result<(), StoreError> {
        if self.contains(table, key)? {
            return Err(StoreError::AlreadyExists { table: table.name() });
        }
        self.put(table, key, value)
    }

    /// Changes a row in place and returns what `change` returns; `None` if there is no such row.
    pub fn change<K: Key, V: Record, R>(
        &mut self,
        table: Table<K, V>,
        key: &(impl AsKey<K> + ?Sized),
        change: impl FnOnce(&mut V) -> R,
    ) -> Result<Option<R>, StoreError> {
        let Some(mut value) = self.get(table, key)? else { return Ok(None) };
        let result = change(&mut value);
        self.put(table, key, &value)?;
        Ok(Some(result))
    }

    /// Removes a row; says whether there was one.
    pub fn remove<K: Key, V: Record>(
        &mut self,
        table: Table<K, V>,
        key: &(impl AsKey<K> + ?Sized),
    ) -> Result<bool, StoreError> {
        let existed = self.contains(table, key)?;
        if existed {
            self.overlay.set(table.name(), encode_key(key), Change::Removed);
        }
        Ok(existed)
    }

    /// Removes a row and returns what it was.
    pub fn take<K: Key, V: Record>(
        &mut self,
        table: Table<K, V>,
        key: &(impl AsKey<K> + ?Sized),
    ) -> Result<Option<V>, StoreError> {
        let value = self.get(table, key)?;
        if value.is_some() {
            self.overlay.set(table.name(), encode_key(key), Change::Removed);
        }
        Ok(value)
    }

    pub(super) fn keep(&mut self) {
        self.overlay.keep();
    }

    pub(super) fn roll_back(&mut self) {
        self.overlay.roll_back();
    }

    pub(super) fn into_changes(self) -> BTreeMap<&'static str, Changes> {
        self.overlay.into_changes()
    }
}

fn storable_key<K: Key, V: Record>(table: Table<K, V>, key: &(impl AsKey<K> + ?Sized)) -> Result<Vec<u8>, StoreError> {
    let key = encode_key(key);
    if key.len() > MAX_KEY_BYTES {
        return Err(StoreError::KeyTooLong { table: table.name(), bytes: key.len() });
    }
    Ok(key)
}

impl Reads for WriteTx {}

impl RawReads for WriteTx {
    fn raw_get(&self, table: &'static str, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        match self.overlay.get(table, key) {
            Some(Change::Written(value)) => found(value),
            Some(Change::Removed) => {}
            None => self.snapshot.raw_get(table, key, found)?,
        }
        Ok(())
    }

    /// Merges the rows of the snapshot with the changes; of two with the same key the change counts.
    fn raw_scan(&self, table: &'static str, scan: &ByteScan, each: &mut EachRow<'_>) -> Result<(), StoreError> {
        if scan.limit == 0 {
            return Ok(());
        }
        let mut left = scan.limit;
        let mut emit = |key: &[u8], value: &[u8]| {
            let go_on = each(key, value);
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { go_on }
        };
        let mut changes = self.overlay.range(table, scan.bounds());
        let mut next_change = || if scan.backwards { changes.next_back() } else { changes.next() };
        let mut change = next_change();
        let mut ended = ControlFlow::Continue(());

        let unlimited = ByteScan { limit: usize::MAX, from: scan.from.clone(), until: scan.until.clone(), ..*scan };
        self.snapshot.raw_scan(table, &unlimited, &mut |key, value| {
            while let Some((changed, new)) = change {
                let order = if scan.backwards { key.cmp(changed) } else { changed.cmp(key) };
                if order == Ordering::Greater {
                    break;
                }
                change = next_change();
                if let Change::Written(new) = new {
                    ended = emit(changed, new);
                }
                if order == Ordering::Equal || ended.is_break() {
                    return ended;
                }
            }
            ended = emit(key, value);
            ended
        })?;
        while let (Some((changed, new)), true) = (change, ended.is_continue()) {
            if let Change::Written(new) = new {
                ended = emit(changed, new);
            }
            change = next_change();
        }
        Ok(())
    }
}

impl std::fmt::Debug for WriteTx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WriteTx")
    }
}

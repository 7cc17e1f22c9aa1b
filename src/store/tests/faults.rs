//! Disks that fail or lose power: what was acknowledged survives, nothing is half there, reads go on.

use super::{NAMES, NOTES, user};
use crate::entropy::{SeededEntropy, random_bytes};
use crate::store::{Reads as _, Scan, Store, StoreError, Unavailable};
use redb::{Builder, StorageBackend};
use std::io;
use std::sync::{Arc, Mutex};

const SECTOR: usize = 512;

/// A disk that can be told to fail, and that knows which bytes a power cut may lose.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What a read sees.
    seen: Vec<u8>,
    /// What the last sync made durable.
    durable: Vec<u8>,
    /// What came after it.
    unsynced: Vec<Operation>,
    /// How many more writes, syncs and changes of length succeed.
    operations_left: Option<usize>,
    operations: usize,
}

#[derive(Debug)]
enum Operation {
    SetLength(usize),
    WriteSector(usize, Vec<u8>),
}

fn apply(operation: &Operation, bytes: &mut Vec<u8>) {
    match operation {
        Operation::SetLength(length) => bytes.resize(*length, 0),
        Operation::WriteSector(offset, data) => {
            // A write may reach the disk although the growth of the file before it did not.
            if bytes.len() < offset + data.len() {
                bytes.resize(offset + data.len(), 0);
            }
            bytes[*offset..offset + data.len()].copy_from_slice(data);
        }
    }
}

impl Disk {
    fn with(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State { seen: bytes.clone(), durable: bytes, ..State::default() })))
    }

    pub(crate) fn fail_after(&self, operations: usize) {
        self.0.lock().unwrap().operations_left = Some(operations);
    }

    /// What is on the disk after a power cut now: what was synced, and an arbitrary part of the rest, sector by sector.
    fn after_power_cut(&self, entropy: &SeededEntropy) -> Vec<u8> {
        let state = self.0.lock().unwrap();
        let mut bytes = state.durable.clone();
        for operation in &state.unsynced {
            if random_bytes::<1>(entropy)[0] < 128 {
                apply(operation, &mut bytes);
            }
        }
        bytes
    }

    /// Counts an operation; does it unless the disk fails by now.
    fn operate(&self, operations: Vec<Operation>) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.operations += 1;
        match &mut state.operations_left {
            Some(0) => return Err(io::Error::from(io::ErrorKind::StorageFull)),
            Some(left) => *left -= 1,
            None => {}
        }
        for operation in operations {
            apply(&operation, &mut state.seen);
            state.unsynced.push(operation);
        }
        Ok(())
    }

    /// A disk with the same bytes that does not fail.
    pub(crate) fn replaced(&self) -> Self {
        Self::with(self.0.lock().unwrap().seen.clone())
    }

    pub(crate) fn open(&self) -> Store {
        let mut builder = Builder::new();
        builder.set_check_integrity_on_open(true);
        Store::start(builder.create_with_backend(self.clone()).expect("the disk holds a sound database"))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        let state = self.0.lock().unwrap();
        let bytes = state.seen.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.operate(vec![Operation::SetLength(usize::try_from(len).unwrap())])
    }

    fn sync_data(&self) -> io::Result<()> {
        self.operate(Vec::new())?;
        let mut state = self.0.lock().unwrap();
        state.durable = state.seen.clone();
        state.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        let sectors = data.chunks(SECTOR).enumerate();
        self.operate(sectors.map(|(n, part)| Operation::WriteSector(offset + n * SECTOR, part.to_vec())).collect())
    }
}

/// One write of a day: a row in each of two tables, and every third time the removal of an older pair.
fn write(store: &Store, at: u64) -> Result<(), StoreError> {
    let padding = "x".repeat(usize::try_from(at % 7 * 400).unwrap());
    store.write(move |tx| {
        tx.put(NOTES, &(user(1), at), &padding)?;
        tx.put(NAMES, at.to_string().as_str(), &at)?;
        if at % 3 == 2 {
            tx.remove(NOTES, &(user(1), at - 2))?;
            tx.remove(NAMES, (at - 2).to_string().as_str())?;
        }
        Ok(())
    })
}

/// Which writes are visible; each is wholly there or not at all.
fn visible(store: &Store) -> Vec<u64> {
    store
        .read(|tx| {
            let notes: Vec<u64> = tx.keys(NOTES, Scan::all())?.into_iter().map(|(_, at)| at).collect();
            let mut names: Vec<u64> = tx.scan(NAMES, Scan::all())?.into_iter().map(|(_, at)| at).collect();
            names.sort_unstable();
            assert_eq!(notes, names, "half of a write");
            Ok::<_, StoreError>(notes)
        })
        .unwrap()
}

/// What is visible after the first `writes` writes.
fn expected(writes: u64) -> Vec<u64> {
    (0..writes).filter(|at| !(at % 3 == 0 && at + 2 < writes)).collect()
}

const DAY: u64 = 12;

fn fresh_disk() -> Disk {
    let disk = Disk::default();
    disk.open().close().unwrap();
    let bytes = disk.0.lock().unwrap().seen.clone();
    Disk::with(bytes)
}

#[test]
fn whatever_fails_and_whenever_the_power_goes_what_was_acknowledged_is_there() {
    let rehearsal = fresh_disk();
    let store = rehearsal.open();
    let opening = rehearsal.0.lock().unwrap().operations;
    (0..DAY).for_each(|at| write(&store, at).unwrap());
    assert_eq!(visible(&store), expected(DAY));
    let operations = rehearsal.0.lock().unwrap().operations - opening;
    assert!(operations > 40, "{operations} operations are too few to learn from");
    drop(store);

    let fresh = fresh_disk().0.lock().unwrap().seen.clone();
    for failing in 0..operations {
        let disk = Disk::with(fresh.clone());
        let store = disk.open();
        disk.fail_after(failing);
        let acknowledged = (0..DAY).take_while(|at| write(&store, *at).is_ok()).count() as u64;
        assert!(acknowledged < DAY, "operation {failing} failed and nobody noticed");

        assert!(!store.accepts_writes());
        assert_eq!(write(&store, 99), Err(StoreError::Unavailable(Unavailable::Failed)));
        assert_eq!(visible(&store), expected(acknowledged), "reads go on, and see what was acknowledged");

        let entropy = SeededEntropy::new(failing as u64);
        for _ in 0..4 {
            let image = disk.after_power_cut(&entropy);
            let found = visible(&Disk::with(image).open());
            // The write that failed may be found whole.
            assert!(
                found == expected(acknowledged) || found == expected(acknowledged + 1),
                "operation {failing}: {acknowledged} acknowledged, then found {found:?}"
            );
        }
        assert_eq!(store.close(), Err(StoreError::Unavailable(Unavailable::Failed)));
        let found = visible(&Disk::with(disk.0.lock().unwrap().seen.clone()).open());
        assert!(found == expected(acknowledged) || found == expected(acknowledged + 1));
    }
}

#[test]
fn a_refusal_that_rests_on_a_write_that_failed_is_not_given() {
    let disk = fresh_disk();
    let store = disk.open();
    let jobs: Vec<_> = (0..2).map(|_| |tx: &mut crate::store::WriteTx| tx.insert_new(NAMES, "once", &1)).collect();
    let waiting = super::while_the_writer_is_busy(&store, || {
        disk.fail_after(0);
        super::queue(&store, jobs)
    });
    // Without the failure the second would be told AlreadyExists.
    for thread in waiting {
        assert_eq!(thread.join().unwrap(), Err(StoreError::Unavailable(Unavailable::Failed)));
    }
}

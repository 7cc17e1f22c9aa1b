//! How is state kept? In typed tables over redb, read in snapshots and written by one thread that commits in groups.
//!
//! ```text
//! tables.rs       every table, on one screen          key.rs, record.rs   keys and values as versioned bytes
//! older.rs        records as they were before         transaction.rs      Reads, ReadTx, WriteTx
//! table.rs        Table, Scan
//! directory.rs    files, modes, instance, secret      writer.rs           the writer thread; queue.rs, overlay.rs
//! ```
//!
//! Invariants: a write that was answered with `Ok` is on the disk; a write that was not has no part of it there (save
//! [`Unavailable::Failed`], where it cannot be known); a missing, replaced or damaged database is never taken for an
//! empty one; nothing of redb leaves this folder. All of it blocks: the edges call it off the reactor.

mod directory;
mod error;
mod file_store;
mod files;
mod key;
mod older;
mod open_error;
mod overlay;
mod queue;
mod record;
mod table;
mod transaction;
mod writer;
pub mod tables;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use tests::Disk;

pub use directory::{DataDirectory, OpenedData};
pub use error::{StoreError, Unavailable};
pub use key::{AsKey, FixedWidth, Key, MAX_KEY_BYTES, PrefixOf, decode_key, encode_key};
pub use open_error::OpenError;
pub use record::{MAX_RECORD_BYTES, Record, UnreadableRecord, decode_body, decode_record, encode_record};
pub use table::{Scan, Table};
pub use transaction::{ReadTx, Reads, WriteTx};

use queue::Queue;
use redb::{Builder, Database, DatabaseError, backends::InMemoryBackend};
use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread::{JoinHandle, ThreadId};

/// The format of the whole database. A greater number in a file means a newer program.
pub const FORMAT: u64 = 1;

/// How much of a database in memory is held a second time, in bytes.
const MEMORY_CACHE_BYTES: usize = 1024 * 1024;

/// The store. Clones are the same store; the last one that is dropped closes it.
#[derive(Clone)]
pub struct Store(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
    writer_id: ThreadId,
}

/// What the handles and the writer thread have in common.
struct Shared {
    /// Read-locked only to begin a transaction; write-locked only to close.
    database: RwLock<Option<Database>>,
    queue: Queue<Box<dyn writer::Job>>,
    failed: AtomicBool,
    commits: AtomicU64,
    jobs: AtomicU64,
    /// The lock on the data directory, released after the database is closed.
    directory: Mutex<Option<File>>,
}

/// What the store has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreCounts {
    /// Groups that were committed.
    pub commits: u64,
    /// Jobs that were answered, whatever the answer.
    pub jobs: u64,
}

impl Store {
    /// The store of a new installation that is gone with its last handle: the same engine, over memory.
    pub fn in_memory() -> Self {
        let database = Builder::new()
            .set_cache_size(MEMORY_CACHE_BYTES)
            .create_with_backend(InMemoryBackend::new())
            .expect("memory is an empty database and does not fail");
        let store = Self::start(database);
        let fresh = store.write(|tx| tx.put(tables::SET_UP, &(), &tables::SetUp::FRESH));
        fresh.expect("memory does not fail");
        for count in [&store.0.shared.commits, &store.0.shared.jobs] {
            count.store(0, Ordering::Relaxed);
        }
        store
    }

    fn start(database: Database) -> Self {
        let shared = Arc::new(Shared {
            database: RwLock::new(Some(database)),
            queue: Queue::new(writer::LIMITS),
            failed: AtomicBool::new(false),
            commits: AtomicU64::new(0),
            jobs: AtomicU64::new(0),
            directory: Mutex::new(None),
        });
        let for_writer = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("store-writer".into())
            .stack_size(writer::STACK_BYTES)
            .spawn(move || writer::run(&for_writer))
            .expect("the system gives one thread at start-up");
        let writer_id = writer.thread().id();
        Self(Arc::new(Handle { shared, writer: Mutex::new(Some(writer)), writer_id }))
    }

    /// Holds a directory's lock until the database is closed.
    fn keep_until_closed(&self, lock: File) {
        *self.0.shared.directory.lock().unwrap_or_else(PoisonError::into_inner) = Some(lock);
    }

    /// Runs `look` on the database as it is now. Waits for no writer and for the disk only where a page is not cached.
    pub fn read<T, E: From<StoreError>>(&self, look: impl FnOnce(&ReadTx) -> Result<T, E>) -> Result<T, E> {
        look(&self.0.shared.snapshot()?)
    }

    /// Runs `work` on the writer thread and returns once its changes are on the disk. If `work` fails or panics it has
    /// changed nothing. Blocks for one or two commits, and refuses ([`StoreError::Unavailable`]) rather than wait for
    /// ever.
    ///
    /// `work` should only read and write rows: whatever is slow (hashing, parsing) belongs before it.
    pub fn write<T, E>(&self, work: impl FnOnce(&mut WriteTx) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        if std::thread::current().id() == self.0.writer_id {
            return Err(StoreError::NestedWrite.into());
        }
        if self.0.shared.has_failed() {
            return Err(StoreError::from(Unavailable::Failed).into());
        }
        let (job, ticket) = writer::job(work);
        self.0.shared.queue.push(job).map_err(StoreError::from)?;
        ticket.wait()?
    }

    /// Whether writes have a chance: no disk error so far, the writer lives, and nobody has closed the store.
    pub fn accepts_writes(&self) -> bool {
        !self.0.shared.has_failed() && !self.0.shared.queue.is_closed()
    }

    /// What the store has done since it was opened.
    pub fn counts(&self) -> StoreCounts {
        let shared = &self.0.shared;
        StoreCounts { commits: shared.commits.load(Ordering::Relaxed), jobs: shared.jobs.load(Ordering::Relaxed) }
    }

    /// Finishes what waits, takes nothing more and closes the database; reports what went wrong with the disk. Every
    /// handle is closed by it. Closing twice is fine.
    pub fn close(&self) -> Result<(), StoreError> {
        self.0.close()
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Handle {
    fn close(&self) -> Result<(), StoreError> {
        self.shared.queue.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The last handle may be dropped by a job: the thread cannot wait for itself, and ends on its own.
        if let Some(writer) = writer.filter(|writer| writer.thread().id() != std::thread::current().id()) {
            // It ends without an answer only if it panicked outside every job, which close() below survives.
            let _ = writer.join();
        }
        let database = self.shared.database.write().unwrap_or_else(PoisonError::into_inner).take();
        let closed = database.map_or(Ok(()), |database| match database.close() {
            Ok(()) => Ok(()),
            Err(DatabaseError::Storage(_)) if self.shared.has_failed() => Err(Unavailable::Failed.into()),
            Err(error) => Err(StoreError::engine(error)),
        });
        let lock = self.shared.directory.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(lock);
        closed
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Whoever wants to know how it went calls close().
        let _ = self.close();
    }
}

impl Shared {
    fn database(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Writing is over; says why in the log, once.
    fn fail(&self, detail: &str) -> StoreError {
        self.failed.store(true, Ordering::Release);
        tracing::error!(detail, "the store cannot write; writes are refused until a restart, reads go on");
        Unavailable::Failed.into()
    }

    fn count_commit(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    fn count_jobs(&self, jobs: usize) {
        self.jobs.fetch_add(jobs as u64, Ordering::Relaxed);
    }
}

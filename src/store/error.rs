//! What can go wrong between an operation and the database? One type; no error of the engine leaves the store.

use std::sync::Arc;

/// Why the store did not do what it was asked. An operation that sees one of these has changed nothing, except for
/// [`Unavailable::Failed`], where it cannot be known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// `insert_new` found a row with this key.
    #[error("table {table} already has a row with this key")]
    AlreadyExists {
        /// Where.
        table: &'static str,
    },
    /// A key is longer than [`super::MAX_KEY_BYTES`].
    #[error("a key of {bytes} bytes is too long for table {table}")]
    KeyTooLong {
        /// Where.
        table: &'static str,
        /// Its length.
        bytes: usize,
    },
    /// A record is larger than [`super::MAX_RECORD_BYTES`].
    #[error("a record of table {table} is too large or cannot be encoded: {detail}")]
    RecordTooLarge {
        /// Where.
        table: &'static str,
        /// How.
        detail: Arc<str>,
    },
    /// A stored key or record is not what this program writes.
    #[error("table {table} holds a row that cannot be read: {detail}")]
    UnreadableRow {
        /// Where.
        table: &'static str,
        /// How.
        detail: Arc<str>,
    },
    /// The store takes no work now.
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
    /// The job panicked; it left nothing behind.
    #[error("a write was given up because its code panicked")]
    Panicked,
    /// `write` was called by a job, which would wait for itself.
    #[error("a write cannot wait for another write")]
    NestedWrite,
    /// The engine could not read.
    #[error("the database cannot be read: {0}")]
    Engine(Arc<str>),
}

/// Why the store takes no work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Too many writes wait; this one was not begun.
    #[error("the store is busy; nothing was written, try again")]
    Busy,
    /// The store has been closed; nothing was written.
    #[error("the store is closed")]
    Closed,
    /// The disk failed, now or at an earlier write. Reads go on; writes wait for a restart. Of the writes that were
    /// under way when it happened none was acknowledged, but some may be found after the restart.
    #[error("the disk failed; writes are refused until Keyward is restarted with a disk that works")]
    Failed,
}

impl StoreError {
    pub(super) fn engine(error: impl Into<redb::Error>) -> Self {
        match error.into() {
            redb::Error::DatabaseClosed => Unavailable::Closed.into(),
            other => Self::Engine(other.to_string().into()),
        }
    }
}

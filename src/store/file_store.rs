//! How does a file become a store? [`create_database`] makes a file that was not there; [`open_database`] opens one
//! that was, verifies every page's checksum, and never makes one.

use super::Store;
use super::files;
use super::open_error::OpenError;
use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// How much of a file is held in memory at most, in bytes.
const FILE_CACHE_BYTES: usize = 32 * 1024 * 1024;

/// A store over a new file with mode 0600. Its name is not synced yet.
pub(super) fn create_database(path: &Path) -> Result<Store, OpenError> {
    let file = files::create_private(path)?;
    let backend = FileBackend::new(file).map_err(|error| refusal(path, error))?;
    open_with(path, |builder| builder.create_with_backend(backend))
}

/// A store over an existing file.
pub(super) fn open_database(path: &Path) -> Result<Store, OpenError> {
    open_with(path, |builder| builder.set_check_integrity_on_open(true).open(path))
}

fn open_with(
    path: &Path,
    open: impl FnOnce(&mut Builder) -> Result<Database, DatabaseError>,
) -> Result<Store, OpenError> {
    let mut builder = Builder::new();
    builder.set_cache_size(FILE_CACHE_BYTES);
    // The engine trusts a file more than we do: what it trips over in a damaged one is a refusal too.
    let opened = catch_unwind(AssertUnwindSafe(|| open(&mut builder)));
    match opened {
        Ok(Ok(database)) => Ok(Store::start(database)),
        Ok(Err(error)) => Err(refusal(path, error)),
        Err(_) => Err(OpenError::damaged(path, "the engine gave up on it")),
    }
}

fn refusal(path: &Path, error: DatabaseError) -> OpenError {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            OpenError::InUse { path: path.into(), process: None }
        }
        DatabaseError::Storage(StorageError::Io(error))
            if !matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
        {
            OpenError::io("open", path)(error)
        }
        other => OpenError::damaged(path, other),
    }
}

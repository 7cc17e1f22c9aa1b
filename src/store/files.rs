//! How are files kept private? Made with mode 0600 from the first moment, refused where another user may read them. And
//! whole? Written and synced under another name, put in place by a rename; the caller syncs the directory.

use super::open_error::OpenError;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// The mode bits of everybody but the owner.
const OTHERS: u32 = 0o077;
/// More than any file that is read here has.
const MAX_TEXT_BYTES: u64 = 1024;

/// Makes a directory that only its owner enters, if it is not there. Its name is not synced yet.
pub(super) fn create_directory(path: &Path) -> Result<(), OpenError> {
    if exists(path)? {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(OpenError::io("create", path))
}

/// Refuses what another user owns or may read.
pub(super) fn require_private(path: &Path) -> Result<(), OpenError> {
    let metadata = path.metadata().map_err(OpenError::io("look at", path))?;
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        return Err(OpenError::OtherOwner { path: path.into(), owner: metadata.uid(), user });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & OTHERS != 0 {
        let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
        return Err(OpenError::ReadableByOthers { path: path.into(), mode, wanted });
    }
    Ok(())
}

/// Whether there is something with this name.
pub(super) fn exists(path: &Path) -> Result<bool, OpenError> {
    path.try_exists().map_err(OpenError::io("look at", path))
}

/// Locks a directory against a second process, for as long as the file lives.
pub(super) fn lock_directory(path: &Path) -> Result<File, OpenError> {
    let directory = File::open(path).map_err(OpenError::io("open", path))?;
    match directory.try_lock() {
        Ok(()) => Ok(directory),
        Err(TryLockError::WouldBlock) => {
            Err(OpenError::InUse { path: path.into(), process: process_that_locked(&directory) })
        }
        // Some network file systems lock no directories; the engine's own lock on the database remains.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(directory),
        Err(TryLockError::Error(error)) => Err(OpenError::io("lock", path)(error)),
    }
}

/// The process that holds a lock on this file, where the system tells (Linux's `/proc/locks`).
fn process_that_locked(file: &File) -> Option<u32> {
    let metadata = file.metadata().ok()?;
    let (major, minor) = (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
    let place = format!("{major:02x}:{minor:02x}:{}", metadata.ino());
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        // 1: FLOCK  ADVISORY  WRITE 4711 fe:01:131078 0 EOF
        let mut fields = line.split_ascii_whitespace().skip(4);
        let process: u32 = fields.next()?.parse().ok()?;
        (fields.next()? == place && process > 0).then_some(process)
    })
}

/// A new, empty file that only its owner reads; it must not be there yet.
pub(super) fn create_private(path: &Path) -> Result<File, OpenError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(OpenError::io("create", path))
}

/// A private file with this text, on the disk; an older one is replaced. Its name is not synced yet.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), OpenError> {
    remove_if_there(path)?;
    let mut file = create_private(path)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(OpenError::io("write", path))
}

/// Gives a file another name, in one step.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), OpenError> {
    std::fs::rename(from, to).map_err(OpenError::io("put in place", to))
}

/// The text of a short private file.
pub(super) fn read_private(path: &Path) -> Result<String, OpenError> {
    require_private(path)?;
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_TEXT_BYTES).read_to_string(&mut text))
        .map_err(OpenError::io("read", path))?;
    Ok(text)
}

/// Removes what an unfinished start left.
pub(super) fn remove_if_there(path: &Path) -> Result<(), OpenError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), OpenError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(OpenError::io("sync", path))
}

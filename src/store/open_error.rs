//! Why was the data not opened? Each refusal is a sentence that names the file and says what to do. After
//! it the data is as it was.

use crate::id::InstanceId;
use std::io;
use std::path::{Path, PathBuf};

/// Why a data directory or database was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Other users may read it.
    #[error("{} can be read by other users (mode {mode:04o}); run: chmod {wanted:o} '{}'", path.display(), path.display())]
    ReadableByOthers {
        /// The directory or file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode it must have.
        wanted: u32,
    },
    /// It belongs to somebody else, who may therefore read and replace it.
    #[error(
        "{} belongs to user {owner}, but Keyward runs as user {user}; start it as user {owner} or run: chown {user} '{}'",
        path.display(), path.display()
    )]
    OtherOwner {
        /// The directory or file.
        path: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who this process is.
        user: u32,
    },
    /// It is not a directory.
    #[error("{} is not a directory; give the data a directory of its own", path.display())]
    NotADirectory {
        /// What stands there.
        path: PathBuf,
    },
    /// Another process has it open.
    #[error(
        "{} is in use by {}; stop it first, or give this one another data directory",
        path.display(), name_process(*process)
    )]
    InUse {
        /// The directory or file.
        path: PathBuf,
        /// The other process, if the system tells.
        process: Option<u32>,
    },
    /// A database without its instance file.
    #[error(
        "there is a database {} but no instance file {} beside it; put back the file of the same backup",
        database.display(), instance.display()
    )]
    InstanceFileMissing {
        /// The database.
        database: PathBuf,
        /// What is missing.
        instance: PathBuf,
    },
    /// An instance file without its database.
    #[error(
        "{} says that a database was here, but {} is missing; is the volume mounted? Put the database back, or, to \
         begin anew and lose everything, remove {}",
        instance.display(), database.display(), instance.display()
    )]
    DatabaseMissing {
        /// What is missing.
        database: PathBuf,
        /// The instance file.
        instance: PathBuf,
    },
    /// The two do not belong together.
    #[error(
        "{} belongs to instance {in_file}, but {} to instance {in_database}; one of them was replaced: put back the \
         files of one backup",
        instance.display(), database.display()
    )]
    InstanceMismatch {
        /// The instance file.
        instance: PathBuf,
        /// The instance it names.
        in_file: InstanceId,
        /// The database.
        database: PathBuf,
        /// The instance it names.
        in_database: InstanceId,
    },
    /// The instance file holds something else.
    #[error("{} is not an instance file; put it back from a backup", path.display())]
    InstanceUnreadable {
        /// The file.
        path: PathBuf,
    },
    /// A database, but no master secret.
    #[error(
        "the master secret of this database is missing: {} is not there and none is configured; put it back, for the \
         signing keys cannot be opened without it",
        path.display()
    )]
    MasterSecretMissing {
        /// Where it would be.
        path: PathBuf,
    },
    /// The file holds something else.
    #[error("{} does not hold a master secret (43 characters of base64url); put it back from a backup", path.display())]
    MasterSecretUnreadable {
        /// The file.
        path: PathBuf,
    },
    /// Another installation's master secret.
    #[error("{source_of_secret} is not the master secret that {} was made with", database.display())]
    WrongMasterSecret {
        /// Where it was taken from: a path, or "the configured master secret".
        source_of_secret: String,
        /// The database.
        database: PathBuf,
    },
    /// Made by a newer program.
    #[error(
        "{} has format {found}, this Keyward knows formats up to {known}; use the newer version that wrote it",
        path.display()
    )]
    NewerFormat {
        /// The database.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest known one.
        known: u64,
    },
    /// Not, or no longer, a database of Keyward's.
    #[error("{} is damaged or is not a Keyward database ({detail}); it was left as it is: restore a backup", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// How it was noticed.
        detail: String,
    },
    /// The operating system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// A verb.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl OpenError {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.into(), source }
    }

    pub(super) fn damaged(path: &Path, detail: impl std::fmt::Display) -> Self {
        Self::Damaged { path: path.into(), detail: detail.to_string() }
    }
}

fn name_process(process: Option<u32>) -> String {
    process.map_or_else(|| "another process".to_owned(), |id| format!("process {id}"))
}

//! Where does an installation keep its data, and is it really its own? In a private directory with three files:
//!
//! | File | What |
//! | --- | --- |
//! | `keyward.redb` | the database |
//! | `instance` | the instance id, as in the database: shows that neither was swapped or lost |
//! | `master.key` | the master secret, unless it comes from the configuration |
//!
//! Invariants: an existing installation is opened whole or not at all, and nothing is ever made in place of a part that
//! is missing. A first start that is cut off at any moment leaves a directory in which the next one succeeds: the
//! database is made under another name and gets its own only after the instance file is on the disk.

use super::file_store::{create_database, open_database};
use super::files;
use super::open_error::OpenError;
use super::tables::{DATABASE_FORMAT, META, Meta, SET_UP, SetUp};
use super::transaction::Reads as _;
use super::{FORMAT, Store, StoreError};
use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::id::InstanceId;
use crate::secret::{MasterSecret, hmac_sha256};
use std::fs::File;
use std::path::{Path, PathBuf};
use subtle::ConstantTimeEq;

/// A private directory that no other process uses.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    lock: File,
}

/// An installation's data, opened.
#[derive(Debug)]
pub struct OpenedData {
    /// The store.
    pub store: Store,
    /// The secret that all symmetric keys are derived from.
    pub master: MasterSecret,
    /// What this installation is called.
    pub instance: InstanceId,
    /// Whether it was made just now.
    pub first_start: bool,
}

impl DataDirectory {
    /// Makes the directory if it is not there (mode 0700), refuses one that others may read, and locks it.
    pub fn prepare(path: &Path) -> Result<Self, OpenError> {
        files::create_directory(path)?;
        if !path.is_dir() {
            return Err(OpenError::NotADirectory { path: path.into() });
        }
        files::require_private(path)?;
        Ok(Self { path: path.into(), lock: files::lock_directory(path)? })
    }

    /// Opens the installation in it, or makes one if there is none. `configured` is a master secret from elsewhere; then
    /// `master.key` is neither read nor made.
    pub fn open(
        self,
        configured: Option<MasterSecret>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<OpenedData, OpenError> {
        let (database, instance) = (self.database(), self.instance_file());
        let opened = match (files::exists(&database)?, files::exists(&instance)?) {
            (true, true) => self.open_existing(&database, configured)?,
            (true, false) => return Err(OpenError::InstanceFileMissing { database, instance }),
            (false, true) if files::exists(&self.unfinished())? => {
                // The first start was cut off just before its last step.
                let opened = self.open_existing(&self.unfinished(), configured)?;
                self.finish()?;
                opened
            }
            (false, true) => return Err(OpenError::DatabaseMissing { database, instance }),
            (false, false) => self.create(configured, now, entropy)?,
        };
        opened.store.keep_until_closed(self.lock);
        Ok(opened)
    }

    fn database(&self) -> PathBuf {
        self.path.join("keyward.redb")
    }

    /// The database until the instance file is there.
    fn unfinished(&self) -> PathBuf {
        self.path.join("keyward.redb.new")
    }

    fn instance_file(&self) -> PathBuf {
        self.path.join("instance")
    }

    fn secret_file(&self) -> PathBuf {
        self.path.join("master.key")
    }

    fn create(
        &self,
        configured: Option<MasterSecret>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<OpenedData, OpenError> {
        let master = match (configured, files::exists(&self.secret_file())?) {
            (Some(configured), _) => configured,
            // Put there by hand, or by a first start that was cut off.
            (None, true) => self.read_secret()?,
            (None, false) => {
                let master = MasterSecret::generate(entropy);
                files::write_private(&self.secret_file(), master.to_text().expose())?;
                master
            }
        };
        let unfinished = self.unfinished();
        files::remove_if_there(&unfinished)?;
        let instance = InstanceId::generate(now, entropy);
        let meta = Meta { instance, created_at: now, master_check: master_check(&master, instance) };
        let store = create_database(&unfinished)?;
        store
            .write(move |tx| {
                tx.put(DATABASE_FORMAT, &(), &FORMAT)?;
                tx.put(SET_UP, &(), &SetUp::FRESH)?;
                tx.put(META, &(), &meta)
            })
            .map_err(|error: StoreError| OpenError::damaged(&unfinished, error))?;
        files::sync_directory(&self.path)?;
        files::write_private(&self.instance_file(), &format!("{instance}\n"))?;
        files::sync_directory(&self.path)?;
        self.finish()?;
        Ok(OpenedData { store, master, instance, first_start: true })
    }

    fn finish(&self) -> Result<(), OpenError> {
        let database = self.database();
        std::fs::rename(self.unfinished(), &database).map_err(OpenError::io("put in place", &database))?;
        files::sync_directory(&self.path)
    }

    fn open_existing(&self, database: &Path, configured: Option<MasterSecret>) -> Result<OpenedData, OpenError> {
        files::require_private(database)?;
        let instance_file = self.instance_file();
        let instance: InstanceId = files::read_private(&instance_file)?
            .trim_end()
            .parse()
            .map_err(|_| OpenError::InstanceUnreadable { path: instance_file.clone() })?;
        let (master, source_of_secret) = match configured {
            Some(configured) => (configured, "the configured master secret".to_owned()),
            None => (self.read_secret()?, self.secret_file().display().to_string()),
        };

        let store = open_database(database)?;
        let meta = read_meta(&store, database)?;
        if meta.instance != instance {
            return Err(OpenError::InstanceMismatch {
                instance: instance_file,
                in_file: instance,
                database: database.into(),
                in_database: meta.instance,
            });
        }
        if !bool::from(master_check(&master, instance).ct_eq(&meta.master_check)) {
            return Err(OpenError::WrongMasterSecret { source_of_secret, database: database.into() });
        }
        Ok(OpenedData { store, master, instance, first_start: false })
    }

    fn read_secret(&self) -> Result<MasterSecret, OpenError> {
        let path = self.secret_file();
        if !files::exists(&path)? {
            return Err(OpenError::MasterSecretMissing { path });
        }
        let text = zeroize::Zeroizing::new(files::read_private(&path)?);
        MasterSecret::parse(&text).map_err(|_| OpenError::MasterSecretUnreadable { path })
    }
}

/// What the database says it is, once its format is known to be readable.
fn read_meta(store: &Store, path: &Path) -> Result<Meta, OpenError> {
    let unreadable = |error: StoreError| OpenError::damaged(path, error);
    match store.read(|tx| tx.get(DATABASE_FORMAT, &())).map_err(unreadable)? {
        Some(FORMAT) => {}
        Some(found) if found > FORMAT => {
            return Err(OpenError::NewerFormat { path: path.into(), found, known: FORMAT });
        }
        Some(found) => return Err(OpenError::damaged(path, format_args!("there never was a format {found}"))),
        None => return Err(OpenError::damaged(path, "it does not say which format it has")),
    }
    store
        .read(|tx| tx.get(META, &()))
        .map_err(unreadable)?
        .ok_or_else(|| OpenError::damaged(path, "it does not say which instance it belongs to"))
}

/// A value that only this master secret yields for this instance, and that tells nothing about it.
fn master_check(master: &MasterSecret, instance: InstanceId) -> [u8; 32] {
    hmac_sha256(master.derive("keyward/master-check/1").expose(), &[instance.as_bytes()])
}

//! Where does an installation keep its data, and is it really its own? In a private directory with three files:
//!
//! | File | What |
//! | --- | --- |
//! | `keyward.redb` | the database |
//! | `instance` | the instance id, as in the database: shows that neither was swapped or lost |
//! | `master.key` | the master secret, unless it comes from the configuration |
//!
//! A running server also has its socket `control` there.
//!
//! Invariants: an existing installation is opened whole or not at all, and nothing is ever made in place of a part that
//! is missing. A first start that is cut off at any moment leaves a directory in which the next one succeeds: database
//! and instance file are made under other names and get their own when both are on the disk.

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
        let (unfinished_database, unfinished_instance) = (unfinished(&database), unfinished(&instance));
        let there = |path: &Path| files::exists(path);
        let opened = match (there(&database)?, there(&instance)?) {
            (true, true) => self.open_existing(&database, &instance, configured)?,
            (false, false) => self.create(configured, now, entropy)?,
            // The first start was cut off while it put the two in place.
            (false, true) if there(&unfinished_database)? => {
                let opened = self.open_existing(&unfinished_database, &instance, configured)?;
                self.put_in_place(&database)?;
                opened
            }
            (true, false) if there(&unfinished_instance)? => {
                let opened = self.open_existing(&database, &unfinished_instance, configured)?;
                self.put_in_place(&instance)?;
                opened
            }
            (false, true) => return Err(OpenError::DatabaseMissing { database, instance }),
            (true, false) => return Err(OpenError::InstanceFileMissing { database, instance }),
        };
        opened.store.keep_until_closed(self.lock);
        Ok(opened)
    }

    fn database(&self) -> PathBuf {
        self.path.join("keyward.redb")
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
        let (database, instance_file, secret_file) = (self.database(), self.instance_file(), self.secret_file());
        let (master, made_here) = match (configured, files::exists(&secret_file)?) {
            (Some(configured), _) => (configured, false),
            // Put there by hand, or by a first start that was cut off.
            (None, true) => (self.read_secret()?, false),
            (None, false) => (MasterSecret::generate(entropy), true),
        };
        let instance = InstanceId::generate(now, entropy);
        let meta = Meta { instance, created_at: now, master_check: master_check(&master, instance) };

        // Each part waits for the disk several times: two threads wait half as long.
        let store = std::thread::scope(|scope| {
            let small_files = scope.spawn(|| {
                files::sync_directory(&self.path.join(".."))?;
                if made_here {
                    files::write_private(&unfinished(&secret_file), master.to_text().expose())?;
                    files::rename(&unfinished(&secret_file), &secret_file)?;
                }
                files::write_private(&unfinished(&instance_file), &format!("{instance}\n"))
            });
            let store = new_database(&unfinished(&database), meta);
            small_files.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            store
        })?;
        files::sync_directory(&self.path)?;
        files::rename(&unfinished(&instance_file), &instance_file)?;
        self.put_in_place(&database)?;
        Ok(OpenedData { store, master, instance, first_start: true })
    }

    fn put_in_place(&self, path: &Path) -> Result<(), OpenError> {
        files::rename(&unfinished(path), path)?;
        files::sync_directory(&self.path)
    }

    fn open_existing(
        &self,
        database: &Path,
        instance_file: &Path,
        configured: Option<MasterSecret>,
    ) -> Result<OpenedData, OpenError> {
        files::require_private(database)?;
        let instance: InstanceId = files::read_private(instance_file)?
            .trim_end()
            .parse()
            .map_err(|_| OpenError::InstanceUnreadable { path: instance_file.into() })?;
        let (master, source_of_secret) = match configured {
            Some(configured) => (configured, "the configured master secret".to_owned()),
            None => (self.read_secret()?, self.secret_file().display().to_string()),
        };

        let store = open_database(database)?;
        let meta = read_meta(&store, database)?;
        if meta.instance != instance {
            return Err(OpenError::InstanceMismatch {
                instance: instance_file.into(),
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

/// What a file is called until it is whole and durable.
fn unfinished(path: &Path) -> PathBuf {
    path.with_added_extension("new")
}

fn new_database(path: &Path, meta: Meta) -> Result<Store, OpenError> {
    files::remove_if_there(path)?;
    let store = create_database(path)?;
    store
        .write(move |tx| {
            tx.put(DATABASE_FORMAT, &(), &FORMAT)?;
            tx.put(SET_UP, &(), &SetUp::FRESH)?;
            tx.put(META, &(), &meta)
        })
        .map_err(|error: StoreError| OpenError::damaged(path, error))?;
    Ok(store)
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

//! Files: what is opened, what is refused, and that a refusal changes nothing.

use super::{notes, put};
use crate::clock::Timestamp;
use crate::entropy::{Entropy as _, SeededEntropy};
use crate::secret::MasterSecret;
use crate::store::tables::{DATABASE_FORMAT, META};
use crate::store::{DataDirectory, FORMAT, OpenError, OpenedData, Reads as _, Scan};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A directory under a temporary one, with what tests do to it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With an installation in it that has one note.
    fn installed() -> Self {
        let place = Self::new();
        let opened = place.open().unwrap();
        assert!(opened.first_start);
        put(&opened.store, 1, 1, "kept").unwrap();
        opened.store.close().unwrap();
        place
    }

    fn directory(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    fn open_as(&self, seed: u64, configured: Option<MasterSecret>) -> Result<OpenedData, OpenError> {
        let now = Timestamp::from_unix_seconds(1_790_000_000);
        DataDirectory::prepare(&self.directory())?.open(configured, now, &SeededEntropy::new(seed))
    }

    fn open(&self) -> Result<OpenedData, OpenError> {
        self.open_as(1, None)
    }

    fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let entries = fs::read_dir(self.directory()).unwrap();
        entries.map(|entry| entry.unwrap().path()).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }

    /// The sentence of the refusal, without the temporary path; no file has changed. (The engine writes to a sound
    /// database that it opens, but nothing that can be read.)
    fn refusal(&self) -> String {
        let before = self.contents();
        let refusal = self.open().unwrap_err();
        let mut after = self.contents();
        if matches!(refusal, OpenError::InstanceMismatch { .. } | OpenError::WrongMasterSecret { .. }) {
            after.insert(self.file("keyward.redb"), before[&self.file("keyward.redb")].clone());
        }
        assert!(before == after, "a refusal changed a file: {refusal}");
        let refusal = refusal.to_string();
        refusal.replace(&self.directory().display().to_string(), "DATA")
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_first_start_makes_private_files_and_a_second_one_finds_them() {
    let place = Place::new();
    let first = place.open().unwrap();
    assert!(first.first_start);
    assert_eq!(mode(&place.directory()), 0o700);
    let names: Vec<_> =
        place.contents().into_keys().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["instance", "keyward.redb", "master.key"]);
    assert!(names.iter().all(|name| mode(&place.file(name)) == 0o600));
    put(&first.store, 1, 1, "kept").unwrap();
    first.store.close().unwrap();

    let second = place.open_as(2, None).unwrap();
    assert!(!second.first_start);
    assert_eq!(second.instance, first.instance);
    assert_eq!(second.master.derive("x").expose(), first.master.derive("x").expose());
    assert_eq!(notes(&second.store, Scan::all()), ["kept"]);
    assert!(second.store.read(|tx| tx.get(META, &())).unwrap().is_some_and(|meta| meta.instance == first.instance));
}

#[test]
fn dropping_the_last_handle_closes_too() {
    let place = Place::new();
    let opened = place.open().unwrap();
    let clone = opened.store.clone();
    put(&clone, 1, 1, "kept").unwrap();
    drop(opened);
    assert!(matches!(place.open(), Err(OpenError::InUse { .. })));
    drop(clone);
    assert_eq!(notes(&place.open().unwrap().store, Scan::all()), ["kept"]);
}

#[test]
fn a_second_opener_is_told_who_was_first() {
    let place = Place::new();
    let opened = place.open().unwrap();
    let who = if cfg!(target_os = "linux") {
        format!("process {}", std::process::id())
    } else {
        "another process".to_owned()
    };
    assert_eq!(
        place.refusal(),
        format!("DATA is in use by {who}; stop it first, or give this one another data directory")
    );
    drop(opened);
    place.open().unwrap();
}

#[test]
fn what_others_may_read_is_refused_with_the_command_to_run() {
    let place = Place::installed();
    Place::chmod(&place.directory(), 0o750);
    assert_eq!(place.refusal(), "DATA can be read by other users (mode 0750); run: chmod 700 'DATA'");
    Place::chmod(&place.directory(), 0o700);
    for name in ["keyward.redb", "instance", "master.key"] {
        Place::chmod(&place.file(name), 0o640);
        let expected = format!("DATA/{name} can be read by other users (mode 0640); run: chmod 600 'DATA/{name}'");
        assert_eq!(place.refusal(), expected);
        Place::chmod(&place.file(name), 0o600);
    }
    place.open().unwrap();
}

#[test]
fn a_database_and_its_instance_file_stay_together() {
    let place = Place::installed();
    let instance = fs::read(place.file("instance")).unwrap();
    fs::remove_file(place.file("instance")).unwrap();
    assert!(place.refusal().starts_with("there is a database DATA/keyward.redb but no instance file DATA/instance"));

    fs::write(place.file("instance"), "ins_00000000000000000000000000\n").unwrap();
    Place::chmod(&place.file("instance"), 0o600);
    assert!(place.refusal().starts_with("DATA/instance belongs to instance ins_00000000000000000000000000, but"));
    fs::write(place.file("instance"), "").unwrap();
    assert!(place.refusal().starts_with("DATA/instance is not an instance file"));

    fs::write(place.file("instance"), instance).unwrap();
    let database = fs::read(place.file("keyward.redb")).unwrap();
    fs::remove_file(place.file("keyward.redb")).unwrap();
    assert!(place.refusal().starts_with("DATA/instance says that a database was here, but DATA/keyward.redb is"));

    fs::write(place.file("keyward.redb"), database).unwrap();
    Place::chmod(&place.file("keyward.redb"), 0o600);
    assert_eq!(notes(&place.open().unwrap().store, Scan::all()), ["kept"]);
}

#[test]
fn another_installations_database_is_refused() {
    let (place, other) = (Place::installed(), Place::new());
    other.open_as(9, None).unwrap().store.close().unwrap();
    fs::copy(other.file("keyward.redb"), place.file("keyward.redb")).unwrap();
    let refusal = place.refusal();
    assert!(refusal.starts_with("DATA/instance belongs to instance ins_"), "{refusal}");
    assert!(refusal.ends_with("one of them was replaced: put back the files of one backup"), "{refusal}");
}

#[test]
fn a_database_opens_only_with_the_master_secret_that_it_was_made_with() {
    let place = Place::installed();
    let right = fs::read_to_string(place.file("master.key")).unwrap();
    let wrong = MasterSecret::generate(&SeededEntropy::new(77));

    fs::write(place.file("master.key"), wrong.to_text().expose()).unwrap();
    assert_eq!(place.refusal(), "DATA/master.key is not the master secret that DATA/keyward.redb was made with");
    fs::write(place.file("master.key"), "short").unwrap();
    assert!(place.refusal().starts_with("DATA/master.key does not hold a master secret"));
    fs::remove_file(place.file("master.key")).unwrap();
    assert!(place.refusal().starts_with("the master secret of this database is missing: DATA/master.key is not there"));

    let refused = place.open_as(1, Some(wrong)).unwrap_err().to_string();
    assert!(refused.starts_with("the configured master secret is not the master secret that"), "{refused}");
    place.open_as(1, Some(MasterSecret::parse(&right).unwrap())).unwrap();
    assert!(!place.file("master.key").exists());
}

#[test]
fn a_configured_master_secret_is_written_nowhere() {
    let place = Place::new();
    let secret = MasterSecret::generate(&SeededEntropy::new(5));
    place.open_as(1, Some(secret.clone())).unwrap().store.close().unwrap();
    assert!(!place.file("master.key").exists());
    let text = secret.to_text();
    let kept =
        place.contents().into_values().any(|bytes| bytes.windows(43).any(|window| window == text.expose().as_bytes()));
    assert!(!kept);
}

#[test]
fn a_newer_format_is_refused() {
    let place = Place::new();
    let opened = place.open().unwrap();
    opened.store.write(|tx| tx.put(DATABASE_FORMAT, &(), &(FORMAT + 1))).unwrap();
    opened.store.close().unwrap();
    drop(opened);
    let refusal = place.open().unwrap_err().to_string();
    assert!(refusal.ends_with("has format 2, this Keyward knows formats up to 1; use the newer version that wrote it"));
}

/// The states in which a first start can be cut off, in order.
#[test]
fn a_first_start_that_was_cut_off_is_started_again() {
    let whole = Place::installed();
    let states: &[(&[&str], bool)] = &[
        (&["master.key.new"], true),
        (&["master.key", "instance.new"], true),
        (&["master.key", "instance.new", "keyward.redb.new"], true),
        (&["master.key", "instance", "keyward.redb.new"], false),
        (&["master.key", "instance.new", "keyward.redb"], false),
        (&["master.key", "instance", "keyward.redb"], false),
    ];
    for (names, anew) in states {
        let place = Place::new();
        fs::create_dir(place.directory()).unwrap();
        Place::chmod(&place.directory(), 0o700);
        for name in *names {
            fs::copy(whole.file(name.trim_end_matches(".new")), place.file(name)).unwrap();
        }
        let opened = place.open_as(2, None).unwrap();
        assert_eq!(opened.first_start, *anew);
        opened.store.close().unwrap();
        drop(opened);
        assert!(place.contents().into_keys().all(|path| path.extension().is_none_or(|extension| extension != "new")));
        assert!(!place.open_as(3, None).unwrap().first_start);
    }
}

#[test]
fn a_truncated_emptied_or_foreign_database_is_never_an_empty_one() {
    let place = Place::installed();
    let whole = fs::read(place.file("keyward.redb")).unwrap();
    let mut cuts: Vec<usize> = (0..whole.len()).step_by(4096).collect();
    cuts.extend([1, 9, 100, 511, 4095, whole.len() - 1]);
    for cut in cuts {
        fs::write(place.file("keyward.redb"), &whole[..cut]).unwrap();
        let refusal = place.refusal();
        assert!(refusal.starts_with("DATA/keyward.redb is damaged or is not a Keyward database"), "{cut}: {refusal}");
    }
    for content in [&b"SQLite format 3\0"[..], &[0; 10_000], &[0xff; 10_000]] {
        fs::write(place.file("keyward.redb"), content).unwrap();
        assert!(place.refusal().starts_with("DATA/keyward.redb is damaged"));
    }
    drop(redb::Database::create(place.0.path().join("empty")).unwrap());
    fs::copy(place.0.path().join("empty"), place.file("keyward.redb")).unwrap();
    Place::chmod(&place.file("keyward.redb"), 0o600);
    let refusal = place.open().unwrap_err().to_string();
    assert!(refusal.contains("(it does not say which format it has)"), "{refusal}");
}

#[test]
fn a_database_with_flipped_bits_opens_right_or_not_at_all() {
    let place = Place::new();
    let opened = place.open().unwrap();
    let expected: Vec<_> = (0..200).map(|at| format!("note {at}")).collect();
    for (at, text) in expected.iter().enumerate() {
        put(&opened.store, 1, at as u64, text).unwrap();
    }
    opened.store.close().unwrap();
    drop(opened);
    let whole = fs::read(place.file("keyward.redb")).unwrap();
    let entropy = SeededEntropy::new(11);
    let (mut refused, mut opened) = (0, 0);
    for round in 0..120_usize {
        let mut random = [0; 8];
        entropy.fill(&mut random);
        let anywhere = usize::try_from(u64::from_be_bytes(random) >> 16).unwrap();
        // Every other flip in the header, where most of the meaning is.
        let place_of_flip = if round % 2 == 0 { anywhere % 512 } else { anywhere % whole.len() };
        let mut damaged = whole.clone();
        damaged[place_of_flip] ^= 1 << (random[7] % 8);
        fs::write(place.file("keyward.redb"), &damaged).unwrap();
        match place.open() {
            Ok(data) => {
                assert_eq!(notes(&data.store, Scan::all()), expected, "byte {place_of_flip}");
                opened += 1;
            }
            Err(OpenError::Damaged { .. }) => refused += 1,
            Err(other) => panic!("byte {place_of_flip}: {other}"),
        }
    }
    assert!(refused > 10 && opened > 10, "{refused} refused, {opened} opened");
}

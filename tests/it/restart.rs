//! The real program on a real disk: first start, kill -9, start again.

use crate::support::{Person, Served, free_address, make_token, set_up};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn a_revocation_survives_kill_9_and_is_known_to_the_first_request() {
    let data = tempfile::tempdir().unwrap();
    let (directory, address) = (data.path().join("keyward"), free_address());
    let served = Served::start(&directory, address);
    let mut person = set_up(&served);
    let (kept_id, kept) = make_token(&served, &mut person, "kept");
    let (id, token) = make_token(&served, &mut person, "revoked");
    assert_ne!(kept_id, id);
    assert_eq!(served.call(&token).status, 200);
    let revoke = format!("/dashboard/api-keys/{id}/revoke");
    let page = person.get(&served, &revoke);
    assert_eq!(person.submit(&served, &page, &revoke, &[]).status, 303);
    served.kill();

    let served = Served::start(&directory, address);
    let refused = served.call(&token);
    assert_eq!(refused.status, 401, "the first request after the start");
    assert!(refused.head.contains("revoked"), "{}", refused.head);
    assert_eq!(served.call(&kept).status, 200);
    assert_eq!(person.get(&served, "/dashboard").status, 200, "the session is still there");
}

#[test]
fn a_stop_writes_down_what_was_used_last() {
    let data = tempfile::tempdir().unwrap();
    let (directory, address) = (data.path().join("keyward"), free_address());
    let served = Served::start(&directory, address);
    let mut person = set_up(&served);
    let (_, token) = make_token(&served, &mut person, "laptop");
    let last_use = |served: &Served, person: &mut Person| {
        let list = person.get(served, "/dashboard/api-keys").body;
        (list.contains("never"), list.contains("127.0.0.1"))
    };
    assert_eq!(last_use(&served, &mut person), (true, false));
    assert_eq!(served.call(&token).status, 200);
    served.stop();

    let served = Served::start(&directory, address);
    assert_eq!(last_use(&served, &mut person), (false, true));
}

#[test]
fn the_door_to_the_first_account_closes_for_ever() {
    let data = tempfile::tempdir().unwrap();
    let (directory, address) = (data.path().join("keyward"), free_address());
    let served = Served::start(&directory, address);
    let old_link = served.lines.iter().find(|line| line.contains("/setup?secret=")).unwrap().clone();
    served.kill();

    let served = Served::start(&directory, address);
    let path = |link: &str| link.strip_prefix(&format!("http://{address}")).unwrap().to_owned();
    assert_eq!(Person::default().get(&served, &path(&old_link)).status, 404, "an earlier link is void");
    assert_eq!(Person::default().get(&served, "/setup").status, 404);
    set_up(&served);
    let link = served.lines.iter().find(|line| line.contains("/setup?secret=")).unwrap();
    assert_eq!(Person::default().get(&served, &path(link)).status, 404);
    served.kill();

    let served = Served::start(&directory, address);
    assert!(!served.lines.iter().any(|line| line.contains("setup")), "{:?}", served.lines);
}

#[test]
fn a_missing_or_strange_database_is_a_refusal_and_never_a_new_one() {
    let data = tempfile::tempdir().unwrap();
    let (directory, address) = (data.path().join("keyward"), free_address());
    let served = Served::start(&directory, address);
    set_up(&served);
    let second = refused(&directory, free_address());
    assert!(second.contains("in use"), "{second}");
    served.kill();

    let database = directory.join("keyward.redb");
    let whole = std::fs::read(&database).unwrap();
    for (what, bytes) in [("missing", None), ("empty", Some(&[][..])), ("cut", Some(&whole[..whole.len() / 2]))] {
        std::fs::remove_file(&database).unwrap();
        if let Some(bytes) = bytes {
            std::fs::write(&database, bytes).unwrap();
            make_private(&database);
        }
        let text = refused(&directory, address);
        assert!(text.contains("keyward.redb"), "{what}: {text}");
        std::fs::write(&database, &whole).unwrap();
        make_private(&database);
    }
    Served::start(&directory, address);
}

fn make_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// What a start that must not succeed says.
fn refused(data: &Path, address: SocketAddr) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_keyward"))
        .args(["serve", "--listen", &address.to_string(), "--data-dir"])
        .arg(data)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

//! What does whoever holds the data directory get done while the server runs?

use crate::support::{Appliance, Person, Served, call, free_address, make_token, set_up};
use keyward::account::user::Username;
use keyward::app::Caller;
use keyward::clock::hours;
use keyward::control::{self, MAX_REQUEST_BYTES, Request};
use keyward::keys::KeyState;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Where a server has its data and its address.
struct Place {
    _folder: TempDir,
    data: PathBuf,
    address: SocketAddr,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { data: folder.path().join("keyward"), _folder: folder, address: free_address() }
    }

    fn start(&self) -> Served {
        Served::start(&self.data, self.address)
    }

    fn socket(&self) -> PathBuf {
        control::socket_path(&self.data)
    }

    /// What a command prints that succeeds.
    #[track_caller]
    fn told(&self, words: &[&str]) -> String {
        self.run(words).unwrap_or_else(|refusal| panic!("{words:?}: {refusal}"))
    }

    /// The sentence of a command that does not.
    #[track_caller]
    fn refused(&self, words: &[&str]) -> String {
        self.run(words).expect_err("a refusal")
    }

    fn run(&self, words: &[&str]) -> Result<String, String> {
        let command = Command::new(env!("CARGO_BIN_EXE_keyward"))
            .args(words)
            .arg("--data-dir")
            .arg(&self.data)
            .env("KEYWARD_LOG", "off")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        match command.status.code() {
            Some(0) => Ok(text(command.stdout)),
            Some(1) => Err(text(command.stderr)),
            code => panic!("{words:?}: {code:?} {}", text(command.stderr)),
        }
    }

    /// The line that the server answers to these bytes.
    fn answer(&self, sent: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // Who has heard enough closes, and sending fails.
        let _ = stream.write_all(sent);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line
    }
}

/// The id of the key that a list shows in this state.
fn key_in_state(list: &str, state: &str) -> String {
    let line = list.lines().find(|line| line.contains(state)).unwrap_or_else(|| panic!("{state} in {list}"));
    line.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_token_that_is_revoked_beside_the_running_server_is_refused_at_the_next_request_and_after_a_restart() {
    let place = Place::new();
    let served = place.start();
    let mut person = set_up(&served);
    let (_, kept) = make_token(&served, &mut person, "kept");
    let (id, token) = make_token(&served, &mut person, "laptop");
    assert_eq!(served.call(&token).status, 200);

    assert_eq!(place.told(&["tokens", "revoke", &id]), format!("The token {id} (laptop) is revoked.\n"));
    let refused = served.call(&token);
    assert_eq!(refused.status, 401, "the very next request");
    assert!(refused.head.contains("revoked"), "{}", refused.head);
    assert_eq!(served.call(&kept).status, 200);
    served.kill();

    let served = place.start();
    assert_eq!(served.call(&token).status, 401);
    assert_eq!(served.call(&kept).status, 200);
}

#[test]
fn a_command_says_the_same_whether_the_server_runs_or_not() {
    let place = Place::new();
    let commands: [&[&str]; 6] = [
        &["tokens", "revoke", "tok_00000000000000000000000000"],
        &["users", "reset-password", "nobody"],
        &["users", "reset-link", "nobody"],
        &["users", "disable", "nobody"],
        &["keys", "condemn", "key_00000000000000000000000000"],
        &["keys", "rotate"],
    ];
    let refusals = || commands.map(|words| place.refused(words));
    let ids = || {
        let list = place.told(&["keys", "list"]);
        ["active: signing since", "next: published"].map(|state| key_in_state(&list, state))
    };
    let served = place.start();
    let running = (refusals(), ids());
    served.stop();
    assert_eq!(running, (refusals(), ids()));
    assert!(running.0[0].contains("no such token"), "{:?}", running.0);
}

#[test]
fn a_key_that_is_condemned_beside_the_running_server_verifies_nothing_at_the_next_request() {
    let place = Place::new();
    let served = place.start();
    let (_, token) = make_token(&served, &mut set_up(&served), "laptop");
    let list = place.told(&["keys", "list"]);
    let (active, next) = (key_in_state(&list, "active:"), key_in_state(&list, "next:"));
    place.told(&["keys", "condemn", &active]);
    assert_eq!(served.call(&token).status, 401);
    let list = place.told(&["keys", "list"]);
    assert_eq!(key_in_state(&list, "condemned:"), active);
    assert_eq!(key_in_state(&list, "active:"), next, "another key signs now");
    let published = served.send("GET", "/.well-known/jwks.json", &[], "").body;
    assert!(published.contains(&next) && !published.contains(&active), "{published}");
}

#[test]
fn a_password_that_is_reset_beside_the_running_server_ends_sessions_and_stands_in_no_log() {
    let place = Place::new();
    let log = place.data.with_extension("log");
    let served = Served::start_logging(&place.data, place.address, File::create(&log).unwrap());
    let mut person = set_up(&served);
    assert_eq!(person.get(&served, "/dashboard").status, 200);

    let told = place.told(&["users", "reset-password", "ADA"]);
    let password = told.split_whitespace().find(|word| word.matches('-').count() == 2).unwrap().trim_end_matches('.');
    assert_eq!(person.get(&served, "/dashboard").status, 303, "the session is over");
    let mut person = Person::default();
    let mut sign_in = |password: &str| {
        let page = person.get(&served, "/login");
        person.submit(&served, &page, "/login", &[("username", "ada"), ("password", password)]).status
    };
    assert_ne!(sign_in("four quiet random words"), 303, "the old one");
    assert_eq!(sign_in(password), 303, "the new one");
    served.stop();
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("users reset-password") && !log.contains(password), "{log}");
}

#[test]
fn people_are_looked_after_beside_the_running_server() {
    let place = Place::new();
    let served = place.start();
    let mut person = set_up(&served);
    let (_, token) = make_token(&served, &mut person, "laptop");
    assert_eq!(place.told(&["users", "list"]), "ada  admin\n");
    assert!(place.refused(&["users", "disable", "ada"]).contains("only admin who can sign in"));
    assert_eq!(served.call(&token).status, 200);

    let told = place.told(&["users", "reset-link", "ADA"]);
    let link = told.split_whitespace().find(|word| word.starts_with("http")).unwrap();
    let path = link.split_once("/reset").map(|(_, rest)| format!("/reset{rest}")).unwrap();
    assert_eq!(person.get(&served, "/dashboard").status, 200, "a link alone changes nothing");
    let mut other = Person::default();
    let page = other.get(&served, &path);
    assert_eq!(page.status, 200);
    let fields = [("password", "a lantern over the harbour"), ("password_again", "a lantern over the harbour")];
    assert_eq!(other.submit(&served, &page, "/reset", &fields).status, 303);
    assert_eq!(person.get(&served, "/dashboard").status, 303, "the sessions are over");
    assert_eq!(served.call(&token).status, 200, "tokens are not");
    assert_eq!(other.get(&served, &path).status, 410);
}

#[test]
fn nonsense_on_the_socket_is_answered_and_the_server_goes_on() {
    let place = Place::new();
    let served = place.start();
    let metadata = fs::symlink_metadata(place.socket()).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);

    let long = "x".repeat(MAX_REQUEST_BYTES + 1);
    let long_and_ended = format!("{}\n", "x".repeat(MAX_REQUEST_BYTES * 4));
    for (sent, part) in [
        ("GET / HTTP/1.1\r\n\r\n", "This is no request"),
        ("\n", "This is no request"),
        ("{\"version\":3,\"request\":\"stop\"}\n", "This is no request"),
        ("{\"version\":7,\"request\":{\"fetch\":\"tea\"}}\n", "takes requests of version 3"),
        (&long, "at most 65536 bytes"),
        (&long_and_ended, "at most 65536 bytes"),
        ("{\"version\":3,\"request\":\"list_keys\"}", "did not end"),
        ("{\"version\":3,\"request\":\"list_keys\"}\n", "{\"version\":3,\"answer\":{\"done\":\"key_"),
        ("", ""),
    ] {
        let answer = place.answer(sent.as_bytes());
        assert!(answer.contains(part), "{answer} to {sent:.60}");
    }
    // More who say nothing than there are places: they are let go, and the one who asks is heard.
    let silent: Vec<UnixStream> = (0..6).map(|_| UnixStream::connect(place.socket()).unwrap()).collect();
    assert!(place.told(&["keys", "list"]).contains("active:"));
    assert_eq!(served.send("GET", "/readyz", &[], "").status, 200);
    drop(silent);
    let waiting = UnixStream::connect(place.socket()).unwrap();
    served.stop();
    drop(waiting);
    assert!(!place.socket().exists(), "the file is gone with the server");
}

#[test]
fn what_a_killed_server_left_is_in_nobodys_way() {
    let place = Place::new();
    place.start().kill();
    assert!(place.socket().exists(), "kill -9 leaves the file");
    assert!(place.told(&["keys", "list"]).contains("active:"), "nobody listens: the data is opened");
    let served = place.start();
    assert!(place.answer(b"{\"version\":3,\"request\":\"list_keys\"}\n").contains("active:"));
    served.stop();
}

#[test]
fn a_locked_directory_on_which_nobody_listens_is_left_alone() {
    let place = Place::new();
    place.start().stop();
    let lock = File::open(&place.data).unwrap();
    lock.lock().unwrap();
    let refusal = place.refused(&["keys", "rotate"]);
    for part in ["in use by process", "Nothing was done", "no server listens", "try again in a moment"] {
        assert!(refusal.contains(part), "{part}: {refusal}");
    }
}

#[test]
fn a_path_that_is_too_long_for_a_socket_is_a_warning_and_the_server_serves() {
    let mut place = Place::new();
    let folder = place.data.with_file_name("d".repeat(100));
    fs::create_dir(&folder).unwrap();
    place.data = folder.join("keyward");
    let log = folder.join("log");
    let served = Served::start_logging(&place.data, place.address, File::create(&log).unwrap());
    assert_eq!(served.send("GET", "/readyz", &[], "").status, 200);
    assert!(place.refused(&["keys", "list"]).contains("stop it first"));
    served.stop();
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("only while it is stopped") && log.contains("shorter path"), "{log}");
    assert!(place.told(&["keys", "list"]).contains("active:"));
}

#[test]
fn what_is_in_memory_has_no_socket() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Command::new(env!("CARGO_BIN_EXE_keyward"))
        .arg("fixture")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(fixture.status.success());
    assert_eq!(listing(folder.path()), 0);
}

fn listing(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[tokio::test]
async fn each_request_does_what_it_says() {
    let appliance = Appliance::new();
    let app = &appliance.app;
    let (id, token) = appliance.personal_token("laptop");
    call(&appliance, &token).await.expect(200);
    let told = control::perform(&Request::RevokeToken { id }, app).unwrap();
    assert_eq!(told, format!("The token {id} (laptop) is revoked.\n"));
    call(&appliance, &token).await.expect(401);

    let told = control::perform(&Request::ResetPassword { name: Username::parse("Ada").unwrap() }, app).unwrap();
    let password = told.split_whitespace().find(|word| word.matches('-').count() == 2).unwrap().trim_end_matches('.');
    assert!(app.sign_in("ada", password, None, &Caller::default()).is_ok());

    let (_, token) = appliance.personal_token("desk");
    let list = || control::perform(&Request::ListKeys, app).unwrap();
    let first = key_in_state(&list(), "active: signing since just now");
    appliance.advance(hours(2));
    control::perform(&Request::RotateKeys, app).unwrap();
    assert_eq!(key_in_state(&list(), "retired: signed until just now, verifies until"), first);
    call(&appliance, &token).await.expect(200);
    control::perform(&Request::CondemnKey { id: first.parse().unwrap() }, app).unwrap();
    call(&appliance, &token).await.expect(401);
    assert!(app.signing_keys().unwrap().iter().any(|key| matches!(key.state, KeyState::Condemned { .. })));
}

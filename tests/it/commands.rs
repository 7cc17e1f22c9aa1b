//! What does the executable do when it is started, told to stop, or given something wrong?

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

/// A running `keyward`, killed if the test ends before it does.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

fn keyward(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KEYWARD_")) {
        command.env_remove(name);
    }
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn start(words: &[&str]) -> Running {
    let mut child = keyward(words).spawn().expect("the executable starts");
    let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    Running { child, stdout }
}

fn refusal(words: &[&str]) -> String {
    let Output { status, stderr, stdout } = keyward(words).output().expect("the executable starts");
    assert_eq!(status.code(), Some(1), "{}", String::from_utf8_lossy(&stdout));
    let stderr = String::from_utf8(stderr).expect("text");
    let sentence = stderr.lines().find_map(|line| line.strip_prefix("keyward: ")).map(str::to_owned);
    sentence.unwrap_or_else(|| panic!("no sentence: {stderr}"))
}

impl Running {
    /// The first line that contains `part`.
    fn line(&mut self, part: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).expect("text") > 0, "ended without {part:?}: {seen}");
            if line.contains(part) {
                return line.trim().to_owned();
            }
            seen.push_str(&line);
        }
    }

    fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("the process is ours");
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().expect("the process is ours").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(url: &str, path: &str) -> String {
    let address = url.strip_prefix("http://").expect("a URL");
    let mut stream = TcpStream::connect(address).expect("a listener");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").expect("a listener");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer
}

fn serve_words(data: &Path) -> Vec<String> {
    let data = data.to_str().expect("a plain path");
    ["serve", "--data-dir", data, "--listen", "127.0.0.1:0"].map(str::to_owned).to_vec()
}

fn url_of_ready_line(line: &str) -> String {
    line.split_whitespace().find(|word| word.starts_with("http://")).expect("a URL").to_owned()
}

#[test]
fn a_fixture_says_in_one_line_where_it_is_and_ends_with_its_input() {
    let mut fixture = start(&["fixture", "--port", "0"]);
    let line = fixture.line("");
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    let text = |key: &str| ready[key].as_str().unwrap_or_else(|| panic!("{key} in {line}")).to_owned();

    let url = text("url");
    assert_eq!(text("mcp_url"), format!("{url}/mcp"));
    assert!(!text("username").is_empty() && text("password").len() >= 8);
    assert!(text("personal_token").starts_with("eyJ0eXAiOiJwYXQrand0IiwiYWxnIjoiRWREU0EiLCJraWQiOiJr"));
    let key = ready["signing_key"].as_object().unwrap();
    assert_eq!((&key["kty"], &key["crv"], &key["use"]), (&"OKP".into(), &"Ed25519".into(), &"sig".into()));
    assert!(key["d"].is_string() && key["x"].is_string() && key["kid"].is_string());
    assert_eq!(ready["pid"].as_u64(), Some(u64::from(fixture.child.id())));
    for path in ["/healthz", "/readyz", "/.well-known/oauth-authorization-server"] {
        let answer = get(&url, path);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("x-request-id: req_"), "{path}: {answer}");
    }

    drop(fixture.child.stdin.take());
    assert_eq!(fixture.exit_code(), Some(0));
    let (mut rest, mut log) = (String::new(), String::new());
    fixture.stdout.read_to_string(&mut rest).unwrap();
    fixture.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert_eq!((rest.as_str(), log.as_str()), ("", ""), "one line, and no log");
}

#[test]
fn a_fixture_takes_a_configuration_file_and_stays_on_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keyward.toml");
    let path = file.to_str().unwrap();
    fs::write(&file, "public_url = \"https://mcp.example.org\"").unwrap();
    assert!(refusal(&["fixture", "--config", path]).contains("is not loopback"));
    fs::write(&file, "[tokens]\npersonal_token_live = \"1d\"").unwrap();
    assert!(refusal(&["fixture", "--config", path]).contains("did you mean tokens.personal_token_life?"));
    fs::write(&file, "log = \"info\"\nlog_format = \"json\"").unwrap();
    let mut fixture = start(&["fixture", "--config", path]);
    fixture.line("\"url\"");
    fixture.terminate();
    assert_eq!(fixture.exit_code(), Some(0));
    let mut log = String::new();
    fixture.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
    assert!(log.contains("\"serving\"") && log.contains("\"stopping\""), "{log}");
}

#[test]
fn a_demo_prints_all_that_is_needed_to_try_it() {
    let mut demo = start(&["demo", "--port", "0"]);
    let dashboard = demo.line("Dashboard");
    demo.line("Password");
    demo.line("The demo is ready");
    let url = url_of_ready_line(&dashboard);
    assert!(get(url.strip_suffix("/dashboard").unwrap(), "/healthz").starts_with("HTTP/1.1 200"));
    demo.terminate();
    assert_eq!(demo.exit_code(), Some(0));
}

#[test]
fn serve_makes_a_private_installation_and_finds_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let words = serve_words(&data);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();

    let mut first = start(&words);
    let link = first.line("/setup?secret=kwi_");
    let ready = first.line("Keyward is ready");
    assert!(link.starts_with(&url_of_ready_line(&ready)), "{link}");
    assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in fs::read_dir(&data).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
    let second = refusal(&words);
    assert!(second.contains("data"), "a second process on the same data: {second}");
    assert!(get(&url_of_ready_line(&ready), "/readyz").starts_with("HTTP/1.1 200"));
    first.terminate();
    assert_eq!(first.exit_code(), Some(0));

    let mut again = start(&words);
    let new_link = again.line("/setup?secret=kwi_");
    assert_ne!(new_link, link, "the earlier link is void");
    again.line("Keyward is ready");
    again.terminate();
    assert_eq!(again.exit_code(), Some(0));
}

#[test]
fn serve_refuses_what_is_not_safe_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let path = data.to_str().unwrap();
    let serve = |words: &[&str]| refusal(&[&["serve", "--data-dir", path], words].concat());

    assert!(serve(&["--public-url", "http://mcp.example.org"]).contains("use https"));
    assert!(serve(&["--listen", "0.0.0.0:0"]).contains("--public-url https://"));
    assert!(serve(&["--listen", "everywhere"]).contains("127.0.0.1:8080"));
    assert!(serve(&["--config", "/nowhere/keyward.toml"]).contains("cannot read"));
    assert!(!data.exists(), "a refusal leaves nothing behind");

    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(serve(&["--listen", "127.0.0.1:0"]).contains("chmod"));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert!(serve(&["--listen", &address]).contains("Another program uses this port"));
}

#[test]
fn help_and_version_are_for_people() {
    let told = |words: &[&str]| {
        let output = keyward(words).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    for words in [&["--help"][..], &["help"], &[]] {
        let help = told(words);
        for part in ["serve", "demo", "fixture", "Examples:", "keyward serve --public-url https://mcp.example.org"] {
            assert!(help.contains(part), "{part} in {help}");
        }
    }
    assert_eq!(told(&["--version"]).trim(), concat!("keyward ", env!("CARGO_PKG_VERSION")));
    assert!(told(&["fixture", "--help"]).contains("signing_key"));
    assert!(told(&["serv"]).contains("serve"), "a slip is answered with the nearest command");
}

#[test]
fn whoever_holds_the_data_directory_can_rescue_a_stopped_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let path = data.to_str().unwrap();
    let told = |words: &[&str]| {
        let output = keyward(&[words, &["--data-dir", path]].concat()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let keys = || told(&["keys", "list"]);
    let key_in_state = |state: &str| {
        let list = keys();
        let line = list.lines().find(|line| line.contains(state)).unwrap_or_else(|| panic!("{state} in {list}"));
        line.split_whitespace().next().unwrap().to_owned()
    };

    let refused = |words: &[&str]| refusal(&[words, &["--data-dir", path]].concat());
    assert!(refused(&["keys", "list"]).contains("there is no data"));
    assert!(!data.exists(), "a directory that was misspelt is not made");
    let words = serve_words(&data);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut running = start(&words);
    running.line("Keyward is ready");
    running.terminate();
    assert_eq!(running.exit_code(), Some(0));

    let (active, next) = (key_in_state("active:"), key_in_state("next:"));
    told(&["keys", "condemn", &active]);
    assert_eq!(key_in_state("condemned:"), active);
    assert_eq!(key_in_state("active:"), next, "another key signs now");

    assert!(refused(&["users", "reset-password", "nobody"]).contains("no such user"));
    assert!(refused(&["tokens", "revoke", "tok_00000000000000000000000000"]).contains("no such token"));
}

#[test]
fn a_check_walks_the_way_of_every_client_and_says_who_cannot_come_here() {
    let mut fixture = start(&["fixture", "--port", "0"]);
    let ready: serde_json::Value = serde_json::from_str(&fixture.line("")).unwrap();
    let url = ready["mcp_url"].as_str().unwrap();
    let mut check = keyward(&["check", url, "--token-file", "-"]).spawn().unwrap();
    check.stdin.take().unwrap().write_all(ready["personal_token"].as_str().unwrap().as_bytes()).unwrap();
    let Output { status, stdout, stderr } = check.wait_with_output().unwrap();
    let (told, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    // Whoever comes from the internet does not get to a loopback address; those on this machine get all the way.
    assert_eq!(status.code(), Some(1), "{told}");
    assert_eq!(stderr.trim(), "keyward: something is in the way of: Claude, ChatGPT");
    let way =
        |client: &str| told.split_once(&format!("{client}\n")).unwrap().1.split("\n\n").next().unwrap().to_owned();
    assert!(way("Claude").starts_with("  STOPS    address: the name leads to 127.0.0.1"), "{told}");
    for client in ["VS Code", "Cursor"] {
        let way = way(client);
        let mut steps = way.lines().take(6);
        assert!(steps.by_ref().all(|line| line.starts_with("  ok ")), "{told}");
        assert!(way.contains("ok       call: it works: 4 tools"), "{told}");
    }
    assert!(way("Cursor").contains("registration: it registers itself"), "{told}");

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = format!("http://{nobody}/mcp");
    assert_eq!(refusal(&["check", &gone]), "something is in the way of: Every client");
    let Output { status, stderr, .. } = keyward(&["check", "mcp.example.org"]).output().unwrap();
    assert_eq!(status.code(), Some(2), "clap says what a URL looks like");
    assert!(String::from_utf8(stderr).unwrap().contains("https://mcp.example.org/mcp"));
}

//! The real program on a real disk: first start, kill -9, start again.

use crate::support::post_forms;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// `keyward serve` on a data directory, killed when it goes out of scope.
struct Served {
    child: Child,
    address: SocketAddr,
    lines: Vec<String>,
}

struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Served {
    /// Starts and waits for the ready line.
    fn start(data: &Path, address: SocketAddr) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_keyward"))
            .args(["serve", "--listen", &address.to_string(), "--data-dir"])
            .arg(data)
            .env("KEYWARD_LIMITS_RATE_LIMITS", "false")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut served = Self { child: child.unwrap(), address, lines: Vec::new() };
        let mut output = BufReader::new(served.child.stdout.take().unwrap());
        while !served.lines.last().is_some_and(|line| line.contains("ready at")) {
            let mut line = String::new();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "it ended early: {:?}", served.lines);
            served.lines.push(line.trim().to_owned());
        }
        served
    }

    /// Ends the process at once: no handler of its own runs.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        for (name, value) in headers {
            write!(request, "{name}: {value}\r\n").unwrap();
        }
        write!(request, "content-length: {}\r\n\r\n{body}", body.len()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn call(&self, token: &str) -> Reply {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
        self.send("POST", "/mcp", &headers, &body)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A person's browser on a socket.
#[derive(Default)]
struct Person {
    cookies: BTreeMap<String, String>,
}

impl Person {
    fn get(&mut self, served: &Served, path: &str) -> Reply {
        let cookies = self.cookies();
        self.keep(served.send("GET", path, &[("cookie", &cookies), ("accept", "text/html")], ""))
    }

    /// Sends the form of a page for `action` with these fields set.
    fn submit(&mut self, served: &Served, page: &Reply, action: &str, fields: &[(&str, &str)]) -> Reply {
        let forms = post_forms(&page.body);
        let form = forms.iter().find(|form| form.action.as_deref() == Some(action));
        let form = form.unwrap_or_else(|| panic!("no form for {action}: {}", page.body));
        let kept = form.fields.iter().filter(|(name, _)| !fields.iter().any(|(set, _)| set == name));
        let all = kept.map(|(name, value)| (name.as_str(), value.as_str())).chain(fields.iter().copied());
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(all).finish();
        let (cookies, origin) = (self.cookies(), format!("http://{}", served.address));
        let headers =
            [("cookie", cookies.as_str()), ("origin", &origin), ("content-type", "application/x-www-form-urlencoded")];
        self.keep(served.send("POST", action, &headers, &body))
    }

    fn cookies(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, reply: Reply) -> Reply {
        for line in reply.head.lines() {
            if let Some(cookie) = line.strip_prefix("set-cookie: ") {
                let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        reply
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Sets up an admin by the link that the first start prints; the browser is signed in then.
fn set_up(served: &Served) -> Person {
    let link = served.lines.iter().find(|line| line.contains("/setup?secret=")).expect("the first start prints a link");
    let path = link.strip_prefix(&format!("http://{}", served.address)).unwrap();
    let mut person = Person::default();
    let page = person.get(served, path);
    let password = "four quiet random words";
    let fields = [("username", "ada"), ("password", password), ("password_again", password)];
    let reply = person.submit(served, &page, "/setup", &fields);
    assert_eq!(reply.status, 303, "{}", reply.body);
    person
}

/// Makes a personal token in the dashboard and reads it off the page.
fn make_token(served: &Served, person: &mut Person, name: &str) -> (String, String) {
    let page = person.get(served, "/dashboard/api-keys/new");
    let created = person.submit(served, &page, "/dashboard/api-keys/new", &[("name", name)]);
    let start = created.body.find("eyJ0eXAiOiJwYXQrand0").unwrap_or_else(|| panic!("{}", created.body));
    let token =
        created.body[start..].split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).next().unwrap();
    let list = person.get(served, "/dashboard/api-keys").body;
    let row = list.split("/dashboard/api-keys/").find(|part| part.starts_with("tok_") && part.contains("/revoke"));
    let id = row.unwrap().split('/').next().unwrap();
    (id.to_owned(), token.to_owned())
}

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

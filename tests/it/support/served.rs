//! The real program on a real disk, and a person's browser on a socket.

use super::html::post_forms;
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
pub struct Served {
    pub address: SocketAddr,
    /// What it printed until it was ready.
    pub lines: Vec<String>,
    child: Child,
}

/// An HTTP answer, read off the socket.
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Served {
    /// Starts and waits for the ready line.
    pub fn start(data: &Path, address: SocketAddr) -> Self {
        Self::start_logging(data, address, Stdio::null())
    }

    /// The same, with its log going there.
    pub fn start_logging(data: &Path, address: SocketAddr, log: impl Into<Stdio>) -> Self {
        Self::start_with(data, address, log, &[])
    }

    /// The same, configured by variables.
    pub fn start_with(data: &Path, address: SocketAddr, log: impl Into<Stdio>, variables: &[(&str, &str)]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_keyward"))
            .args(["serve", "--listen", &address.to_string(), "--data-dir"])
            .arg(data)
            .env("KEYWARD_LIMITS_RATE_LIMITS", "false")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn();
        let mut served = Self { address, lines: Vec::new(), child: child.unwrap() };
        let mut output = BufReader::new(served.child.stdout.take().unwrap());
        while !served.lines.last().is_some_and(|line| line.contains("ready at")) {
            let mut line = String::new();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "it ended early: {:?}", served.lines);
            served.lines.push(line.trim().to_owned());
        }
        served
    }

    /// Ends the process at once: no handler of its own runs.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Tells the process that the configuration file has changed.
    pub fn hang_up(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    }

    /// Asks the process to stop and waits for its end.
    pub fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }

    /// One request on a connection of its own.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
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

    /// Calls the MCP server.
    pub fn call(&self, token: &str) -> Reply {
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
pub struct Person {
    cookies: BTreeMap<String, String>,
}

impl Person {
    /// Opens a page.
    pub fn get(&mut self, served: &Served, path: &str) -> Reply {
        let cookies = self.cookies();
        self.keep(served.send("GET", path, &[("cookie", &cookies), ("accept", "text/html")], ""))
    }

    /// Sends the form of a page for `action` with these fields set.
    pub fn submit(&mut self, served: &Served, page: &Reply, action: &str, fields: &[(&str, &str)]) -> Reply {
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

/// An address that nobody uses at the moment.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Sets up an admin by the link that the first start prints; the browser is signed in then.
pub fn set_up(served: &Served) -> Person {
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
pub fn make_token(served: &Served, person: &mut Person, name: &str) -> (String, String) {
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

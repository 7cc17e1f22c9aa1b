//! The real program: what happens to the children when it ends, in whichever way.

use super::client::{is_alive, section};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// `keyward fixture` that serves the scripted child.
struct Fixture {
    program: Child,
    address: String,
    token: String,
    _file: tempfile::NamedTempFile,
}

impl Fixture {
    fn start() -> Self {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(section("", "").as_bytes()).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_keyward"))
            .args(["fixture", "--config"])
            .arg(file.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let address = ready["url"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
        let token = ready["personal_token"].as_str().unwrap().to_owned();
        Self { program, address, token, _file: file }
    }

    fn connect(&self, tool: &str) -> TcpStream {
        let call =
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {}}});
        let body = call.to_string();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(
            stream,
            "POST /mcp/scripted HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            self.token,
            body.len()
        )
        .unwrap();
        stream
    }

    fn tool(&self, tool: &str) -> String {
        self.try_tool(tool).unwrap_or_else(|answer| panic!("{answer}"))
    }

    /// What the tool says, or else the whole answer.
    fn try_tool(&self, tool: &str) -> Result<String, String> {
        let mut answer = String::new();
        self.connect(tool).read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
        body["result"]["content"][0]["text"].as_str().map(str::to_owned).ok_or(answer)
    }

    /// As [`Self::tool`], of a child that has just died: a call that comes before Keyward has heard of it fails with it.
    fn tool_of_the_next(&self, tool: &str) -> String {
        for _ in 0..50 {
            match self.try_tool(tool) {
                Ok(text) => return text,
                Err(answer) => assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}"),
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("no child follows");
    }

    /// The child and one that it has started itself.
    fn family(&self) -> [String; 2] {
        let family = [self.tool("pid"), self.tool("grandchild")];
        assert!(family.iter().all(|pid| is_alive(pid)));
        family
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn all_gone(family: &[String], within: Duration) {
    let pause = Duration::from_millis(10);
    let mut waited = Duration::ZERO;
    while family.iter().any(|pid| is_alive(pid)) {
        assert!(waited < within, "still there after {within:?}: {family:?}");
        std::thread::sleep(pause);
        waited += pause;
    }
}

#[test]
fn no_child_outlives_a_graceful_stop() {
    let mut fixture = Fixture::start();
    let family = fixture.family();
    let waiting = fixture.connect("never");
    std::thread::sleep(Duration::from_millis(200));
    drop(waiting);
    drop(fixture.program.stdin.take());
    assert!(fixture.program.wait().unwrap().success());
    all_gone(&family, Duration::from_millis(100));
}

#[test]
fn no_child_outlives_kill_9() {
    let mut fixture = Fixture::start();
    let family = fixture.family();
    let _working = fixture.connect("never");
    std::thread::sleep(Duration::from_millis(200));
    fixture.program.kill().unwrap();
    fixture.program.wait().unwrap();
    all_gone(&family, Duration::from_secs(5));
}

#[test]
fn a_client_that_hangs_up_leaves_the_others_alone() {
    let fixture = Fixture::start();
    let pid = fixture.tool("pid");
    for _ in 0..20 {
        drop(fixture.connect("slow"));
    }
    assert_eq!(fixture.tool("pid"), pid);
}

#[test]
fn nothing_outlives_its_supervisor() {
    for signal in ["-TERM", "-KILL"] {
        let fixture = Fixture::start();
        let family = fixture.family();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", family[0])).unwrap();
        let supervisor = stat.rsplit(") ").next().unwrap().split(' ').nth(1).unwrap();
        assert!(Command::new("kill").args([signal, supervisor]).status().unwrap().success());
        all_gone(&family, Duration::from_secs(5));
        assert_ne!(fixture.tool_of_the_next("pid"), family[0], "and a new child follows");
    }
}

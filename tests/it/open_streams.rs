//! Answers that go on for long: each ends soon after its request would no longer be admitted, and no other does.
//!
//! With which account, connection, group or key they end is part of [`crate::state_matrix`].

use crate::stdio::client::{PATH as SCRIPTED, section};
use crate::support::{Appliance, Events, Upstream, Wire};
use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward::clock::{Clock, Timestamp, days, minutes};
use keyward::gateway::{ANSWER_OUTLIVES_TOKEN, NOTICED_WITHIN};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::time::Instant;

const FILES: &str = "/mcp/files";
/// Until when a stream must have ended; the machine may be busy.
const SOON: Duration = NOTICED_WITHIN.saturating_mul(6);

/// An appliance that guards a server over HTTP and a program.
struct Story {
    appliance: Appliance,
    upstream: Upstream,
}

/// One that somebody has open.
pub(crate) struct Stream {
    what: &'static str,
    events: Events,
}

pub(crate) fn servers(upstream: &Upstream, files: &str, scripted: &str) -> String {
    format!("[servers.files]\nurl = \"{}\"\n{files}\n{}", upstream.url(), section(scripted, ""))
}

impl Story {
    fn new() -> Self {
        let upstream = Upstream::start();
        Self { appliance: Appliance::with_file(&servers(&upstream, "", "")), upstream }
    }

    fn wire(&self, token: &str) -> Wire {
        Wire::to(self.appliance.listen(), token)
    }

    /// Streams of all kinds that a client opens with this token.
    async fn open(&self, token: &str) -> Vec<Stream> {
        let wire = self.wire(token);
        let mut streams = open_files(&wire).await;
        streams.extend(open_scripted(&wire).await);
        streams
    }

    fn change(&self, files: &str, scripted: &str) {
        self.appliance.change_servers(&servers(&self.upstream, files, scripted));
    }
}

/// As many of them are open at the server.
pub(crate) const OF_FILES: usize = 3;

pub(crate) async fn open_files(wire: &Wire) -> Vec<Stream> {
    vec![
        Stream::of("GET from a server over HTTP", wire.send(Method::GET, FILES, &[], String::new()).await),
        Stream::of("a subscription at a server over HTTP", listen(wire, FILES).await),
        Stream::of("a call of a server over HTTP", wire.call(FILES, "steps", json!({"count": 3})).await),
    ]
}

pub(crate) async fn open_scripted(wire: &Wire) -> Vec<Stream> {
    let session = initialize(wire).await;
    let headers = [("mcp-session-id", session.as_str())];
    let heard = wire.send(Method::GET, SCRIPTED, &headers, String::new()).await;
    let listened = listen(wire, SCRIPTED).await;
    let params = json!({"name": "begin", "arguments": {}, "_meta": {"progressToken": 1}});
    let called = modern(wire, SCRIPTED, "tools/call", params, Some("begin")).await;
    let mut streams = vec![
        Stream::of("GET from a program", heard),
        Stream::of("a subscription at a program", listened),
        Stream::of("a call of a program", called),
    ];
    for stream in &mut streams[1..] {
        assert!(stream.events.next().await.unwrap().unwrap().contains("notifications/"), "{}", stream.what);
    }
    streams
}

async fn initialize(wire: &Wire) -> String {
    let client = json!({"name": "story", "version": "1"});
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
    wire.post(SCRIPTED, &hello, &[]).await.expect(200).header("mcp-session-id").to_owned()
}

async fn listen(wire: &Wire, path: &str) -> Events {
    let params = json!({"notifications": {"toolsListChanged": true}});
    modern(wire, path, "subscriptions/listen", params, None).await
}

async fn modern(wire: &Wire, path: &str, method: &str, mut params: Value, name: Option<&str>) -> Events {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    let message = json!({"jsonrpc": "2.0", "id": 2, "method": method, "params": params});
    let mut headers = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
    headers.extend(name.map(|name| ("mcp-name", name)));
    wire.post(path, &message, &headers).await
}

impl Stream {
    #[track_caller]
    fn of(what: &'static str, events: Events) -> Self {
        assert_eq!((events.status.as_u16(), events.header("content-type")), (200, "text/event-stream"), "{what}");
        Self { what, events }
    }

    /// Its end, as a stream of events ends.
    async fn ends(mut self) {
        let what = self.what;
        tokio::time::timeout(SOON, self.events.rest()).await.unwrap_or_else(|_| panic!("{what} goes on"));
    }

    async fn goes_on(&mut self) {
        let next = tokio::time::timeout(Duration::from_millis(300), self.events.next()).await;
        assert!(next.is_err(), "{}: {next:?}", self.what);
    }
}

pub(crate) async fn all_end(streams: Vec<Stream>) {
    for stream in streams {
        stream.ends().await;
    }
}

pub(crate) async fn all_go_on(streams: &mut [Stream]) {
    for stream in streams {
        stream.goes_on().await;
    }
}

#[tokio::test]
async fn streams_end_with_their_token_and_no_others() {
    let story = Story::new();
    let ((id, token), (_, other)) = (story.appliance.personal_token("one"), story.appliance.personal_token("other"));
    let streams = story.open(&token).await;
    let mut others = story.open(&other).await;
    story.upstream.until_open(2 * OF_FILES).await;

    story.appliance.app.revoke_personal_token(story.appliance.admin.id, id).unwrap();
    all_end(streams).await;
    story.upstream.until_open(OF_FILES).await;
    all_go_on(&mut others).await;
    for _ in 0..OF_FILES {
        story.upstream.step();
    }
    for stream in &mut others[..OF_FILES] {
        assert_eq!(stream.events.next().await.unwrap().unwrap(), "id: 1\ndata: {\"step\":1}\n\n");
    }
    assert_eq!(story.upstream.seen().len(), 2 * OF_FILES, "nothing is sent twice");
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_subscription_and_the_servers_part_of_it() {
    let story = Story::new();
    let wire = story.wire(&story.appliance.personal_token("one").1);
    let mut kept = Stream::of("kept", listen(&wire, FILES).await);
    let left = listen(&wire, FILES).await;
    story.upstream.until_open(2).await;
    drop(left);
    story.upstream.until_open(1).await;
    kept.goes_on().await;
    story.upstream.step();
    assert_eq!(kept.events.next().await.unwrap().unwrap(), "id: 1\ndata: {\"step\":1}\n\n");
    drop(kept);
    story.upstream.until_open(0).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let seen = story.upstream.seen();
    assert_eq!(seen.len(), 2, "nothing is sent twice, and nobody takes up again what was left: {seen:?}");
    assert!(seen.iter().all(|seen| seen.body["method"] == "subscriptions/listen"), "{seen:?}");
}

#[tokio::test]
async fn streams_end_when_their_token_expires() {
    let story = Story::new();
    let (_, token) = story.appliance.personal_token("one");
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    let expires_at = Timestamp::from_unix_seconds(payload["exp"].as_u64().unwrap());
    // Clocks may differ by 30 seconds.
    story.appliance.advance(expires_at.since(story.appliance.clock.now()) + Duration::from_secs(29));
    let mut streams = story.open(&token).await;
    all_go_on(&mut streams).await;
    story.appliance.advance(Duration::from_secs(2));
    let (mut calls, listening): (Vec<_>, Vec<_>) =
        streams.into_iter().partition(|stream| stream.what.starts_with("a call"));
    assert_eq!((calls.len(), listening.len()), (2, 4));
    all_end(listening).await;
    story.upstream.until_open(1).await;

    // The clock is looked at when there is news.
    let news = || story.appliance.app.rotate_signing_keys().unwrap();
    story.appliance.advance(Duration::from_secs(10));
    news();
    tokio::time::sleep(2 * NOTICED_WITHIN).await;
    all_go_on(&mut calls).await;
    story.appliance.advance(ANSWER_OUTLIVES_TOKEN);
    news();
    all_end(calls).await;
    story.upstream.until_open(0).await;
}

#[tokio::test]
async fn a_call_whose_token_has_expired_still_ends_with_what_ends_its_user() {
    let mut story = Story::new();
    let ben = story.appliance.add_member("ben");
    let (_, token) = story.appliance.personal_token_of(ben.id, "Laptop");
    let mut calls: Vec<_> = story.open(&token).await;
    calls.retain(|stream| stream.what.starts_with("a call"));
    story.appliance.advance(days(365) + minutes(1));
    story.appliance.app.disable_user(story.appliance.by_admin(), ben.id).unwrap();
    all_end(calls).await;
    story.upstream.until_open(0).await;
}

#[tokio::test]
async fn streams_end_with_their_server_and_those_of_others_go_on() {
    let elsewhere = Upstream::start();
    let moved = format!("url = \"{}\"", elsewhere.url());
    for change in ["enabled = false", "users = [\"nobody-else\"]", "path = \"/mcp\"", &moved] {
        let story = Story::new();
        let wire = story.wire(&story.appliance.personal_token("one").1);
        let (streams, mut others) = (open_files(&wire).await, open_scripted(&wire).await);
        if change == moved {
            story.appliance.change_servers(&servers(&elsewhere, "", ""));
        } else {
            story.change(change, "");
        }
        all_end(streams).await;
        story.upstream.until_open(0).await;
        all_go_on(&mut others).await;
    }
    for change in ["enabled = false", "users = [\"nobody-else\"]", "mode = \"shared\""] {
        let story = Story::new();
        let wire = story.wire(&story.appliance.personal_token("one").1);
        let (mut others, streams) = (open_files(&wire).await, open_scripted(&wire).await);
        story.change("", change);
        all_end(streams).await;
        all_go_on(&mut others).await;
    }
    let story = Story::new();
    let streams = story.open(&story.appliance.personal_token("one").1).await;
    story.appliance.change_servers("");
    all_end(streams).await;
}

#[tokio::test]
async fn streams_go_on_when_their_server_is_set_up_anew_as_it_was() {
    let story = Story::new();
    let mut streams = story.open(&story.appliance.personal_token("one").1).await;
    story.change("title = \"Another title\"\nusers = [\"ada\"]", "title = \"Another title\"");
    tokio::time::sleep(2 * NOTICED_WITHIN).await;
    all_go_on(&mut streams).await;
}

#[tokio::test]
async fn whoever_waits_for_an_answer_is_told_why_there_will_be_none() {
    let story = Story::new();
    let (id, token) = story.appliance.personal_token("one");
    let wire = story.wire(&token);
    let revoke = async {
        story.upstream.until_open(1).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        story.appliance.app.revoke_personal_token(story.appliance.admin.id, id).unwrap();
    };
    let slow = wire.call(FILES, "slow", json!({}));
    let never = wire.call(SCRIPTED, "never", json!({}));
    let (slow, never, ()) = tokio::join!(slow, never, revoke);
    for answer in [slow, never] {
        let answer = answer.expect(401);
        assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{:?}", answer.headers);
    }
    story.upstream.until_open(0).await;
}

/// `keyward fixture` with a configuration file.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_stop_ends_what_only_listens_at_once_and_lets_answers_finish() {
    let upstream = Upstream::start();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(servers(&upstream, "", "").as_bytes()).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_keyward"))
        .args(["fixture", "--config"])
        .arg(file.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut program = Program(child.unwrap());
    let output = program.0.stdout.take().unwrap();
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    let address = ready["url"].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
    let wire = Wire::to(address, ready["personal_token"].as_str().unwrap());

    let mut files = open_files(&wire).await;
    let mut answer = files.pop().unwrap();
    let mut scripted = open_scripted(&wire).await;
    drop(scripted.pop());
    let mut subscription = scripted.pop().unwrap();
    upstream.until_open(OF_FILES).await;

    let begun = Instant::now();
    let pid = rustix::process::Pid::from_child(&program.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let goodbye = subscription.events.rest().await;
    assert!(goodbye.contains("\"resultType\":\"complete\""), "{goodbye}");
    all_end(files).await;
    all_end(scripted).await;
    upstream.until_open(1).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    answer.goes_on().await;
    for step in 1..=3 {
        upstream.step();
        assert!(answer.events.next().await.unwrap().unwrap().contains(&format!("\"step\":{step}")));
    }
    assert_eq!(answer.events.next().await.unwrap(), None);
    let status = tokio::task::spawn_blocking(move || program.0.wait().unwrap()).await.unwrap();
    assert!(status.success() && begun.elapsed() < Duration::from_secs(8), "{status} {:?}", begun.elapsed());
}

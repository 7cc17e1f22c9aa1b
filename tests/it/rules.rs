//! Who may do what at a server: users, tokens, scopes and tools, decided on what a body says and on nothing else.

use crate::support::{Agent, Answer, Appliance, Browser, parameter};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http_body_util::BodyExt;
use keyward::account::group::GroupName;
use keyward::app::personal_tokens::{Made, NewPersonalToken};
use keyward::app::users::By;
use keyward::clock::minutes;
use keyward::id::TokenId;
use keyward::oauth::scope::ScopeSet;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

const MODERN: &str = "2026-07-28";
const NOTES: &str = "/mcp/notes";
const SCOPES: &str = "[servers.notes.scopes]\n\"notes:write\" = [\"write_*\", \"move_*\"]\n";

/// What stands behind: an MCP server with four tools, which does what it is asked and knows of no scopes.
#[derive(Default)]
struct Notes {
    tools: Mutex<Vec<Value>>,
    /// What it was asked, in order: methods, and the names of tools.
    asked: Mutex<Vec<String>>,
    streams: AtomicBool,
    pages: AtomicBool,
    /// Says at the next call that its tools have changed.
    tells: AtomicBool,
}

fn tool(name: &str, reads_only: Option<bool>) -> Value {
    let mut tool = json!({"name": name, "inputSchema": {"type": "object"}});
    if let Some(hint) = reads_only {
        tool["annotations"] = json!({"readOnlyHint": hint});
    }
    tool
}

impl Notes {
    fn answer_to(&self, message: &Value) -> Option<Value> {
        let method = message["method"].as_str().unwrap_or("answer");
        let asked = message["params"]["name"].as_str().unwrap_or(method).to_owned();
        self.asked.lock().unwrap().push(asked);
        let result = match method {
            "tools/list" => self.page(message["params"]["cursor"].as_str()),
            "tools/call" => json!({"content": [{"type": "text", "text": "done"}]}),
            _ => json!({}),
        };
        let id = message.get("id").filter(|_| message.get("method").is_some())?;
        Some(json!({"jsonrpc": "2.0", "id": id, "result": result}))
    }

    fn page(&self, cursor: Option<&str>) -> Value {
        let tools = self.tools.lock().unwrap();
        let (first, second) = tools.split_at(tools.len() / 2);
        match cursor {
            _ if !self.pages.load(Ordering::SeqCst) => json!({"tools": *tools, "ttlMs": 0, "cacheScope": "public"}),
            None => json!({"tools": first, "nextCursor": "2"}),
            Some(_) => json!({"tools": second}),
        }
    }
}

async fn answer(State(notes): State<Arc<Notes>>, request: Request) -> Response {
    let stream = [(header::CONTENT_TYPE, "text/event-stream")];
    if request.method() == Method::GET {
        let list = json!({"jsonrpc": "2.0", "id": 1, "result": notes.page(None)});
        return (stream, format!("id: 9\ndata: {list}\n\n: alive\n\n")).into_response();
    }
    let body: Value = serde_json::from_slice(&request.into_body().collect().await.unwrap().to_bytes()).unwrap();
    let answer = match &body {
        Value::Array(messages) => {
            let answers: Vec<_> = messages.iter().filter_map(|message| notes.answer_to(message)).collect();
            Some(Value::from(answers))
        }
        message => notes.answer_to(message),
    };
    let Some(answer) = answer else { return axum::http::StatusCode::ACCEPTED.into_response() };
    let tells = notes.tells.swap(false, Ordering::SeqCst);
    if !tells && !notes.streams.load(Ordering::SeqCst) {
        return axum::Json(answer).into_response();
    }
    let notice = if tells { "notifications/tools/list_changed" } else { "notifications/message" };
    let notice = json!({"jsonrpc": "2.0", "method": notice});
    (stream, format!("data: {notice}\n\nevent: message\r\nid: 2\r\ndata: {answer}\r\n\r\n")).into_response()
}

struct Story {
    appliance: Appliance,
    notes: Arc<Notes>,
}

impl Story {
    /// With more lines about the server.
    fn with(lines: &str) -> Self {
        let tools = [("read_note", Some(true)), ("write_note", Some(false)), ("move_note", Some(true)), ("wipe", None)];
        let tools = tools.map(|(name, hint)| tool(name, hint)).to_vec();
        let notes = Arc::new(Notes { tools: Mutex::new(tools), ..Notes::default() });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/mcp", any(answer)).with_state(Arc::clone(&notes));
        tokio::spawn(async move { axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), router).await });
        let file = format!("[servers.notes]\ntitle = \"Notes\"\nurl = \"http://{address}/mcp\"\n{lines}");
        Self { appliance: Appliance::with_file(&file), notes }
    }

    fn new() -> Self {
        Self::with(SCOPES)
    }

    /// A personal token of ada's.
    fn token(&self, scopes: &str) -> String {
        let id = TokenId::generate(self.appliance.app.now(), self.appliance.app.entropy());
        let scopes = ScopeSet::parse(scopes).unwrap();
        let new = NewPersonalToken { id, name: id.to_string(), expires_at: None, servers: None, scopes };
        match self.appliance.app.create_personal_token(self.appliance.admin.id, &new).unwrap() {
            Made::Now(_, token) => token.expose().to_owned(),
            Made::Before(_) => panic!("the id is new"),
        }
    }

    async fn post(&self, path: &str, token: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let bearer = format!("Bearer {token}");
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        self.appliance.post_json(path, body, &all).await
    }

    async fn ask(&self, token: &str, modern: bool, method: &str, params: Value) -> Answer {
        let (body, headers) = message(modern, method, params);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.post(NOTES, token, &body, &headers).await
    }

    async fn call(&self, token: &str, tool: &str) -> Answer {
        self.ask(token, true, "tools/call", json!({"name": tool, "arguments": {}})).await
    }

    /// The names that a list shows.
    async fn listed(&self, token: &str, modern: bool) -> Vec<String> {
        let answer = self.ask(token, modern, "tools/list", json!({})).await.expect(200);
        let json = if answer.header("content-type") == "text/event-stream" {
            let events: Vec<Value> = data_of(&answer.body);
            assert_eq!(events[0]["method"], "notifications/message");
            events[1].clone()
        } else {
            answer.json()
        };
        assert_eq!((&json["id"], &json["result"]["ttlMs"]), (&json!("q"), &json!(0)));
        assert_eq!(json["result"]["cacheScope"], "private");
        names(&json["result"]["tools"])
    }

    /// What reached the server since the last look.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.asked.lock().unwrap())
    }
}

fn message(modern: bool, method: &str, mut params: Value) -> (Value, Vec<(&'static str, String)>) {
    let mut headers = Vec::new();
    if modern {
        headers.push(("mcp-protocol-version", MODERN.to_owned()));
        headers.push(("mcp-method", method.to_owned()));
        headers.extend(params["name"].as_str().map(|name| ("mcp-name", name.to_owned())));
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
        });
    } else {
        headers.push(("mcp-protocol-version", "2025-06-18".to_owned()));
    }
    (json!({"jsonrpc": "2.0", "id": "q", "method": method, "params": params}), headers)
}

fn data_of(stream: &str) -> Vec<Value> {
    stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn names(tools: &Value) -> Vec<String> {
    tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

/// "yes", the scopes of the challenge, or "not there".
#[track_caller]
fn told(answer: &Answer) -> String {
    match answer.status.as_u16() {
        200 if answer.body.contains("done") => "yes".to_owned(),
        200 => {
            assert_eq!(answer.json()["error"]["code"], -32602, "{}", answer.body);
            "not there".to_owned()
        }
        403 => {
            let (json, challenge) = (answer.json(), answer.header("www-authenticate"));
            assert_eq!((&json["id"], &json["error"]["code"]), (&json!("q"), &json!(403)));
            challenged(challenge)
        }
        status => panic!("{status} {}", answer.body),
    }
}

#[track_caller]
fn challenged(challenge: &str) -> String {
    assert!(challenge.starts_with("Bearer error=\"insufficient_scope\", error_description="), "{challenge}");
    let metadata = "resource_metadata=\"http://127.0.0.1:8080/.well-known/oauth-protected-resource/mcp/notes\"";
    assert!(challenge.contains(metadata), "{challenge}");
    let (_, scope) = challenge.rsplit_once("scope=\"").unwrap();
    scope.trim_end_matches('"').to_owned()
}

#[tokio::test]
async fn the_table_of_users_tokens_scopes_and_tools() {
    const TOOLS: [&str; 4] = ["read_note", "write_note", "move_note", "wipe"];
    let most = |scopes: &str| format!("most = {{ ada = [{scopes}] }}\n{SCOPES}");
    for (lines, scopes, outcomes) in [
        (SCOPES.to_owned(), "mcp", ["yes"; 4]),
        (SCOPES.to_owned(), "mcp:read", ["yes", "notes:write", "yes", "mcp"]),
        (SCOPES.to_owned(), "notes:write", ["mcp:read", "yes", "yes", "mcp"]),
        (SCOPES.to_owned(), "mcp:read notes:write", ["yes", "yes", "yes", "mcp"]),
        (String::new(), "mcp:read", ["yes", "mcp", "yes", "mcp"]),
        (most("\"mcp:read\""), "mcp", ["yes", "not there", "yes", "not there"]),
        (most("\"notes:write\""), "mcp", ["not there", "yes", "yes", "not there"]),
        (most("\"notes:write\", \"mcp:read\""), "mcp:read", ["yes", "notes:write", "yes", "not there"]),
    ] {
        let story = Story::with(&lines);
        let token = story.token(scopes);
        for modern in [true, false] {
            let listed = story.listed(&token, modern).await;
            assert_eq!(story.asked(), ["tools/list"]);
            for (tool, outcome) in TOOLS.iter().zip(outcomes) {
                let answer = story.ask(&token, modern, "tools/call", json!({"name": tool})).await;
                assert_eq!(told(&answer), outcome, "{lines}{scopes}: {tool}");
                assert_eq!(listed.iter().any(|name| name == tool), outcome == "yes", "{lines}{scopes}: {tool}");
                assert_eq!(story.asked(), if outcome == "yes" { vec![*tool] } else { vec![] });
            }
        }
        let read = story.ask(&token, false, "resources/read", json!({"uri": "x"})).await;
        assert_eq!(
            read.status,
            if outcomes[0] == "yes" {
                200
            } else if outcomes[0] == "mcp:read" {
                403
            } else {
                200
            }
        );
        story.ask(&token, false, "ping", json!({})).await.expect(200);
    }
}

#[tokio::test]
async fn a_tool_that_was_not_heard_of_is_asked_for_once() {
    for (modern, pages, streams) in
        [(true, false, false), (false, false, true), (true, true, false), (false, true, true)]
    {
        let story = Story::new();
        story.notes.pages.store(pages, Ordering::SeqCst);
        story.notes.streams.store(streams, Ordering::SeqCst);
        let reader = story.token("mcp:read");
        let call = async |tool| told(&story.ask(&reader, modern, "tools/call", json!({"name": tool})).await);
        let lists = if pages { vec!["tools/list", "tools/list"] } else { vec!["tools/list"] };
        assert_eq!(call("move_note").await, "yes");
        assert_eq!(story.asked(), [&lists[..], &["move_note"]].concat());
        assert_eq!(
            (call("wipe").await, call("other").await, call("read_note").await),
            ("mcp".into(), "mcp".into(), "yes".into())
        );
        assert_eq!(story.asked(), ["read_note"]);
        story.appliance.advance(minutes(6));
        assert_eq!(call("wipe").await, "mcp");
        assert_eq!(story.asked(), lists, "what was heard long ago does not hold");

        let writer = story.token("notes:write");
        assert_eq!(told(&story.call(&writer, "unheard").await), "mcp");
        assert!(story.asked().is_empty(), "where it decides nothing, nobody is asked");
    }
}

#[tokio::test]
async fn a_server_that_says_that_its_tools_have_changed_is_heard_again() {
    let story = Story::new();
    let (all, reader) = (story.token("mcp"), story.token("mcp:read"));
    assert_eq!(told(&story.call(&reader, "read_note").await), "yes");
    *story.notes.tools.lock().unwrap() = vec![tool("read_note", Some(false)), tool("wipe", Some(true))];
    assert_eq!(told(&story.call(&reader, "read_note").await), "yes", "nobody said anything yet");
    story.notes.tells.store(true, Ordering::SeqCst);
    assert_eq!(told(&story.call(&all, "write_note").await), "yes");
    assert_eq!(told(&story.call(&reader, "read_note").await), "mcp");
    assert_eq!(told(&story.call(&reader, "wipe").await), "yes");
}

#[tokio::test]
async fn a_list_shows_what_the_token_opens_however_it_is_sent() {
    let story = Story::new();
    let reader = story.token("mcp:read");
    for streams in [false, true] {
        story.notes.streams.store(streams, Ordering::SeqCst);
        for modern in [true, false] {
            assert_eq!(story.listed(&reader, modern).await, ["read_note", "move_note"]);
        }
    }
    // A stream that is taken up again repeats what was sent on another.
    let bearer = format!("Bearer {reader}");
    let headers = [("authorization", bearer.as_str()), ("accept", "text/event-stream"), ("last-event-id", "8")];
    let resumed = story.appliance.request(Method::GET, NOTES, &headers, Body::empty()).await.expect(200);
    assert_eq!(names(&data_of(&resumed.body)[0]["result"]["tools"]), ["read_note", "move_note"]);
    assert!(resumed.body.starts_with("id: 9\n") && resumed.body.ends_with(": alive\n\n"), "{}", resumed.body);
}

#[tokio::test]
async fn a_list_that_is_too_long_to_look_through_is_not_passed() {
    let story = Story::new();
    let token = story.token("mcp");
    let long = "x".repeat(9 * 1024 * 1024);
    *story.notes.tools.lock().unwrap() = vec![json!({"name": "a", "description": long})];
    let refused = story.ask(&token, true, "tools/list", json!({})).await.expect(502);
    assert_eq!(refused.json()["id"], "q");
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("8 MiB"));
    story.notes.streams.store(true, Ordering::SeqCst);
    let refused = story.ask(&token, true, "tools/list", json!({})).await.expect(200);
    let error = data_of(&refused.body).pop().unwrap();
    assert_eq!((&error["id"], &error["error"]["code"]), (&json!("q"), &json!(502)));
}

#[tokio::test]
async fn headers_that_say_something_else_than_the_body_are_refused_in_both_eras() {
    let story = Story::new();
    let token = story.token("mcp:read");
    for modern in [true, false] {
        for (name, other) in [("mcp-method", "ping"), ("mcp-name", "read_note"), ("mcp-protocol-version", "2027-01-01")]
        {
            let (body, headers) = message(modern, "tools/call", json!({"name": "wipe"}));
            let mut headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            headers.retain(|(kept, _)| *kept != name);
            headers.push((name, other));
            story.post(NOTES, &token, &body, &headers).await.expect(400);
        }
    }
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    story.post(NOTES, &token, &list, &[("mcp-name", "wipe")]).await.expect(400);
    let answer = json!({"jsonrpc": "2.0", "id": 1, "result": {}});
    story.post(NOTES, &token, &answer, &[("mcp-method", "tools/call")]).await.expect(400);
    assert!(story.asked().is_empty());
}

#[tokio::test]
async fn a_body_that_could_be_read_in_another_way_goes_nowhere() {
    let story = Story::new();
    let token = format!("Bearer {}", story.token("mcp:read"));
    let post = async |headers: &[(&str, &str)], body: &str| {
        let mut all = vec![("authorization", token.as_str()), ("accept", "application/json, text/event-stream")];
        all.extend_from_slice(headers);
        story.appliance.request(Method::POST, NOTES, &all, Body::from(body.to_owned())).await.status.as_u16()
    };
    let json = ("content-type", "application/json");
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_eq!(post(&[json], ping).await, 200);
    story.asked();
    for (headers, body, status) in [
        (vec![("content-type", "application/json; charset=utf-7")], ping, 415),
        (vec![json, ("content-encoding", "gzip")], ping, 415),
        (vec![("content-type", "text/plain")], ping, 415),
        (vec![json, json], ping, 415),
        (vec![], ping, 415),
        (vec![json], "", 400),
        (vec![json], "nonsense", 400),
        (vec![json], r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#, 400),
        (vec![json], r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#, 400),
        (vec![json], r#"{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"x"}"#, 400),
        (
            vec![json],
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_note","Name":"wipe"}}"#,
            200,
        ),
        (vec![json], r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["wipe"]}}"#, 200),
        (vec![json], r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#, 200),
        (vec![json], r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"wipe"}}"#, 403),
        (vec![json], r#"{"jsonrpc":"2.0","id":1,"method":"tasks/result","params":{}}"#, 403),
    ] {
        assert_eq!(post(&headers, body).await, status, "{headers:?} {body}");
        let asked = story.asked();
        assert!(asked.iter().all(|asked| asked == "tools/list"), "{headers:?} {body}: {asked:?}");
    }
}

#[tokio::test]
async fn a_batch_is_decided_element_by_element_and_goes_on_whole_or_not_at_all() {
    let story = Story::new();
    let reader = story.token("mcp:read");
    let call =
        |id: u8, tool: &str| json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool}});
    let list = json!({"jsonrpc": "2.0", "id": 9, "method": "tools/list"});
    let notice = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});

    let batch = json!([call(1, "read_note"), notice, list]);
    let answer = story.post(NOTES, &reader, &batch, &[]).await.expect(200).json();
    assert_eq!(answer[0]["result"]["content"][0]["text"], "done");
    assert_eq!(names(&answer[1]["result"]["tools"]), ["read_note", "move_note"]);
    assert_eq!(story.asked(), ["tools/list", "read_note", "notifications/initialized", "tools/list"]);

    let batch = json!([call(1, "read_note"), call(2, "wipe"), notice, call(3, "write_note")]);
    let refused = story.post(NOTES, &reader, &batch, &[("mcp-protocol-version", "2025-03-26")]).await.expect(403);
    assert_eq!(challenged(refused.header("www-authenticate")), "mcp notes:write");
    let ids: Vec<_> = refused.json().as_array().unwrap().iter().map(|error| error["id"].clone()).collect();
    assert_eq!(ids, [1, 2, 3]);

    let all = story.token("mcp");
    for bad in [
        json!([call(1, "read_note"), 7]),
        json!([call(1, "wipe"), {"jsonrpc": "2.0", "id": 2, "method": "tools/call"}]),
    ] {
        let refused = story.post(NOTES, &all, &bad, &[]).await.expect(400);
        assert_eq!(refused.json().as_array().unwrap().len(), 2);
    }
    for elsewhere in ["2025-06-18", "2025-11-25", MODERN] {
        story.post(NOTES, &all, &json!([list]), &[("mcp-protocol-version", elsewhere)]).await.expect(400);
    }
    assert!(story.asked().is_empty());
}

#[tokio::test]
async fn the_built_in_tools_keep_to_the_same_rules() {
    let story = Story::new();
    let reader = story.token("mcp:read");
    let ask = async |method: &str, params: Value| {
        let body = json!({"jsonrpc": "2.0", "id": "q", "method": method, "params": params});
        story.post("/mcp", &reader, &body, &[]).await
    };
    let list = ask("tools/list", json!({})).await.expect(200).json();
    assert_eq!(names(&list["result"]["tools"]), ["whoami", "list_servers", "list_my_tokens"]);
    ask("tools/call", json!({"name": "whoami"})).await.expect(200);
    let refused = ask("tools/call", json!({"name": "revoke_my_token", "arguments": {}})).await.expect(403);
    assert_eq!(
        refused.header("www-authenticate"),
        "Bearer error=\"insufficient_scope\", error_description=\"The token lacks a scope; this needs: mcp\", \
         resource_metadata=\"http://127.0.0.1:8080/.well-known/oauth-protected-resource/mcp\", scope=\"mcp\""
    );
    assert_eq!((&refused.json()["id"], &refused.json()["error"]["code"]), (&json!("q"), &json!(403)));
}

#[tokio::test]
async fn a_server_that_is_not_for_a_user_is_not_for_their_tokens_either() {
    let story = Story::with("users = [\"ben\"]\n");
    let token = story.token("mcp");
    let refused = story.call(&token, "read_note").await.expect(403);
    assert_eq!(refused.header("www-authenticate"), "", "no other token would help");
    assert!(story.asked().is_empty());
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_servers"}});
    let servers = story.post("/mcp", &token, &body, &[]).await.expect(200).json();
    assert_eq!(servers["result"]["structuredContent"]["servers"].as_array().unwrap().len(), 1);

    let mut browser = Browser::signed_in(&story.appliance).await;
    let agent = Agent::register(&story.appliance, "Probe").await;
    let url = story.appliance.url_of("notes");
    let path = agent.authorize_path(&story.appliance, &[("resource", &url)]);
    let refused = browser.get(&story.appliance, &path).await.expect(303);
    assert!(refused.location().contains("error=access_denied"), "{}", refused.location());
    let form = browser.get(&story.appliance, "/dashboard/api-keys/new").await.expect(200);
    assert!(!form.body.contains("/mcp/notes"));
}

struct Connected {
    scope: String,
    access_token: String,
    refresh_token: String,
}

/// Asks for scopes at the notes, and lets the person send the page with other fields.
async fn connect(
    story: &Story,
    agent: &Agent,
    browser: &mut Browser,
    scope: &str,
    fields: &[(&str, &str)],
) -> Connected {
    let (appliance, url) = (&story.appliance, story.appliance.url_of("notes"));
    let path = agent.authorize_path(appliance, &[("resource", &url), ("scope", scope)]);
    let page = browser.get(appliance, &path).await.expect(200);
    let mut all = vec![("decision", "approve")];
    all.extend_from_slice(fields);
    let answer = browser.submit(appliance, &page, "/authorize", &all).await.expect(303);
    let code = parameter(&crate::support::callback_parameters(answer.location()), "code").unwrap();
    let tokens = agent.redeem_with(appliance, &code, &[("resource", &url)]).await.expect(200).json();
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    Connected { scope: text("scope"), access_token: text("access_token"), refresh_token: text("refresh_token") }
}

#[tokio::test]
async fn a_client_steps_up_when_it_is_told_what_is_missing() {
    let story = Story::new();
    let mut browser = Browser::signed_in(&story.appliance).await;
    let agent = Agent::register(&story.appliance, "Probe").await;
    let first = connect(&story, &agent, &mut browser, "mcp:read", &[]).await;
    assert_eq!(first.scope, "mcp:read");
    assert_eq!(told(&story.call(&first.access_token, "read_note").await), "yes");
    let needed = told(&story.call(&first.access_token, "write_note").await);
    assert_eq!(needed, "notes:write");

    let second = connect(&story, &agent, &mut browser, &format!("mcp:read {needed}"), &[]).await;
    assert_eq!(second.scope, "mcp:read notes:write");
    assert_eq!(told(&story.call(&second.access_token, "write_note").await), "yes");
    assert_eq!(told(&story.call(&second.access_token, "wipe").await), "mcp");
}

#[tokio::test]
async fn a_person_gives_less_than_was_asked_for_and_a_refresh_gets_no_more() {
    let story = Story::new();
    let mut browser = Browser::signed_in(&story.appliance).await;
    let agent = Agent::register(&story.appliance, "Probe").await;
    for (asked, fields, given) in [
        ("mcp offline_access", vec![], "mcp offline_access"),
        ("", vec![], "mcp"),
        ("unknown", vec![], "mcp"),
        ("mcp offline_access", vec![("extent", "read")], "mcp:read offline_access"),
        ("mcp", vec![("extent", "chosen"), ("scope", "notes:write")], "notes:write"),
        ("mcp", vec![("extent", "chosen"), ("scope", "notes:write"), ("scope", "mcp:read")], "mcp:read notes:write"),
        ("mcp:read", vec![("extent", "all")], "mcp:read"),
        ("mcp:read notes:write", vec![], "mcp:read notes:write"),
        ("mcp:read notes:write", vec![("scope", "notes:write")], "notes:write"),
        ("mcp:read notes:write", vec![("extent", "chosen"), ("scope", "mcp"), ("scope", "x")], "mcp:read notes:write"),
    ] {
        let connected = connect(&story, &agent, &mut browser, asked, &fields).await;
        assert_eq!(connected.scope, given, "{asked} {fields:?}");
        for scope in ["mcp", "mcp mcp:read notes:write"] {
            let fields = [
                ("grant_type", "refresh_token"),
                ("refresh_token", connected.refresh_token.as_str()),
                ("client_id", agent.client_id.as_str()),
                ("scope", scope),
            ];
            let refreshed = story.appliance.post_form("/token", &fields, &[]).await.expect(200).json();
            let scopes = ScopeSet::parse(refreshed["scope"].as_str().unwrap()).unwrap();
            let given = ScopeSet::parse(given).unwrap();
            assert!(scopes.iter().all(|scope| given.satisfies(scope)), "{asked} {fields:?}: {scopes}");
        }
    }
    let url = story.appliance.url_of("notes");
    let path = agent.authorize_path(&story.appliance, &[("resource", &url), ("scope", "mcp")]);
    let page = browser.get(&story.appliance, &path).await.expect(200);
    for part in ["Everything that you may do there", "Only read", "Use the tools write_*, move_*"] {
        assert!(page.body.contains(part), "{part}");
    }
    let nothing = [("decision", "approve"), ("extent", "chosen")];
    browser.submit(&story.appliance, &page, "/authorize", &nothing).await.expect(400);
}

#[tokio::test]
async fn nobody_gives_more_than_they_may_do_themselves() {
    let story = Story::with("most = { ada = [\"mcp:read\"] }\n");
    let mut browser = Browser::signed_in(&story.appliance).await;
    let agent = Agent::register(&story.appliance, "Probe").await;
    let connected = connect(&story, &agent, &mut browser, "mcp", &[("extent", "all")]).await;
    assert_eq!(connected.scope, "mcp:read");
    let listed = story.listed(&connected.access_token, true).await;
    assert_eq!(listed, ["read_note", "move_note"]);
    assert_eq!(told(&story.call(&connected.access_token, "wipe").await), "not there");
}

#[tokio::test]
async fn a_personal_token_may_be_for_less_than_everything() {
    let story = Story::new();
    let mut browser = Browser::signed_in(&story.appliance).await;
    let new = "/dashboard/api-keys/new";
    for (name, fields, allows) in [
        ("All", vec![], "everything that you may do"),
        ("Reader", vec![("extent", "read")], "reading"),
        ("Writer", vec![("extent", "chosen"), ("scope", "notes:write")], "notes:write"),
    ] {
        let page = browser.get(&story.appliance, new).await.expect(200);
        let mut all = vec![("name", name)];
        all.extend_from_slice(&fields);
        let made = browser.submit(&story.appliance, &page, new, &all).await.expect(200);
        assert!(made.body.contains(&format!("May do: {allows}.")), "{name}");
    }
    let page = browser.get(&story.appliance, new).await.expect(200);
    for fields in [vec![("extent", "chosen")], vec![("extent", "chosen"), ("scope", "other")]] {
        let mut all = vec![("name", "Nothing")];
        all.extend_from_slice(&fields);
        browser.submit(&story.appliance, &page, new, &all).await.expect(422);
    }
    let list = browser.get(&story.appliance, "/dashboard/api-keys").await.expect(200);
    assert!(list.body.contains("All servers · notes:write") && list.body.contains("All servers · reading"));
}

#[tokio::test]
async fn scopes_are_published_where_clients_look() {
    let story = Story::new();
    let server = story.appliance.get("/.well-known/oauth-authorization-server", &[]).await.expect(200).json();
    assert_eq!(server["scopes_supported"], json!(["mcp", "offline_access", "mcp:read", "notes:write"]));
    let resource = story.appliance.get("/.well-known/oauth-protected-resource/mcp/notes", &[]).await.expect(200).json();
    assert_eq!(resource["scopes_supported"], json!(["mcp"]), "clients ask for all of it when they know no better");
}

#[test]
fn names_in_rules_that_are_nobodys_are_known_at_start() {
    let rule = "[servers.notes]\nurl = \"http://127.0.0.1:9/mcp\"\nusers = [\"Ada\", \"mallory\"]\n";
    let most = "[servers.notes.most]\nmallory = [\"mcp:read\"]\nben = [\"mcp:read\"]\n";
    let appliance = Appliance::with_file(&format!("{rule}{most}"));
    let unknown = appliance.app.unknown_users_in_rules().unwrap();
    let told: Vec<_> = unknown.iter().map(|(server, user)| (server.as_str(), user.as_str())).collect();
    assert_eq!(told, [("notes", "mallory"), ("notes", "ben")]);
    let groups = "[servers.notes]\nurl = \"http://127.0.0.1:9/mcp\"\ngroups = [\"writers\"]\nmost = { \"@readers\" = [\"mcp:read\"] }\n";
    let appliance = Appliance::with_file(groups);
    let by = By::Admin(appliance.admin.id);
    appliance.app.create_group(by, &GroupName::parse("Readers").unwrap(), "").unwrap();
    let unknown = appliance.app.unknown_groups_in_rules().unwrap();
    let told: Vec<_> = unknown.iter().map(|(server, group)| (server.as_str(), group.as_str())).collect();
    assert_eq!(told, [("notes", "writers")]);
    assert!(appliance.app.unknown_users_in_rules().unwrap().is_empty());
}

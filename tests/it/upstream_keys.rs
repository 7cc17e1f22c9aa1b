//! Servers that want a key of each user's own, and sessions that belong to one user: both told apart by Keyward, because
//! what stands behind it cannot.

use crate::support::{Answer, Appliance, Browser, Served, Upstream, Wire, free_address, make_token, set_up};
use axum::http::Method;
use keyward::access::ServerName;
use keyward::clock::days;
use keyward::id::UserId;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use tempfile::NamedTempFile;

const FILES: &str = "/mcp/files";
const PAGE: &str = "/dashboard/servers/files/key";
const ADAS: &str = "ntn_hunter2_of_ada";
const BENS: &str = "ntn_hunter3_of_ben";

/// An appliance that guards an upstream which wants a key of each, and two people.
struct Story {
    appliance: Appliance,
    upstream: Upstream,
    ada: Wire,
    ben: Wire,
    bens_id: UserId,
}

impl Story {
    fn new() -> Self {
        Self::with("credential = { prefix = \"Bearer \", per_user = true }")
    }

    fn with(lines: &str) -> Self {
        let upstream = Upstream::start();
        let mut appliance = Appliance::with_file(&guard(&upstream, lines));
        let ben = appliance.add_member("ben");
        let (_, adas) = appliance.personal_token("Laptop");
        let (_, bens) = appliance.personal_token_of(ben.id, "Laptop");
        let address = appliance.listen();
        Self { appliance, upstream, ada: Wire::to(address, &adas), ben: Wire::to(address, &bens), bens_id: ben.id }
    }

    /// Both have entered a key.
    async fn with_keys() -> Self {
        let story = Self::new();
        let mut ada = Browser::signed_in(&story.appliance).await;
        enter(&story.appliance, &mut ada, ADAS).await.expect(303);
        let mut ben = Browser::new();
        ben.sign_in(&story.appliance, "ben", "four quiet random words").await.expect(303);
        enter(&story.appliance, &mut ben, BENS).await.expect(303);
        story
    }

    fn page_url(&self) -> String {
        format!("{}{PAGE}", self.appliance.issuer())
    }
}

fn guard(upstream: &Upstream, lines: &str) -> String {
    format!("[servers.files]\ntitle = \"Files\"\nurl = \"{}\"\n{lines}\n", upstream.url())
}

/// Enters a key on its page.
async fn enter(appliance: &Appliance, browser: &mut Browser, key: &str) -> Answer {
    let page = browser.get(appliance, PAGE).await.expect(200);
    browser.submit(appliance, &page, PAGE, &[("key", key)]).await
}

fn initialize(capabilities: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": {"name": "c", "version": "1"}}})
}

/// A request of 2026-07-28 and its headers.
fn modern(method: &str, name: &str, capabilities: &Value, more: &Value) -> (Value, [(&'static str, String); 3]) {
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities});
    let mut params = json!({"_meta": meta, "name": name, "arguments": {"text": "x"}});
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let headers = [
        ("mcp-protocol-version", "2026-07-28".to_owned()),
        ("mcp-method", method.to_owned()),
        ("mcp-name", name.to_owned()),
    ];
    (json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}), headers)
}

fn borrowed<'a>(headers: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test]
async fn each_users_calls_carry_their_own_key_and_no_others() {
    let story = Story::with_keys().await;
    for (wire, key) in [(&story.ada, ADAS), (&story.ben, BENS), (&story.ada, ADAS)] {
        wire.call(FILES, "echo", json!({"text": "x"})).await.expect(200);
        let seen = story.upstream.last();
        assert_eq!(seen.header("authorization"), format!("Bearer {key}"));
        assert_eq!(seen.headers.get_all("authorization").iter().count(), 1);
    }
    assert_eq!(story.upstream.seen().len(), 3);
}

#[tokio::test]
async fn a_key_is_sent_in_the_header_that_the_server_wants_and_nobody_else_sets_it() {
    let story = Story::with("credential = { header = \"X-API-Key\", per_user = true }");
    let mut ada = Browser::signed_in(&story.appliance).await;
    let forged = [("x-api-key", BENS), ("x_api_key", BENS)];
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let mut refused = story.ada.post(FILES, &message, &forged).await.expect(200);
    assert_eq!(refused.json().await["error"]["code"], 428);
    assert_eq!(story.upstream.seen().len(), 0);

    enter(&story.appliance, &mut ada, ADAS).await.expect(303);
    story.ada.post(FILES, &message, &forged).await.expect(200);
    let seen = story.upstream.last();
    assert_eq!((seen.header("x-api-key"), seen.headers.get_all("x-api-key").iter().count()), (ADAS, 1));
    assert!(!seen.headers.contains_key("authorization") && !seen.headers.contains_key("x_api_key"));
}

#[tokio::test]
async fn who_has_no_key_is_told_where_to_enter_one_and_nothing_reaches_the_server() {
    let story = Story::new();
    let url = story.page_url();
    let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "echo"}});
    for message in [call.clone(), initialize(&json!({})), initialize(&json!({"elicitation": {}}))] {
        let answer = story.ada.post(FILES, &message, &[]).await.expect(200).json().await;
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(428), &message["id"]));
        let text = answer["error"]["message"].as_str().unwrap();
        assert_eq!(text, format!("Files needs a key of your own. Enter it at {url} and try again."));
    }
    let notice = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    story.ada.post(FILES, &notice, &[]).await.expect(428);
    story.ada.post(FILES, &json!([call]), &[("mcp-protocol-version", "2025-03-26")]).await.expect(428);
    story.ada.send(Method::GET, FILES, &[], String::new()).await.expect(428);
    assert_eq!(story.upstream.seen().len(), 0);
}

#[tokio::test]
async fn a_client_that_opens_urls_is_told_so_in_its_revisions_way() {
    let story = Story::new();
    let url = story.page_url();
    let opens = json!({"elicitation": {"url": {}, "form": {}}});

    let first = story.ada.post(FILES, &initialize(&opens), &[]).await.expect(200).json().await;
    assert_eq!(first["error"]["code"], -32042);
    let asked = &first["error"]["data"]["elicitations"][0];
    assert_eq!((&asked["mode"], &asked["url"]), (&json!("url"), &json!(url)));
    assert!(asked["elicitationId"].as_str().is_some_and(|id| !id.is_empty()) && asked["message"].is_string());

    let (message, headers) = modern("tools/call", "echo", &opens, &json!({}));
    let answer = story.ada.post(FILES, &message, &borrowed(&headers)).await.expect(200).json().await;
    assert_eq!((&answer["result"]["resultType"], &answer["id"]), (&json!("input_required"), &json!(1)), "{answer}");
    let requests = answer["result"]["inputRequests"].as_object().unwrap();
    let (key, asked) = requests.iter().next().unwrap();
    assert_eq!((&asked["method"], &asked["params"]["mode"]), (&json!("elicitation/create"), &json!("url")));
    assert_eq!((&asked["params"]["url"], requests.len()), (&json!(url), 1));

    // Whoever does not want to, or has not yet, is not asked for ever.
    let answered = json!({"inputResponses": {key.clone(): {"action": "decline"}}});
    let (message, headers) = modern("tools/call", "echo", &opens, &answered);
    let answer = story.ada.post(FILES, &message, &borrowed(&headers)).await.expect(200).json().await;
    assert_eq!(answer["error"]["code"], 428, "{answer}");
    // Nor is who cannot open one, or where asking is not allowed.
    for (method, capabilities) in [("tools/call", json!({"elicitation": {"form": {}}})), ("tools/list", opens.clone())]
    {
        let (message, headers) = modern(method, "echo", &capabilities, &json!({}));
        let headers = if method == "tools/call" { &headers[..] } else { &headers[..2] };
        let answer = story.ada.post(FILES, &message, &borrowed(headers)).await.expect(200).json().await;
        assert_eq!(answer["error"]["code"], 428, "{answer}");
    }
    assert_eq!(story.upstream.seen().len(), 0);

    let mut browser = Browser::signed_in(&story.appliance).await;
    enter(&story.appliance, &mut browser, ADAS).await.expect(303);
    let (message, headers) = modern("tools/call", "echo", &opens, &answered);
    let answer = story.ada.post(FILES, &message, &borrowed(&headers)).await.expect(200).json().await;
    assert_eq!(answer["result"]["content"][0]["text"], "x", "{answer}");

    // In a session, what its client can do was said at its beginning.
    let begun = story.ada.post(FILES, &initialize(&opens), &[]).await.expect(200);
    let session = [("mcp-session-id", begun.header("mcp-session-id"))];
    remove(&story.appliance, &mut browser).await;
    let list = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/list"});
    let answer = story.ada.post(FILES, &list, &session).await.expect(200).json().await;
    assert_eq!(answer["error"]["code"], -32042, "{answer}");
}

async fn remove(appliance: &Appliance, browser: &mut Browser) {
    let path = format!("{PAGE}/remove");
    let page = browser.get(appliance, &path).await.expect(200);
    assert!(page.body.contains("Remove your key for “Files”?"), "{}", page.body);
    let answer = browser.submit(appliance, &page, &path, &[]).await.expect(303);
    assert_eq!(answer.location(), "/dashboard?done=own-key-removed");
}

#[tokio::test]
async fn a_key_that_is_replaced_or_removed_counts_at_the_next_call() {
    let story = Story::with_keys().await;
    let mut browser = Browser::signed_in(&story.appliance).await;
    story.ada.call(FILES, "echo", json!({"text": "x"})).await.expect(200);
    enter(&story.appliance, &mut browser, " Bearer ntn_new\n").await.expect(303);
    story.ada.call(FILES, "echo", json!({"text": "x"})).await.expect(200);
    assert_eq!(story.upstream.last().header("authorization"), "Bearer ntn_new");

    remove(&story.appliance, &mut browser).await;
    let refused = story.ada.call(FILES, "echo", json!({"text": "x"})).await.expect(200).json().await;
    assert_eq!(refused["error"]["code"], 428);
    assert_eq!(story.upstream.seen().len(), 2);
    story.ben.call(FILES, "echo", json!({"text": "x"})).await.expect(200);
    assert_eq!(story.upstream.last().header("authorization"), format!("Bearer {BENS}"), "his is not touched");
}

#[tokio::test]
async fn a_key_that_the_server_does_not_take_is_told_to_its_owner() {
    let story = Story::with_keys().await;
    let says_401 = json!({"status": 401, "headers": {"www-authenticate": "Bearer realm=\"elsewhere\""}});
    let mut answer = story.ada.call(FILES, "answer", says_401).await.expect(200);
    assert_eq!(answer.header("www-authenticate"), "");
    let text = answer.json().await["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(text, format!("Files does not take your key. Enter a good one at {} and try again.", story.page_url()));
    story.ada.call(FILES, "answer", json!({"status": 403})).await.expect(502);
}

#[tokio::test]
async fn a_session_is_its_users_alone() {
    let story = Story::with("");
    let begun = story.ada.post(FILES, &initialize(&json!({})), &[]).await.expect(200);
    let adas = begun.header("mcp-session-id").to_owned();
    assert!(adas.ends_with("session-1") && adas != "session-1", "{adas}");
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let before = story.upstream.seen().len();

    for session in [adas.as_str(), "session-1", "", &adas[1..], &adas.replace("session-1", "session-2")] {
        let headers = [("mcp-session-id", session)];
        let mut answer = story.ben.post(FILES, &list, &headers).await.expect(404);
        let error = answer.json().await;
        assert_eq!(error["error"]["message"], "There is no such session. Begin a new one with initialize.");
        story.ben.send(Method::GET, FILES, &headers, String::new()).await.expect(404);
        story.ben.send(Method::DELETE, FILES, &headers, String::new()).await.expect(404);
        if session != adas {
            story.ada.post(FILES, &list, &headers).await.expect(404);
        }
    }
    let twice = [("mcp-session-id", adas.as_str()), ("mcp-session-id", adas.as_str())];
    story.ada.post(FILES, &list, &twice).await.expect(404);
    assert_eq!(story.upstream.seen().len(), before, "none of it reached the server");

    story.ada.post(FILES, &list, &[("mcp-session-id", &adas)]).await.expect(200);
    assert_eq!(story.upstream.last().header("mcp-session-id"), "session-1");
    // It means nothing in a revision without sessions, and does not go on.
    let (message, headers) = modern("tools/call", "echo", &json!({}), &json!({}));
    let mut headers = borrowed(&headers);
    headers.push(("mcp-session-id", "session-1"));
    story.ben.post(FILES, &message, &headers).await.expect(200);
    assert!(!story.upstream.last().headers.contains_key("mcp-session-id"));
}

#[tokio::test]
async fn a_session_outlives_a_restart_of_keyward() {
    let mut story = Story::with("");
    let begun = story.ada.post(FILES, &initialize(&json!({})), &[]).await.expect(200);
    let session = begun.header("mcp-session-id").to_owned();
    story.appliance.restart();
    let (_, token) = story.appliance.personal_token("Desk");
    let ada = Wire::to(story.appliance.listen(), &token);
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    ada.post(FILES, &list, &[("mcp-session-id", &session)]).await.expect(200);
}

#[tokio::test]
async fn a_key_outlives_a_restart_and_goes_to_no_other_address() {
    let mut story = Story::with_keys().await;
    story.appliance.restart();
    let (_, token) = story.appliance.personal_token("Desk");
    let ada = Wire::to(story.appliance.listen(), &token);
    ada.call(FILES, "echo", json!({"text": "x"})).await.expect(200);
    assert_eq!(story.upstream.last().header("authorization"), format!("Bearer {ADAS}"));

    let elsewhere = Upstream::start();
    reconfigure(&mut story.appliance, &guard(&elsewhere, "credential = { prefix = \"Bearer \", per_user = true }"));
    let ada = Wire::to(story.appliance.listen(), &token);
    let refused = ada.call(FILES, "echo", json!({"text": "x"})).await.expect(200).json().await;
    let text = refused["error"]["message"].as_str().unwrap();
    assert!(text.starts_with("Files has moved since you entered your key. Enter it again at "), "{text}");
    assert_eq!(elsewhere.seen().len(), 0);
    let mut browser = Browser::signed_in(&story.appliance).await;
    let page = browser.get(&story.appliance, PAGE).await.expect(200);
    assert!(page.body.contains("not in use"), "{}", page.body);
    enter(&story.appliance, &mut browser, ADAS).await.expect(303);
    ada.call(FILES, "echo", json!({"text": "x"})).await.expect(200);
    assert_eq!(elsewhere.last().header("authorization"), format!("Bearer {ADAS}"));
}

/// Starts with another configuration file.
fn reconfigure(appliance: &mut Appliance, text: &str) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    appliance.reconfigure(&[("KEYWARD_CONFIG", file.path().to_str().unwrap())]);
}

#[tokio::test]
async fn keys_go_with_their_server_and_their_user() {
    let mut story = Story::with_keys().await;
    let name = ServerName::parse("files").unwrap();
    let wants = guard(&story.upstream, "credential = { per_user = true }");
    let has_key = |appliance: &Appliance, user: UserId| {
        appliance.app.upstream_key_place(user, &name).is_ok_and(|place| place.since.is_some())
    };
    let (ada, ben) = (story.appliance.admin.id, story.bens_id);

    // A name that is mistyped for a while costs nobody a key.
    reconfigure(&mut story.appliance, "");
    story.appliance.app.sweep().unwrap();
    reconfigure(&mut story.appliance, &wants);
    assert!(has_key(&story.appliance, ada) && has_key(&story.appliance, ben));

    story.appliance.app.delete_user(story.appliance.by_admin(), ben).unwrap();
    assert!(has_key(&story.appliance, ada) && !has_key(&story.appliance, ben));
    assert!(story.appliance.app.live().upstream_key(ben, &name).is_none());

    reconfigure(&mut story.appliance, "");
    story.appliance.advance(days(1));
    story.appliance.app.sweep().unwrap();
    assert!(story.appliance.app.live().upstream_key(ada, &name).is_none());
    reconfigure(&mut story.appliance, &wants);
    assert!(!has_key(&story.appliance, ada));
}

#[tokio::test]
async fn the_page_is_for_whom_it_concerns_and_takes_what_can_be_a_key() {
    let story = Story::with("users = [\"ada\"]\ncredential = { per_user = true }\n[servers.mail]\nurl = \"http://h\"");
    let mut ben = Browser::new();
    ben.sign_in(&story.appliance, "ben", "four quiet random words").await.expect(303);
    ben.get(&story.appliance, PAGE).await.expect(404);
    assert!(!ben.get(&story.appliance, "/dashboard").await.expect(200).body.contains("needs your key"));

    let mut ada = Browser::signed_in(&story.appliance).await;
    for other in ["mail", "keyward", "nothing", "Files", "..%2f"] {
        ada.get(&story.appliance, &format!("/dashboard/servers/{other}/key")).await.expect(404);
    }
    let home = ada.get(&story.appliance, "/dashboard").await.expect(200);
    assert!(home.body.contains("needs your key") && home.body.contains(PAGE), "{}", home.body);
    let long = "x".repeat(4097);
    for (key, why) in [("", "Enter the key."), (" ", "Enter the key."), ("a\u{e4}", "ASCII"), (&long, "at most 4096")] {
        let page = enter(&story.appliance, &mut ada, key).await.expect(422);
        assert!(page.body.contains(why) && (key.len() < 2 || !page.body.contains(key)), "{}", page.body);
    }
    let stored = enter(&story.appliance, &mut ada, ADAS).await.expect(303);
    assert_eq!(stored.location(), format!("{PAGE}?done=own-key-stored"));
    let page = ada.get(&story.appliance, stored.location()).await.expect(200);
    assert!(page.body.contains("Your key is stored.") && page.body.contains("Replace the key"), "{}", page.body);
    assert!(ada.get(&story.appliance, "/dashboard").await.body.contains("has your key"));
    // Ben cannot put one in by the form of hers either.
    let form = Browser::form(&page, PAGE);
    assert_eq!(ben.send(&story.appliance, PAGE, &form, &[("key", BENS)]).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_in_no_log_no_page_and_no_file() {
    let upstream = Upstream::start();
    let place = tempfile::tempdir().unwrap();
    let (data, log, file) = (place.path().join("data"), place.path().join("log"), place.path().join("keyward.toml"));
    std::fs::write(&file, guard(&upstream, "credential = { prefix = \"Bearer \", per_user = true }")).unwrap();
    let variables = [("KEYWARD_CONFIG", file.to_str().unwrap()), ("KEYWARD_LOG", "trace")];
    let served = Served::start_with(&data, free_address(), File::create(&log).unwrap(), &variables);

    let mut person = set_up(&served);
    let (_, token) = make_token(&served, &mut person, "Laptop");
    let page = person.get(&served, PAGE);
    let wrong = person.submit(&served, &page, PAGE, &[("key", &format!("{ADAS}\u{e4}"))]);
    assert_eq!((wrong.status, wrong.body.contains(ADAS)), (422, false));
    assert_eq!(person.submit(&served, &page, PAGE, &[("key", ADAS)]).status, 303);
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let answer = served.send("POST", FILES, &headers, &call);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(upstream.last().header("authorization"), format!("Bearer {ADAS}"));
    for path in [PAGE, "/dashboard", "/dashboard/servers/files/key/remove"] {
        let page = person.get(&served, path);
        assert_eq!((page.status, page.body.contains(ADAS)), (200, false), "{path}");
    }
    served.stop();

    let mut files = Vec::new();
    read_all(place.path(), &mut files);
    assert!(files.iter().any(|(name, bytes)| name == "log" && contains(bytes, "key of the user's own")));
    assert!(files.iter().any(|(name, bytes)| name == "keyward.redb" && contains(bytes, "upstream_keys")));
    for (name, bytes) in files {
        assert!(!contains(&bytes, ADAS) && !contains(&bytes, "hunter2"), "{name}");
    }
}

fn read_all(folder: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else if path.is_file() {
            into.push((path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()));
        }
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

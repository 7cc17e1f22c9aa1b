//! Clients of both eras over children of either.

use super::client::{Mcp, PATH, appliance, section};
use crate::support::{Appliance, Wire, until};
use keyward::app::personal_tokens::{Made, NewPersonalToken};
use keyward::id::TokenId;
use keyward::oauth::scope::ScopeSet;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_client_calls_a_tool_in_its_session() {
    let appliance = appliance("");
    let mut client = Mcp::legacy(&appliance);
    let result = client.initialize(json!({})).await;
    assert_eq!(result["protocolVersion"], "2025-11-25");
    assert_eq!(result["serverInfo"]["name"], "scripted");
    assert_eq!(result["instructions"], "Follow the script.");
    assert!(client.session().len() >= 43);
    let tools = client.ask("tools/list", json!({})).await;
    assert_eq!(tools["result"]["tools"][0]["name"], "echo");
    assert_eq!(client.told("echo", json!({"a": "ä\n\"b\""})).await, json!({"a": "ä\n\"b\""}));
    assert_eq!(client.ask("ping", json!({})).await["result"], json!({}));
    let unknown = client.ask("tools/call", json!({"name": "nothing"})).await;
    assert_eq!(unknown["error"]["message"], "Unknown tool nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_client_that_loses_its_session_header_is_served_all_the_same() {
    let appliance = appliance("");
    let client = Mcp::legacy(&appliance);
    assert_eq!(client.told("echo", json!({"a": 1})).await, json!({"a": 1}));
    let mut batch = client
        .send(&json!([
            {"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {"name": "slow", "arguments": {"ms": 50}}},
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "id": "b", "method": "ping"},
            {"jsonrpc": "2.0", "id": "c", "method": "tools/list"},
        ]))
        .await;
    let answers = batch.json().await;
    let mut ids: Vec<&str> = answers.as_array().unwrap().iter().map(|answer| answer["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["a", "b", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modern_client_gets_what_its_era_asks_for_from_a_legacy_child() {
    let appliance = appliance("");
    let client = Mcp::modern(&appliance, json!({}));
    let info = json!({"name": "scripted", "version": "1"});
    let discovered = client.ask("server/discover", json!({})).await["result"].clone();
    assert_eq!(discovered["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(discovered["resultType"], "complete");
    assert_eq!(discovered["_meta"]["io.modelcontextprotocol/serverInfo"], info);
    assert_eq!(discovered["instructions"], "Follow the script.");
    assert!(discovered["ttlMs"].is_u64());

    let listed = client.ask("tools/list", json!({})).await["result"].clone();
    assert_eq!(
        (&listed["resultType"], &listed["cacheScope"], &listed["ttlMs"]),
        (&json!("complete"), &json!("private"), &json!(0))
    );
    let mut called = client.send(&client.call("echo", json!({"a": 1}))).await.expect(200);
    assert!(called.header("mcp-session-id").is_empty());
    let called = called.json().await["result"].clone();
    assert_eq!(called["_meta"]["io.modelcontextprotocol/serverInfo"], info);
    assert_eq!(called["resultType"], "complete");

    for gone in ["ping", "initialize", "logging/setLevel", "resources/subscribe", "no/such"] {
        let mut answer = client.send(&client.request(gone, json!({}))).await.expect(404);
        assert_eq!(answer.json().await["error"]["code"], -32601, "{gone}");
    }
    let missing = client.ask("resources/read", json!({"uri": "test://none"})).await;
    assert_eq!(missing["error"]["code"], -32602, "a code of this era");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_child_sees_nothing_of_the_modern_era() {
    let appliance = appliance("");
    let client = Mcp::modern(&appliance, json!({}));
    client.tool("echo", json!({})).await;
    let mut seen = client.told("seen", json!({})).await;
    let asked = seen.as_array_mut().unwrap().remove(0);
    assert_eq!(asked["method"], "server/discover", "whether it speaks that era");
    let text = seen.to_string();
    assert!(!text.contains("io.modelcontextprotocol/") && !text.contains("2026"), "{text}");
    assert_eq!(seen[0]["method"], "initialize");
    assert_eq!(seen[1]["method"], "notifications/initialized");
    assert_eq!(seen[2]["params"], json!({"name": "echo", "arguments": {}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_say_something_else_than_the_body_reach_no_child() {
    let appliance = appliance("");
    let client = Mcp::modern(&appliance, json!({}));
    let mut message = client.call("echo", json!({}));
    message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2025-11-25");
    assert_eq!(client.send(&message).await.expect(400).json().await["error"]["code"], -32020);
    assert!(appliance.children.view().children.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_comes_on_the_way_under_the_clients_own_token() {
    let appliance = appliance("");
    let legacy = Mcp::with_session(&appliance, json!({})).await;
    for client in [&legacy, &Mcp::modern(&appliance, json!({}))] {
        let mut message = client.call("progress", json!({}));
        message["params"]["_meta"]["progressToken"] = json!("my-token");
        let mut stream = client.stream(&message).await;
        for step in 1..=3 {
            let progress = stream.message().await;
            assert_eq!(progress["params"], json!({"progressToken": "my-token", "progress": step, "total": 3}));
        }
        let end = stream.message().await;
        assert_eq!((&end["id"], &end["result"]["content"][0]["text"]), (&message["id"], &json!("done")));
        assert_eq!(stream.next().await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modern_child_serves_both_eras() {
    let appliance = Appliance::with_file(&section("", "STDIO_CHILD = \"modern\""));
    let modern = Mcp::modern(&appliance, json!({}));
    assert_eq!(modern.ask("server/discover", json!({})).await["result"]["cacheScope"], "private");
    assert_eq!(modern.told("echo", json!({"a": 1})).await, json!({"a": 1}));
    let mut stream = modern
        .stream(&modern.request("subscriptions/listen", json!({"notifications": {"toolsListChanged": true}})))
        .await;
    let acknowledged = stream.message().await;
    let id = acknowledged["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"].clone();
    modern.tool("change", json!({})).await;
    let changed = stream.message().await;
    assert_eq!(changed["method"], "notifications/tools/list_changed");
    assert_eq!(changed["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], id);
    assert!(id.as_u64().unwrap() >= 100, "the client's own id: {id}");

    let mut legacy = Mcp::legacy(&appliance);
    let result = legacy.initialize(json!({})).await;
    assert_eq!((&result["protocolVersion"], &result["capabilities"]), (&json!("2025-11-25"), &json!({"tools": {}})));
    assert_eq!(legacy.told("echo", json!({"a": 2})).await, json!({"a": 2}));
    let seen = legacy.told("seen", json!({})).await;
    let lifted = seen.as_array().unwrap().iter().rev().find(|message| message["params"]["name"] == "echo").unwrap();
    assert_eq!(lifted["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
    assert_eq!(legacy.ask("ping", json!({})).await["result"], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_of_an_old_revision_is_served_by_one_that_http_has() {
    let appliance = Appliance::with_file(&section("", "STDIO_CHILD = \"legacy\", STDIO_VERSION = \"2024-11-05\""));
    let result = Mcp::legacy(&appliance).initialize(json!({})).await;
    assert_eq!(result["protocolVersion"], "2025-03-26");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modern_client_is_told_of_changes_on_its_subscription() {
    let appliance = appliance("");
    let client = Mcp::modern(&appliance, json!({}));
    let wanted = json!({"toolsListChanged": true, "promptsListChanged": true, "resourceSubscriptions": ["test://a"]});
    let request = client.request("subscriptions/listen", json!({"notifications": wanted}));
    let mut stream = client.stream(&request).await;
    let stamp = |message: &Value| message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"].clone();
    let acknowledged = stream.message().await;
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    let granted = json!({"toolsListChanged": true, "resourceSubscriptions": ["test://a"]});
    assert_eq!(acknowledged["params"]["notifications"], granted, "what the child does not offer is not granted");
    assert_eq!(stamp(&acknowledged), request["id"]);

    client.tool("touch", json!({"uri": "test://b"})).await;
    client.tool("touch", json!({"uri": "test://a"})).await;
    client.tool("change", json!({})).await;
    let updated = stream.message().await;
    assert_eq!((&updated["params"]["uri"], stamp(&updated)), (&json!("test://a"), request["id"].clone()));
    assert_eq!(stream.message().await["method"], "notifications/tools/list_changed");
    drop(stream);
    until("the child is told", async || client.tool("seen", json!({})).await.contains("resources/unsubscribe")).await;

    let nothing = client.request("subscriptions/listen", json!({"notifications": {}}));
    let mut stream = client.stream(&nothing).await;
    stream.message().await;
    let end = stream.message().await;
    assert_eq!((&end["id"], &end["result"]["resultType"]), (&nothing["id"], &json!("complete")));
    let wrong = client.ask("subscriptions/listen", json!({})).await;
    assert_eq!(wrong["error"]["code"], -32602);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modern_client_that_wants_the_log_gets_it_with_its_answer() {
    let appliance = appliance("");
    let client = Mcp::modern(&appliance, json!({}));
    let mut message = client.call("log", json!({}));
    message["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = json!("debug");
    let mut stream = client.stream(&message).await;
    assert_eq!(stream.message().await["params"]["data"], "logged");
    assert_eq!(stream.message().await["id"], message["id"]);
    let quiet = client.send(&client.call("log", json!({}))).await.expect(200);
    assert_eq!(quiet.header("content-type"), "application/json");
    let seen = client.told("seen", json!({})).await;
    let levels = seen.as_array().unwrap().iter().filter(|message| message["method"] == "logging/setLevel");
    assert_eq!(levels.map(|message| message["params"]["level"].clone()).collect::<Vec<_>>(), ["debug"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_of_both_eras_speaks_that_of_its_clients() {
    let appliance = Appliance::with_file(&section("", "STDIO_CHILD = \"both\""));
    let modern = Mcp::modern(&appliance, json!({}));
    let seen = modern.told("seen", json!({})).await;
    assert_eq!(seen[0]["method"], "server/discover");
    assert_eq!(seen[1]["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"], "2026-07-28", "{seen}");

    let legacy = Mcp::with_session(&appliance, json!({})).await;
    let seen = legacy.told("seen", json!({})).await;
    assert_eq!(seen[0]["method"], "initialize");
    assert!(!seen.to_string().contains("2026"), "{seen}");
    let mut stream = legacy.listen().await;
    legacy.tool("change", json!({})).await;
    assert_eq!(stream.message().await["method"], "notifications/tools/list_changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_ends_when_it_is_asked_first_is_never_asked_again() {
    let starts = tempfile::NamedTempFile::new().unwrap();
    let environment = format!("STDIO_CHILD = \"dies\", STDIO_STARTS = {:?}", starts.path());
    let mut appliance = Appliance::with_file(&section("max_children = 1", &environment));
    let member = appliance.add_member("eva");
    let count = || std::fs::read_to_string(starts.path()).unwrap().lines().count();
    assert_eq!(Mcp::modern(&appliance, json!({})).told("echo", json!({"a": 1})).await, json!({"a": 1}));
    assert_eq!(count(), 2, "again, and greeted as it likes");
    let other = Mcp::modern_of(&appliance, member.id);
    assert_eq!(other.told("echo", json!({"a": 2})).await, json!({"a": 2}));
    assert_eq!(count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_does_not_answer_when_it_is_asked_first_is_waited_for_only_once() {
    let mut appliance = Appliance::with_file(&section("", "STDIO_CHILD = \"ignores\""));
    let member = appliance.add_member("eva");
    assert_eq!(Mcp::modern(&appliance, json!({})).told("echo", json!({"a": 1})).await, json!({"a": 1}));
    let other = Mcp::modern_of(&appliance, member.id);
    let answered = tokio::time::timeout(Duration::from_secs(4), other.told("echo", json!({"a": 2}))).await;
    assert_eq!(answered.expect("no wait"), json!({"a": 2}));
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_headers_repeat_are_the_same_in_the_body() {
    let appliance = appliance("");
    let client = Mcp::modern(&appliance, json!({}));
    let regional = |region: &str| client.call("regional", json!({"region": region}));
    let told = async |region: &str, headers: &[(&str, &str)]| {
        let mut answer = client.send_with(&regional(region), headers).await;
        let body = answer.json().await;
        (answer.status.as_u16(), body["error"]["code"].as_i64().unwrap_or_default())
    };
    let param = "mcp-param-region";
    // Nobody has asked for the list yet: Keyward does.
    assert_eq!(told("eu", &[(param, "us")]).await, (400, -32020));
    assert_eq!(told("eu", &[(param, "eu")]).await, (200, 0));
    assert_eq!(told("eu", &[(param, "=?base64?ZXU=?=")]).await, (200, 0));
    assert_eq!(told("eu", &[(param, "=?base64?ZXU?=")]).await, (400, -32020));
    assert_eq!(told("eu", &[(param, "eu"), (param, "eu")]).await, (400, -32020));
    assert_eq!(told("eu", &[]).await, (400, -32020), "somebody on the way may have looked for it");
    assert_eq!(client.send(&client.call("regional", json!({}))).await.status, 200);
    assert_eq!(client.send(&client.call("echo", json!({"region": "eu"}))).await.status, 200);
    let legacy = Mcp::with_session(&appliance, json!({})).await;
    assert_eq!(legacy.send(&legacy.call("regional", json!({"region": "eu"}))).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_says_that_its_tools_have_changed_is_heard_again_though_no_client_listens() {
    let appliance = appliance("");
    let id = TokenId::generate(appliance.app.now(), appliance.app.entropy());
    let scopes = ScopeSet::parse("mcp:read").unwrap();
    let new = NewPersonalToken { id, name: "Reader".to_owned(), expires_at: None, servers: None, scopes };
    let Made::Now(_, token) = appliance.app.create_personal_token(appliance.admin.id, &new).unwrap() else { panic!() };
    let reader = Wire::to(appliance.listen(), token.expose());
    reader.call(PATH, "look", json!({})).await.expect(200);
    let all = Mcp::legacy(&appliance);
    let answer = all.send(&all.call("change", json!({}))).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    let refused = reader.call(PATH, "look", json!({})).await.expect(403);
    assert!(refused.header("www-authenticate").ends_with("scope=\"mcp\""), "{:?}", refused.headers);
}

//! The built-in MCP server and its tools, as clients of both eras use them.

use crate::support::{Agent, Answer, Appliance, Browser};
use axum::body::Body;
use axum::http::Method;
use keyward::clock::days;
use keyward::id::TokenId;
use serde_json::{Value, json};

const MODERN: &str = "2026-07-28";

/// A client that holds a token and speaks one revision of the protocol.
struct Client<'a> {
    appliance: &'a Appliance,
    bearer: String,
    revision: &'static str,
}

impl<'a> Client<'a> {
    fn new(appliance: &'a Appliance, token: &str, revision: &'static str) -> Self {
        Self { appliance, bearer: format!("Bearer {token}"), revision }
    }

    async fn post(&self, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut all = vec![
            ("authorization", self.bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        all.extend_from_slice(headers);
        self.appliance.request(Method::POST, "/mcp", &all, Body::from(body.to_owned())).await
    }

    async fn ask(&self, method: &str, mut params: Value) -> Answer {
        let mut headers = vec![("mcp-protocol-version", self.revision)];
        let name = params["name"].as_str().map(str::to_owned);
        if self.revision == MODERN {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": {"name": "probe", "version": "1"},
            });
            headers.push(("mcp-method", method));
            headers.extend(name.as_deref().map(|name| ("mcp-name", name)));
        }
        let body = json!({"jsonrpc": "2.0", "id": "q-1", "method": method, "params": params});
        self.post(&body.to_string(), &headers).await
    }

    #[track_caller]
    fn result_of(&self, answer: Answer) -> Value {
        let json = answer.expect(200).json();
        assert_eq!((&json["jsonrpc"], &json["id"], &json["error"]), (&json!("2.0"), &json!("q-1"), &Value::Null));
        let modern = self.revision == MODERN;
        assert_eq!(json["result"]["resultType"], if modern { json!("complete") } else { Value::Null });
        let info = &json["result"]["_meta"]["io.modelcontextprotocol/serverInfo"];
        assert_eq!(info["name"], if modern { json!("keyward") } else { Value::Null });
        json["result"].clone()
    }

    /// Calls a tool and gives its structured content, which must fit what the tool declares.
    async fn call(&self, tool: &str, arguments: Value) -> Value {
        let definition = self.definition(tool).await;
        let answer = self.ask("tools/call", json!({"name": tool, "arguments": arguments})).await;
        let result = self.result_of(answer);
        assert_eq!(result.get("isError"), None, "{result}");
        let content = result["structuredContent"].clone();
        let text = result["content"][0]["text"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), content);
        assert_fits(&definition["outputSchema"], &content);
        content
    }

    /// Calls a tool that must fail and gives its words.
    async fn fail(&self, tool: &str, arguments: Value) -> String {
        let answer = self.ask("tools/call", json!({"name": tool, "arguments": arguments})).await;
        let result = self.result_of(answer);
        assert_eq!(result["isError"], true, "{result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    }

    async fn definition(&self, tool: &str) -> Value {
        let list = self.result_of(self.ask("tools/list", json!({})).await);
        list["tools"].as_array().unwrap().iter().find(|known| known["name"] == tool).unwrap().clone()
    }
}

/// The part of JSON Schema that the tools use.
fn assert_fits(schema: &Value, value: &Value) {
    for key in schema.as_object().unwrap().keys() {
        let known =
            ["type", "properties", "required", "additionalProperties", "items", "enum", "description", "format"];
        assert!(known.contains(&key.as_str()), "{key}");
    }
    if let Some(allowed) = schema.get("enum") {
        assert!(allowed.as_array().unwrap().contains(value), "{value} is not among {allowed}");
    }
    match (schema["type"].as_str().unwrap(), value) {
        ("object", Value::Object(members)) => {
            for name in schema["required"].as_array().unwrap() {
                assert!(members.contains_key(name.as_str().unwrap()), "{name} is missing in {value}");
            }
            for (name, member) in members {
                let schema = schema["properties"].get(name);
                assert_fits(schema.unwrap_or_else(|| panic!("{name} is not declared")), member);
            }
        }
        ("array", Value::Array(items)) => items.iter().for_each(|item| assert_fits(&schema["items"], item)),
        ("string", Value::String(_)) | ("boolean", Value::Bool(_)) => {}
        (kind, value) => panic!("{value} is no {kind}"),
    }
}

#[tokio::test]
async fn a_legacy_client_shakes_hands_and_calls_a_tool() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("Laptop");
    for (asked, got) in [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2025-03-26", "2025-03-26"),
        ("2024-11-05", "2025-11-25"),
        (MODERN, "2025-11-25"),
    ] {
        let client = Client::new(&appliance, &token, got);
        let info = json!({"protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "p", "version": "1"}});
        let body = json!({"jsonrpc": "2.0", "id": "q-1", "method": "initialize", "params": info});
        let answer = client.post(&body.to_string(), &[]).await;
        assert_eq!(answer.header("mcp-session-id"), "", "no sessions");
        let result = client.result_of(answer);
        assert_eq!(result["protocolVersion"], got, "{asked}");
        assert_eq!(result["capabilities"], json!({"tools": {}}));
        assert_eq!(result["serverInfo"]["name"], "keyward");

        let notification = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let answer = client.post(notification, &[("mcp-protocol-version", got)]).await.expect(202);
        assert_eq!(answer.body, "");
        assert_eq!(client.result_of(client.ask("ping", json!({})).await), json!({}));
        let list = client.result_of(client.ask("tools/list", json!({})).await);
        assert_eq!(list["tools"].as_array().unwrap().len(), 4);
        assert_eq!(list.get("ttlMs"), None);
        assert_eq!(client.call("whoami", json!({})).await["user"]["name"], "ada");
    }
}

#[tokio::test]
async fn a_modern_client_needs_no_handshake() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("Laptop");
    let client = Client::new(&appliance, &token, MODERN);
    let discovered = client.result_of(client.ask("server/discover", json!({})).await);
    assert_eq!(discovered["supportedVersions"], json!([MODERN]));
    assert_eq!(discovered["capabilities"], json!({"tools": {}}));
    let list = client.result_of(client.ask("tools/list", json!({})).await);
    for cacheable in [&discovered, &list] {
        assert!(cacheable["ttlMs"].is_u64());
        assert_eq!(cacheable["cacheScope"], "private");
    }
    assert_eq!(client.call("whoami", json!({})).await["user"]["name"], "ada");
}

#[tokio::test]
async fn methods_that_do_not_exist_are_told_in_the_form_of_the_era() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("Laptop");
    let (legacy, modern) = (Client::new(&appliance, &token, "2025-11-25"), Client::new(&appliance, &token, MODERN));
    let neither = ["resources/list", "prompts/list", "logging/setLevel", "completion/complete", "no/such", ""];
    for method in neither.into_iter().chain(["server/discover", "subscriptions/listen"]) {
        assert_eq!(legacy.ask(method, json!({})).await.expect(200).json()["error"]["code"], -32601, "{method}");
    }
    for method in neither.into_iter().chain(["initialize", "ping", "resources/subscribe", "subscriptions/listen"]) {
        assert_eq!(modern.ask(method, json!({})).await.expect(404).json()["error"]["code"], -32601, "{method}");
    }
}

#[tokio::test]
async fn whoami_knows_the_personal_token_by_its_present_name() {
    let appliance = Appliance::new();
    let (id, token) = appliance.personal_token("Laptop");
    let client = Client::new(&appliance, &token, MODERN);
    let who = client.call("whoami", json!({})).await;
    assert_eq!(who["user"], json!({"id": appliance.admin.id.to_string(), "name": "ada", "role": "admin"}));
    assert_eq!(
        who["token"],
        json!({
            "kind": "personal", "id": id.to_string(), "name": "Laptop",
            "issued_at": "2026-11-23T02:13:20Z", "expires_at": "2027-11-23T02:13:20Z",
        })
    );
    assert_eq!((&who["servers"], &who["scopes"]), (&json!(["keyward"]), &json!(["mcp"])));
    assert_eq!(who.get("client"), None);

    appliance.app.rename_personal_token(appliance.admin.id, id, "Desk").unwrap();
    assert_eq!(client.call("whoami", json!({})).await["token"]["name"], "Desk");
    let without_arguments = client.ask("tools/call", json!({"name": "whoami"})).await;
    assert_eq!(client.result_of(without_arguments)["structuredContent"]["token"]["name"], "Desk");
}

#[tokio::test]
async fn whoami_knows_the_client_that_was_connected() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Probe").await;
    let grant = agent.connect(&appliance, &mut browser).await;
    let who = Client::new(&appliance, &grant.access_token, "2025-06-18").call("whoami", json!({})).await;
    assert_eq!(who["client"], json!({"id": agent.client_id, "name": "Probe"}));
    assert_eq!((&who["token"]["kind"], who["token"].get("name")), (&json!("access"), None));
    assert_eq!(who["scopes"], json!(["mcp"]));
}

#[tokio::test]
async fn a_client_lists_servers_and_tokens_but_never_a_token_itself() {
    let appliance = Appliance::new();
    let (laptop, token) = appliance.personal_token("Laptop");
    appliance.advance(days(1));
    let (desk, _) = appliance.personal_token("Desk");
    appliance.advance(std::time::Duration::from_millis(1));
    let (old, _) = appliance.personal_token("Old");
    appliance.app.revoke_personal_token(appliance.admin.id, old).unwrap();
    let client = Client::new(&appliance, &token, "2025-11-25");
    let servers = client.call("list_servers", json!({})).await;
    assert_eq!(
        servers["servers"],
        json!([{"name": "keyward", "title": "Keyward", "url": appliance.mcp_url(), "this": true}])
    );

    let list = client.call("list_my_tokens", json!({})).await;
    let list = list["tokens"].as_array().unwrap();
    let ids: Vec<_> = list.iter().map(|token| token["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, [desk.to_string(), laptop.to_string()]);
    assert_eq!((&list[0]["in_use"], list[0].get("last_used")), (&json!(false), None));
    assert_eq!((&list[1]["in_use"], &list[1]["last_used"]["at"]), (&json!(true), &json!("2026-11-24T02:13:20Z")));
    assert!(!json!(list).to_string().contains(&token[..40]));

    let all = client.call("list_my_tokens", json!({"include_ended": true})).await;
    assert_eq!(all["tokens"].as_array().unwrap().len(), 3);
    assert_eq!(all["tokens"][0]["state"], "revoked");
}

#[tokio::test]
async fn a_token_is_revoked_only_under_its_repeated_name() {
    let appliance = Appliance::new();
    let (id, token) = appliance.personal_token("Laptop");
    let (old, old_token) = appliance.personal_token("Old");
    let client = Client::new(&appliance, &token, MODERN);
    let old = old.to_string();
    for (arguments, told) in [
        (json!({}), "missing field `confirm_name`"),
        (json!({"confirm_name": "Old"}), "by id or by name"),
        (json!({"id": old, "name": "Old", "confirm_name": "Old"}), "by id or by name"),
        (json!({"id": old, "confirm_name": "Laptop"}), "is not the name of that token, which is “Old”"),
        (json!({"id": old, "confirm_name": "old"}), "is not the name"),
        (json!({"id": "tok_1", "confirm_name": "Old"}), "no such token"),
        (json!({"id": id.to_string().replace("tok_", "grt_"), "confirm_name": "Laptop"}), "no such token"),
        (json!({"name": "Other", "confirm_name": "Other"}), "no such token"),
        (json!({"id": TokenId::from_bytes([9; 16]).to_string(), "confirm_name": "Old"}), "no such token"),
        (json!({"id": old, "confirm_name": "Old", "force": true}), "unknown field `force`"),
        (json!({"id": old, "confirm_name": true}), "invalid type: boolean"),
    ] {
        let words = client.fail("revoke_my_token", arguments.clone()).await;
        assert!(words.contains(told), "{arguments}: {words}");
    }
    crate::support::call(&appliance, &old_token).await.expect(200);

    let revoked = client.call("revoke_my_token", json!({"name": "Old", "confirm_name": "Old"})).await;
    assert_eq!(revoked, json!({"id": old, "name": "Old", "state": "revoked", "was_in_use": false}));
    crate::support::call(&appliance, &old_token).await.expect(401);
    client.call("revoke_my_token", json!({"id": old, "confirm_name": "Old"})).await;

    let own = client.call("revoke_my_token", json!({"id": id.to_string(), "confirm_name": "Laptop"})).await;
    assert_eq!(own["was_in_use"], true);
    client.ask("tools/list", json!({})).await.expect(401);
}

#[tokio::test]
async fn a_call_that_does_not_fit_is_told_apart_from_a_tool_that_does_not_exist() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("Laptop");
    for revision in ["2025-03-26", "2025-11-25", MODERN] {
        let client = Client::new(&appliance, &token, revision);
        assert!(client.fail("whoami", json!({"x": 1})).await.contains("unknown field `x`"));
        for params in [
            json!({"name": "no_such_tool", "arguments": {}}),
            json!({"name": "WHOAMI"}),
            json!({"name": "", "arguments": {}}),
            json!({"name": 7}),
            json!({"arguments": {}}),
            json!({"name": "whoami", "arguments": []}),
            json!({"name": "whoami", "arguments": "{}"}),
        ] {
            let error = client.ask("tools/call", params.clone()).await.expect(200).json()["error"].clone();
            assert_eq!(error["code"], -32602, "{params}");
        }
        let error = client.ask("tools/list", json!({"cursor": "x"})).await.expect(200).json();
        assert_eq!(error["error"]["code"], -32602);
    }
}

#[tokio::test]
async fn a_batch_is_answered_element_by_element() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("Laptop");
    let client = Client::new(&appliance, &token, "2025-03-26");
    let batch = json!([
        {"jsonrpc": "2.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "whoami"}},
        {"jsonrpc": "2.0", "id": 3, "method": "initialize", "params": {"protocolVersion": "2025-03-26"}},
        {"jsonrpc": "2.0", "id": 4, "method": "ping", "params": {"_meta": {
            "io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}
        }}},
        7,
    ])
    .to_string();
    let answers = client.post(&batch, &[]).await.expect(200).json();
    let codes: Vec<_> =
        answers.as_array().unwrap().iter().map(|a| (a["id"].clone(), a["error"]["code"].clone())).collect();
    let expected = [
        (json!(1), Value::Null),
        (json!(2), Value::Null),
        (json!(3), json!(-32600)),
        (json!(4), json!(-32020)),
        (Value::Null, json!(-32600)),
    ];
    assert_eq!(codes, expected);
    assert_eq!(answers[1]["result"]["structuredContent"]["user"]["name"], "ada");

    let quiet = r#"[{"jsonrpc":"2.0","method":"notifications/initialized"}]"#;
    assert_eq!(client.post(quiet, &[]).await.expect(202).body, "");
    for version in ["2025-06-18", "2025-11-25", MODERN] {
        client.post(&batch, &[("mcp-protocol-version", version)]).await.expect(400);
    }
}

#[tokio::test]
async fn a_malformed_message_gets_a_json_rpc_error_and_never_a_server_error() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("Laptop");
    let client = Client::new(&appliance, &token, "2025-11-25");
    for (body, code) in [
        ("", -32700),
        ("{", -32700),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"", -32700),
        ("null", -32600),
        ("[]", -32600),
        ("{}", -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, -32600),
    ] {
        let answer = client.post(body, &[]).await.expect(400).json();
        assert_eq!(answer["error"]["code"], code, "{body}");
        assert_eq!(answer["id"], if body.contains("\"params\":[]") { json!(1) } else { Value::Null }, "{body}");
    }
    for params in [r#"{"name":"whoami","name":"revoke_my_token"}"#, r#"{"_meta":{},"_meta":{}}"#, r#"{"_meta":1}"#] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        let answer = client.post(&body, &[]).await;
        assert_eq!(answer.json()["error"]["code"], -32602, "{body}");
    }
    for params in ["{}", r#"{"protocolVersion":1}"#, r#"{"protocolVersion":"2025-11-25","protocolVersion":"x"}"#] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{params}}}"#);
        assert_eq!(client.post(&body, &[]).await.expect(200).json()["error"]["code"], -32602, "{body}");
    }
}

#[tokio::test]
async fn there_are_no_streams_and_no_sessions() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("Laptop");
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("accept", "text/event-stream"), ("mcp-session-id", "x")];
    for method in [Method::GET, Method::DELETE, Method::PUT] {
        let answer = appliance.request(method, "/mcp", &headers, Body::empty()).await.expect(405);
        assert_eq!(answer.header("allow"), "POST, OPTIONS");
        assert_eq!(answer.json()["error"]["code"], 405);
    }
    // A session id from before is of no matter.
    let client = Client::new(&appliance, &token, "2025-11-25");
    let ping = r#"{"jsonrpc":"2.0","id":"q-1","method":"ping"}"#;
    client.result_of(client.post(ping, &[("mcp-session-id", "lost")]).await);
}

#[tokio::test]
async fn accept_is_read_with_good_will() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("Laptop");
    let bearer = format!("Bearer {token}");
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    for (accept, status) in [
        (None, 200),
        (Some("application/json"), 200),
        (Some("text/event-stream, application/json;q=0.9"), 200),
        (Some("*/*"), 200),
        (Some("Application/*"), 200),
        (Some("text/event-stream"), 406),
        (Some("text/html"), 406),
    ] {
        let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/json; charset=utf-8")];
        headers.extend(accept.map(|accept| ("accept", accept)));
        let answer = appliance.request(Method::POST, "/mcp", &headers, Body::from(ping)).await;
        assert_eq!(answer.status, status, "{accept:?}");
    }
}

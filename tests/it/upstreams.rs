//! MCP servers that are reached over HTTP: a real one behind the real router, over real connections.

use crate::support::{Agent, Appliance, Browser, Seen, Upstream, Wire, descriptors, memory, tasks, until};
use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;

const FILES: &str = "/mcp/files";

/// An appliance that guards an upstream as `files`, and somebody with a token.
struct Story {
    appliance: Appliance,
    upstream: Upstream,
    wire: Wire,
}

impl Story {
    fn new() -> Self {
        Self::with("")
    }

    /// With more lines about the server.
    fn with(lines: &str) -> Self {
        let upstream = Upstream::start();
        let appliance = Appliance::with_file(&guard(&upstream, lines));
        let (_, token) = appliance.personal_token("Laptop");
        let wire = Wire::to(appliance.listen(), &token);
        Self { appliance, upstream, wire }
    }

    async fn echo(&self, text: &str) -> (u16, Value) {
        let mut answer = self.wire.call(FILES, "echo", json!({"text": text})).await;
        (answer.status.as_u16(), answer.json().await)
    }

    #[track_caller]
    fn told_once(&self) -> Seen {
        let seen = self.upstream.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.into_iter().next().unwrap()
    }
}

fn guard(upstream: &Upstream, lines: &str) -> String {
    format!("[servers.files]\ntitle = \"Files\"\nurl = \"{}\"\n{lines}\n", upstream.url())
}

fn echoed(text: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "result": {"content": [{"type": "text", "text": text}]}})
}

#[tokio::test]
async fn a_call_reaches_the_upstream_and_the_answer_the_client() {
    let story = Story::new();
    assert_eq!(story.echo("hello").await, (200, echoed("hello")));
    let list = json!({"jsonrpc": "2.0", "id": "a", "method": "tools/list"});
    let tools = story.wire.post(FILES, &list, &[]).await.expect(200).json().await;
    assert_eq!(tools["result"]["tools"][0]["name"], "echo");
    let seen = story.upstream.seen();
    assert_eq!((seen[0].target.as_str(), &seen[1].body), ("/mcp", &list));
    assert_eq!(seen[0].header("host"), story.upstream.address.to_string());
}

#[tokio::test]
async fn the_upstream_learns_who_calls_and_nothing_that_proves_it() {
    let story = Story::new();
    let claimed = [
        ("x-keyward-user", "root"),
        ("x-keyward-client", "root"),
        ("x-keyward-assertion", "eyJ"),
        ("x-keyward-anything", "x"),
        ("x_keyward_user", "root"),
        ("x.keyward-user", "root"),
        ("x~keyward~user-id", "root"),
        ("mcp_session_id", "another's"),
        ("cookie", "session=1"),
        ("connection", "keep-alive, x-hop, x-keyward-user"),
        ("x-hop", "1"),
        ("x-forwarded-for", "192.0.2.7"),
        ("accept-encoding", "gzip"),
        ("mcp-param-region", "eu"),
        ("traceparent", "00-1-2-00"),
    ];
    let message = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let path = format!("{FILES}?key=secret");
    story.wire.post(&path, &message, &claimed).await.expect(202);
    let seen = story.told_once();
    assert_eq!(seen.target, "/mcp");
    assert_eq!(seen.header("x-keyward-user"), "ada");
    assert_eq!(seen.header("x-keyward-user-id"), story.appliance.admin.id.to_string());
    assert_eq!(seen.header("x-keyward-scopes"), "mcp");
    assert_eq!((seen.header("mcp-param-region"), seen.header("traceparent")), ("eu", "00-1-2-00"));
    assert_eq!(seen.header("accept-encoding"), "identity");
    let gone = ["authorization", "cookie", "x-hop", "x-forwarded-for", "x-keyward-assertion", "x-keyward-anything"];
    for name in gone.into_iter().chain(["x-keyward-client"]) {
        assert!(!seen.headers.contains_key(name), "{name}");
    }
    let others =
        seen.headers.keys().filter(|name| !name.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    assert_eq!(others.count(), 0, "{:?}", seen.headers);
}

#[tokio::test]
async fn a_token_for_one_server_opens_no_other_and_names_its_client() {
    let upstream = Upstream::start();
    let text = format!("{}[servers.mail]\nurl = \"{}\"\n", guard(&upstream, ""), upstream.url());
    let appliance = Appliance::with_file(&text);
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Desk").await;
    let files = appliance.url_of("files");
    let callback = agent.authorize_with(&appliance, &mut browser, &[("resource", &files)], "approve").await;
    let code = crate::support::parameter(&callback, "code").unwrap();
    let token = agent.redeem_with(&appliance, &code, &[("resource", &files)]).await.expect(200).json();
    let wire = Wire::to(appliance.listen(), token["access_token"].as_str().unwrap());

    wire.call(FILES, "echo", json!({"text": "x"})).await.expect(200);
    assert_eq!(upstream.last().header("x-keyward-client"), agent.client_id);
    for other in ["/mcp/mail", "/mcp"] {
        let refused = wire.call(other, "echo", json!({"text": "x"})).await.expect(401);
        let challenge = refused.header("www-authenticate");
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        let metadata = format!("/.well-known/oauth-protected-resource{other}\"");
        assert!(challenge.contains(&metadata), "{challenge}");
    }
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn each_server_has_metadata_of_its_own() {
    let story = Story::new();
    let path = "/.well-known/oauth-protected-resource/mcp/files";
    let document = story.appliance.get(path, &[]).await.expect(200).json();
    assert_eq!(document["resource"], story.appliance.url_of("files"));
    assert_eq!(document["resource_name"], "Files");
    let main = story.appliance.get("/.well-known/oauth-protected-resource/mcp", &[]).await.expect(200).json();
    assert_eq!(main["resource"], story.appliance.mcp_url());
    story.appliance.get("/.well-known/oauth-protected-resource", &[]).await.expect(404);
    story.appliance.get("/.well-known/oauth-protected-resource/mcp/mail", &[]).await.expect(404);
}

#[tokio::test]
async fn a_server_may_take_the_main_place_and_the_built_in_one_moves() {
    let story = Story::with("path = \"/mcp\"");
    story.wire.call("/mcp", "echo", json!({"text": "x"})).await.expect(200);
    story.wire.call(FILES, "echo", json!({"text": "x"})).await.expect(404);
    let me = story.wire.call("/mcp/keyward", "whoami", json!({})).await.expect(200).json().await;
    assert_eq!(me["result"]["structuredContent"]["user"]["name"], "ada", "{me}");
    assert_eq!(story.upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_server_that_is_off_is_not_there() {
    let story = Story::with("enabled = false");
    story.wire.call(FILES, "echo", json!({"text": "x"})).await.expect(404);
    story.appliance.get("/.well-known/oauth-protected-resource/mcp/files", &[]).await.expect(404);
    assert_eq!(story.upstream.seen().len(), 0);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_never_passed() {
    let story = Story::new();
    let json_type = [("content-type", "application/json")];
    for (headers, body, status) in [
        (&json_type[..], "not json", 400),
        (&json_type[..], "", 400),
        (&json_type[..], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"method\":\"b\"}", 400),
        (&[("content-type", "text/plain")][..], "{}", 415),
        (&[][..], "{}", 415),
    ] {
        let mut refused = story.wire.send(Method::POST, FILES, headers, body.to_owned()).await.expect(status);
        assert!(refused.json().await["error"]["message"].is_string());
    }
    let large = format!("\"{}\"", "x".repeat(5 * 1024 * 1024));
    story.wire.send(Method::POST, FILES, &json_type, large).await.expect(413);
    let wrong = story.wire.send(Method::PUT, FILES, &json_type, "{}".to_owned()).await.expect(405);
    assert_eq!(wrong.header("allow"), "POST, GET, DELETE, OPTIONS");
    assert_eq!(story.upstream.seen().len(), 0);
}

#[tokio::test]
async fn events_arrive_when_they_are_sent() {
    let story = Story::new();
    let mut events = story.wire.call(FILES, "steps", json!({"count": 3})).await.expect(200);
    assert_eq!(events.header("content-type"), "text/event-stream");
    assert_eq!((events.header("x-accel-buffering"), events.header("cache-control")), ("no", "no-cache"));
    for step in 1..=3 {
        story.upstream.step();
        let event = events.next().await.unwrap().unwrap();
        assert_eq!(event, format!("id: {step}\ndata: {{\"step\":{step}}}\n\n"));
    }
    assert_eq!(events.next().await.unwrap(), None);
    story.upstream.until_open(0).await;
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_upstreams_work() {
    let story = Story::new();
    // In mid-stream.
    let mut events = story.wire.call(FILES, "steps", json!({"count": 3})).await;
    story.upstream.step();
    events.next().await.unwrap().unwrap();
    assert_eq!(story.upstream.open(), 1);
    drop(events);
    story.upstream.until_open(0).await;

    // Before there is an answer.
    let call = story.wire.call(FILES, "slow", json!({}));
    assert!(tokio::time::timeout(Duration::from_millis(300), call).await.is_err());
    story.upstream.until_open(0).await;
    assert_eq!(story.upstream.seen().len(), 2, "nothing is asked twice");
}

#[tokio::test]
async fn a_session_of_an_older_client_passes_through() {
    let story = Story::new();
    let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}});
    let begun = story.wire.post(FILES, &initialize, &[]).await.expect(200);
    let session = begun.header("mcp-session-id").to_owned();
    assert!(session.ends_with("session-1"), "{session}");
    let headers = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-11-25")];

    let resume = [headers[0], headers[1], ("last-event-id", "41")];
    let mut events = story.wire.send(Method::GET, FILES, &resume, String::new()).await.expect(200);
    assert_eq!((&story.upstream.last().method, story.upstream.last().header("last-event-id")), (&Method::GET, "41"));
    story.upstream.step();
    assert!(events.next().await.unwrap().unwrap().contains("\"step\":1"));
    drop(events);
    story.upstream.until_open(0).await;

    story.wire.send(Method::DELETE, FILES, &headers, String::new()).await.expect(204);
    let mut gone = story.wire.send(Method::GET, FILES, &headers, String::new()).await.expect(404);
    assert_eq!(gone.rest().await, "no such session", "so that the client begins anew");
}

#[tokio::test]
async fn an_upstream_that_dies_in_mid_stream_is_not_taken_for_one_that_ends() {
    let story = Story::new();
    let mut events = story.wire.call(FILES, "die", json!({})).await.expect(200);
    assert!(events.next().await.unwrap().unwrap().contains("\"step\":1"));
    assert!(events.next().await.is_err());
    assert_eq!(story.echo("again").await.0, 200);
}

#[tokio::test]
async fn an_upstream_that_hangs_up_is_asked_once() {
    let story = Story::new();
    for _ in 0..3 {
        assert_eq!(story.echo("warm").await.0, 200, "so that there is a connection that is used again");
        let before = story.upstream.seen().len();
        let mut answer = story.wire.call(FILES, "hang-up", json!({})).await.expect(502);
        let error = answer.json().await;
        assert_eq!((&error["id"], &error["error"]["code"]), (&json!(7), &json!(502)));
        assert!(error["error"]["message"].as_str().unwrap().contains("is not known"), "{error}");
        assert_eq!(story.upstream.seen().len(), before + 1);
    }
}

#[tokio::test]
async fn an_upstream_may_restart() {
    let mut story = Story::new();
    assert_eq!(story.echo("before").await.0, 200);
    let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}});
    let begun = story.wire.post(FILES, &initialize, &[]).await.expect(200);
    let address = story.upstream.address;
    story.upstream = story.upstream.restart().await;
    assert_eq!(story.upstream.address, address);
    assert_eq!(story.echo("after").await, (200, echoed("after")), "the connection that is gone is not used");
    let session = [("mcp-session-id", begun.header("mcp-session-id"))];
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let mut gone = story.wire.post(FILES, &message, &session).await.expect(404);
    assert_eq!(gone.rest().await, "no such session");

    let Story { upstream, wire, appliance: _appliance } = story;
    upstream.stop().await;
    let mut refused = wire.call(FILES, "echo", json!({"text": "x"})).await.expect(502);
    let error = refused.json().await;
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("cannot be reached") && !message.contains("127.0.0.1"), "{message}");
}

#[tokio::test]
async fn an_upstream_that_is_slow_is_given_up() {
    let story = Story::with("first_byte_timeout = \"1s\"\nidle_timeout = \"1s\"");
    let mut answer = story.wire.call(FILES, "slow", json!({})).await.expect(504);
    let error = answer.json().await;
    assert_eq!((&error["id"], &error["error"]["code"]), (&json!(7), &json!(504)));
    story.upstream.until_open(0).await;

    let mut events = story.wire.call(FILES, "steps", json!({"count": 2})).await.expect(200);
    story.upstream.step();
    events.next().await.unwrap().unwrap();
    assert!(events.next().await.is_err(), "nothing came for a second");
    story.upstream.until_open(0).await;
}

#[tokio::test]
async fn an_upstream_that_takes_no_connection_is_given_up() {
    // An address of documentation networks, to which nothing leads; where that is known at once, it is a 502.
    let appliance = Appliance::with_file("[servers.far]\nurl = \"http://192.0.2.1:9/mcp\"\nconnect_timeout = \"1s\"");
    let (_, token) = appliance.personal_token("Laptop");
    let wire = Wire::to(appliance.listen(), &token);
    let answer = wire.call("/mcp/far", "echo", json!({"text": "x"})).await;
    assert!([502, 504].contains(&answer.status.as_u16()), "{}", answer.status);

    // One that takes it and then says nothing: TLS is part of the connection.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/mcp", silent.local_addr().unwrap());
    let appliance = Appliance::with_file(&format!("[servers.far]\nurl = \"{url}\"\nconnect_timeout = \"1s\""));
    let (_, token) = appliance.personal_token("Laptop");
    let wire = Wire::to(appliance.listen(), &token);
    let mut answer = wire.call("/mcp/far", "echo", json!({"text": "x"})).await.expect(504);
    let error = answer.json().await;
    assert_eq!((&error["id"], &error["error"]["code"]), (&json!(7), &json!(504)));
    drop(silent);
    let mut refused = wire.call("/mcp/far", "echo", json!({"text": "x"})).await.expect(502);
    assert_eq!(refused.json().await["error"]["code"], 502);
}

#[tokio::test]
async fn a_large_answer_passes_whole() {
    let story = Story::new();
    let mut answer = story.wire.call(FILES, "big", json!({})).await.expect(200);
    let length: usize = answer.header("content-length").parse().unwrap();
    let text = answer.rest().await;
    assert!(text.len() == length && length > 10 * 1024 * 1024, "{length}");
    let mut events = story.wire.call(FILES, "many", json!({"count": 640})).await.expect(200);
    let text = events.rest().await;
    assert_eq!(text.len(), 640 * (16 * 1024 + "data: \n\n".len()));
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_upstream_back() {
    let story = Story::new();
    let mut events = story.wire.call(FILES, "many", json!({"count": 20_000})).await.expect(200);
    events.next().await.unwrap().unwrap();
    let mut sent = 0;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let before = std::mem::replace(&mut sent, story.upstream.sent());
        if before == sent {
            break;
        }
    }
    // What the kernel holds for the connections; 320 MB would come.
    assert!(sent < 2_000, "{sent} of 20000");
    assert_eq!(story.upstream.open(), 1);
    drop(events);
    story.upstream.until_open(0).await;
}

#[tokio::test]
async fn what_an_upstream_wants_from_us_is_not_told_to_the_client() {
    let story = Story::new();
    let bearer = json!({"www-authenticate": "Bearer resource_metadata=\"https://elsewhere/x\"", "set-cookie": "a=b"});
    let elsewhere = json!({"location": "https://elsewhere/"});
    for (status, headers) in [
        (401, &bearer),
        (403, &bearer),
        (407, &json!({"proxy-authenticate": "Basic"})),
        (301, &elsewhere),
        (307, &elsewhere),
        (308, &elsewhere),
        (304, &json!({})),
        (500, &json!({"content-type": "text/html"})),
        (503, &json!({})),
    ] {
        let arguments = json!({"status": status, "headers": headers, "body": "<p>inner"});
        let before = story.upstream.seen().len();
        let mut answer = story.wire.call(FILES, "answer", arguments).await.expect(502);
        for name in ["www-authenticate", "set-cookie", "location", "proxy-authenticate"] {
            assert_eq!(answer.header(name), "", "{status}");
        }
        let error = answer.json().await;
        assert_eq!((&error["id"], &error["error"]["code"]), (&json!(7), &json!(502)), "{error}");
        assert!(!error.to_string().contains("inner"), "{error}");
        assert_eq!(story.upstream.seen().len(), before + 1, "not followed, not repeated");
    }
}

#[tokio::test]
async fn what_an_upstream_says_in_json_rpc_passes() {
    let story = Story::new();
    let headers = json!({
        "content-type": "application/json", "set-cookie": "a=b", "access-control-allow-origin": "*",
        "strict-transport-security": "max-age=1", "x-anything": "1",
    });
    for (status, code) in [(500, -32603), (400, -32600), (404, -32601), (200, -32602)] {
        let body = json!({"jsonrpc": "2.0", "id": 7, "error": {"code": code, "message": "upstream's words"}});
        let arguments = json!({"status": status, "headers": headers, "body": body.to_string()});
        let mut answer = story.wire.call(FILES, "answer", arguments).await.expect(status);
        assert_eq!(answer.header("x-anything"), "1");
        for name in ["set-cookie", "access-control-allow-origin", "strict-transport-security"] {
            assert_eq!(answer.header(name), "", "{status}");
        }
        assert_eq!(answer.json().await, body);
    }
}

#[tokio::test]
async fn what_an_upstream_says_about_revisions_is_told_in_our_name() {
    let story = Story::new();
    let ask = async |error: Value| {
        let body = json!({"jsonrpc": "2.0", "id": 7, "error": error}).to_string();
        let headers = json!({"content-type": "application/json"});
        story.wire.call(FILES, "answer", json!({"status": 400, "headers": headers, "body": body})).await
    };
    let data = json!({"supported": ["2027-01-01", "2025-11-25"], "requested": "2026-07-28", "inner": "10.0.0.7"});
    let mut told = ask(json!({"code": -32022, "message": "inner words", "data": data})).await.expect(400);
    let told = told.json().await;
    assert_eq!((&told["id"], &told["error"]["code"]), (&json!(7), &json!(-32022)));
    assert_eq!(told["error"]["data"], json!({"supported": ["2025-11-25"], "requested": "2026-07-28"}));
    assert!(!told.to_string().contains("inner"), "{told}");
    ask(json!({"code": -32022, "message": "x", "data": {"supported": ["2027-01-01"]}})).await.expect(502);
    let data = json!({"requiredCapabilities": {"sampling": {}}});
    let mut told = ask(json!({"code": -32021, "message": "x", "data": data})).await.expect(400);
    assert_eq!(told.json().await["error"]["data"], data);
}

#[tokio::test]
async fn an_upstream_gets_its_credential_instead_of_the_clients() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"hunter2\n").unwrap();
    let lines = format!("credential = {{ file = {:?}, prefix = \"Bearer \" }}", file.path());
    let story = Story::with(&lines);
    assert_eq!(story.echo("x").await.0, 200);
    assert_eq!(story.told_once().header("authorization"), "Bearer hunter2");
}

#[tokio::test]
async fn an_assertion_can_be_checked_with_the_published_keys_and_is_no_token_here() {
    let story = Story::with("assertion = true");
    assert_eq!(story.echo("x").await.0, 200);
    let assertion = story.told_once().header("x-keyward-assertion").to_owned();
    let parts: Vec<&str> = assertion.split('.').collect();
    let json = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let (header, claims) = (json(parts[0]), json(parts[1]));

    let jwks = story.appliance.get("/.well-known/jwks.json", &[]).await.expect(200).json();
    let key = jwks["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
    let key = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
    let signed = format!("{}.{}", parts[0], parts[1]);
    let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key);
    key.verify(signed.as_bytes(), &signature).unwrap();

    assert_eq!(header["typ"], "assertion+jwt");
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(story.appliance.issuer()), &json!(story.upstream.url())));
    assert_eq!(claims["sub"], story.appliance.admin.id.to_string());
    assert_eq!((&claims["username"], &claims["server"]), (&json!("ada"), &json!("files")));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);

    let address = story.appliance.listen();
    for path in [FILES, "/mcp"] {
        Wire::to(address, &assertion).call(path, "echo", json!({"text": "x"})).await.expect(401);
    }

    assert_eq!(story.echo("y").await.0, 200);
    assert_eq!(story.upstream.last().header("x-keyward-assertion"), assertion, "used again for a while");
    story.appliance.advance(Duration::from_secs(31));
    assert_eq!(story.echo("z").await.0, 200);
    assert_ne!(story.upstream.last().header("x-keyward-assertion"), assertion);
}

/// In a process of its own, whose memory and descriptors are nobody else's.
#[test]
fn a_thousand_sessions_opened_and_dropped_leave_nothing_behind() {
    let alone = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "upstreams::a_thousand_sessions_alone", "--nocapture"])
        .env("UPSTREAMS_ALONE", "1")
        .output()
        .unwrap();
    let (out, errors) = (String::from_utf8_lossy(&alone.stdout), String::from_utf8_lossy(&alone.stderr));
    assert!(alone.status.success() && out.contains("1,000 sessions"), "{out}\n{errors}");
    println!("{out}");
}

#[tokio::test]
async fn a_thousand_sessions_alone() {
    if std::env::var_os("UPSTREAMS_ALONE").is_none() {
        return;
    }
    let story = Story::new();
    let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}});
    let round = async || {
        let mut streams = Vec::new();
        for _ in 0..50 {
            let begun = story.wire.post(FILES, &initialize, &[]).await.expect(200);
            let session = [("mcp-session-id", begun.header("mcp-session-id"))];
            streams.push(story.wire.send(Method::GET, FILES, &session, String::new()).await.expect(200));
        }
        assert_eq!(story.upstream.open(), 50);
        drop(streams);
        story.upstream.until_open(0).await;
    };
    assert_eq!(story.echo("warm").await.0, 200);
    let quiet = tasks();
    let mut numbers = Vec::new();
    for half in [500, 500] {
        for _ in 0..half / 50 {
            round().await;
            story.upstream.forget();
        }
        until("no task is left", async || tasks() <= quiet).await;
        until("no connection is left", async || numbers.first().is_none_or(|(before, _)| descriptors() <= *before))
            .await;
        numbers.push((descriptors(), memory()));
    }
    let [half, all] = numbers[..] else { panic!("{numbers:?}") };
    println!(
        "1,000 sessions over HTTP: tasks {quiet} before, {} after; descriptors {} after half of them, {} after all; memory {} \
         kB after half of them, {} kB after all",
        tasks(),
        half.0,
        all.0,
        half.1,
        all.1
    );
    // What the first ones need stays for all others.
    assert!(all.1 < half.1 + 4_000, "{} kB, {} kB before", all.1, half.1);
}

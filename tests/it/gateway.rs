//! Who gets through to a guarded server, and what everybody else is told.

use crate::support::{Agent, Answer, Appliance, Browser, call};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use axum::response::IntoResponse;
use keyward::access::{GuardedServer, ServerDirectory, ServerKind, ServerName};
use keyward::app::personal_tokens::{Made, NewPersonalToken};
use keyward::app::{App, Parts};
use keyward::clock::{Clock, ManualClock, days};
use keyward::config::{Config, Given, load};
use keyward::entropy::SeededEntropy;
use keyward::gateway::stdio::StdioServers;
use keyward::gateway::{self, GatewayOptions, OpenStreams};
use keyward::id::TokenId;
use keyward::oauth::scope::ScopeSet;
use keyward::secret::MasterSecret;
use keyward::store::Store;
use keyward::wire::tls::Roots;
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;
use tower::ServiceExt;

const WAY: &str = "resource_metadata=\"http://127.0.0.1:8080/.well-known/oauth-protected-resource/mcp\", scope=\"mcp\"";
const METHODS: [Method; 6] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS];

async fn send(appliance: &Appliance, method: Method, headers: &[(&str, &str)], body: &str) -> Answer {
    appliance.request(method, "/mcp", headers, Body::from(body.to_owned())).await
}

fn ping() -> serde_json::Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})
}

#[tokio::test]
async fn without_a_token_every_method_is_shown_the_way() {
    let appliance = Appliance::new();
    for method in METHODS {
        let answer = send(&appliance, method.clone(), &[], "").await.expect(401);
        assert_eq!(answer.header("www-authenticate"), format!("Bearer {WAY}"), "{method}");
        let metadata = WAY.split('"').nth(1).unwrap();
        assert_eq!(appliance.get(metadata, &[]).await.expect(200).json()["resource"], appliance.mcp_url());
        if method != Method::HEAD {
            let error = &answer.json()["error"];
            assert_eq!(error["code"], 401);
            assert!(error["message"].as_str().unwrap().contains("personal access token"));
        }
    }
    let basic = send(&appliance, Method::POST, &[("authorization", "Basic YTpi")], "").await.expect(401);
    assert_eq!(basic.header("www-authenticate"), format!("Bearer {WAY}"));
}

#[tokio::test]
async fn a_personal_token_opens_the_server_until_it_is_revoked() {
    let appliance = Appliance::new();
    let (id, token) = appliance.personal_token("Laptop");
    call(&appliance, &token).await.expect(200);
    for scheme in ["bearer", "BEARER"] {
        appliance.post_json("/mcp", &ping(), &[("authorization", &format!("{scheme} {token}"))]).await.expect(200);
    }

    appliance.app.revoke_personal_token(appliance.admin.id, id).unwrap();
    let refused = call(&appliance, &token).await.expect(401);
    assert_eq!(
        refused.header("www-authenticate"),
        format!("Bearer error=\"invalid_token\", error_description=\"The token was revoked\", {WAY}")
    );
    assert_eq!(refused.json()["error"]["message"], "The token was revoked");
}

#[tokio::test]
async fn a_personal_token_ends_after_a_year() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("Laptop");
    appliance.advance(days(364));
    call(&appliance, &token).await.expect(200);
    appliance.advance(days(2));
    let refused = call(&appliance, &token).await.expect(401);
    assert!(refused.header("www-authenticate").contains("The token has expired"));
}

#[tokio::test]
async fn a_client_that_was_allowed_in_gets_in_until_its_connection_is_revoked() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Probe").await;
    let grant = agent.connect(&appliance, &mut browser).await;
    call(&appliance, &grant.access_token).await.expect(200);
    let refresh_token = call(&appliance, &grant.refresh_token).await.expect(401);
    assert!(refresh_token.header("www-authenticate").contains("another kind of credential"));

    appliance.app.revoke_all_connections(appliance.admin.id).unwrap();
    let refused = call(&appliance, &grant.access_token).await.expect(401);
    assert!(refused.header("www-authenticate").contains("connect again"));
}

#[tokio::test]
async fn what_cannot_be_read_is_a_bad_request_and_what_is_not_ours_is_a_bad_token() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("Laptop");
    let bearer = format!("Bearer {token}");
    let oversized = format!("Bearer {}", "a".repeat(9_000));
    for value in ["Bearer garbage", "Bearer a.b.c", &bearer[..bearer.len() - 1], &oversized] {
        let answer = send(&appliance, Method::POST, &[("authorization", value)], "").await.expect(401);
        let challenge = answer.header("www-authenticate");
        assert!(challenge.starts_with("Bearer error=\"invalid_token\", "), "{challenge}");
        assert!(challenge.contains("not a token that this server issued") && challenge.ends_with(WAY), "{challenge}");
    }
    for value in ["Bearer", "Bearer ", "Bearer a b", "Bearer \"x\"", "Bearer: x", &format!("{bearer}, {bearer}")] {
        let answer = send(&appliance, Method::POST, &[("authorization", value)], "").await.expect(400);
        assert!(answer.header("www-authenticate").starts_with("Bearer error=\"invalid_request\", "), "{value}");
    }
    let twice = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    send(&appliance, Method::POST, &twice, "").await.expect(400);
}

#[tokio::test]
async fn a_token_in_the_url_or_the_form_counts_for_nothing() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("Laptop");
    let answer = appliance.post_json(&format!("/mcp?access_token={token}"), &ping(), &[]).await.expect(401);
    assert_eq!(answer.header("www-authenticate"), format!("Bearer {WAY}"));
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("never in the URL"));
    assert!(!answer.body.contains(&token));
    appliance.post_form("/mcp", &[("access_token", &token)], &[]).await.expect(401);
    appliance.post_json("/mcp", &ping(), &[("cookie", &format!("access_token={token}"))]).await.expect(401);
}

#[tokio::test]
async fn authentication_is_decided_before_anything_else() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("Laptop");
    let bearer = format!("Bearer {token}");
    let json_type = ("content-type", "application/json");
    for (headers, body, status) in [
        (vec![json_type], "not json", 400),
        (vec![json_type, ("host", "evil.example.com")], "{}", 421),
        (vec![json_type, ("origin", "https://evil.example.com")], "{}", 403),
        (vec![json_type, ("origin", "null")], "{}", 403),
        (vec![("content-type", "text/plain")], "{}", 415),
        (vec![json_type, ("accept", "text/plain")], "{}", 406),
        (vec![json_type, ("mcp-protocol-version", "2026-07-28")], r#"{"jsonrpc":"2.0","id":1,"method":"x"}"#, 400),
    ] {
        send(&appliance, Method::POST, &headers, body).await.expect(401);
        let mut with_token = headers.clone();
        with_token.push(("authorization", &bearer));
        let answer = send(&appliance, Method::POST, &with_token, body).await.expect(status);
        assert_eq!(answer.json()["jsonrpc"], "2.0", "{headers:?}");
    }
}

#[tokio::test]
async fn hosts_and_origins_of_this_machine_pass_on_loopback() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("Laptop");
    let bearer = format!("Bearer {token}");
    for host in ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"] {
        let origin = format!("http://{host}");
        let headers = [("authorization", bearer.as_str()), ("host", host), ("origin", origin.as_str())];
        let answer = appliance.post_json("/mcp", &ping(), &headers).await.expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), origin);
    }
}

#[tokio::test]
async fn a_page_in_a_browser_may_call_and_read_the_challenge() {
    let appliance = Appliance::new();
    let origin = ("origin", "http://localhost:6274");
    let names = "authorization,content-type,mcp-method,mcp-name,mcp-param-region,mcp-protocol-version";
    let asks = [origin, ("access-control-request-method", "POST"), ("access-control-request-headers", names)];
    let answer = send(&appliance, Method::OPTIONS, &asks, "").await.expect(204);
    assert_eq!(answer.header("access-control-allow-headers"), names);
    assert!(answer.header("access-control-allow-methods").contains("POST"));

    let challenge = appliance.post_json("/mcp", &ping(), &[origin]).await.expect(401);
    assert_eq!(challenge.header("access-control-allow-origin"), origin.1);
    assert_eq!(challenge.header("access-control-expose-headers"), "WWW-Authenticate, Mcp-Session-Id");

    let stranger = ("origin", "https://evil.example.com");
    let asks = [stranger, ("access-control-request-method", "POST")];
    let answer = send(&appliance, Method::OPTIONS, &asks, "").await.expect(403);
    assert_eq!(answer.header("access-control-allow-origin"), "");
    let challenge = appliance.post_json("/mcp", &ping(), &[stranger]).await.expect(401);
    assert_eq!(challenge.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn a_person_who_opens_the_url_reads_how_to_connect() {
    let appliance = Appliance::new();
    let accept = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let page = send(&appliance, Method::GET, &[accept], "").await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(page.body.contains("http://127.0.0.1:8080/mcp") && page.body.contains("Claude Code"));

    send(&appliance, Method::GET, &[accept, ("authorization", "Bearer x")], "").await.expect(401);
    send(&appliance, Method::GET, &[("accept", "text/event-stream")], "").await.expect(401);
    send(&appliance, Method::POST, &[accept], "").await.expect(401);
}

#[tokio::test]
async fn a_path_without_a_server_says_so_in_json() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("Laptop");
    let bearer = format!("Bearer {token}");
    for path in ["/mcp/", "/mcp/other", "/mcp/other/deeper", "/mcp/%6Dcp", "/mcp//", "/mcp/..%2f"] {
        let answer = appliance.post_json(path, &ping(), &[("authorization", &bearer)]).await.expect(404);
        assert_eq!(answer.json()["error"]["code"], 404, "{path}");
        appliance.get(path, &[]).await.expect(404);
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let appliance = Appliance::new();
    let (_, token) = appliance.personal_token("Laptop");
    let large = json!({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": "x".repeat(4 << 20)}});
    let answer = appliance.post_json("/mcp", &large, &[("authorization", &format!("Bearer {token}"))]).await;
    assert_eq!(answer.expect(413).json()["error"]["code"], 413);
}

#[tokio::test]
async fn every_use_is_seen_at_once() {
    let appliance = Appliance::new();
    let (id, token) = appliance.personal_token("Laptop");
    let last_use = || appliance.app.personal_token(appliance.admin.id, id).unwrap().last_use;
    assert_eq!(last_use(), None);
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("user-agent", "probe/1.0")];
    appliance.post_json("/mcp", &ping(), &headers).await.expect(200);
    let used = last_use().unwrap();
    assert_eq!((used.at, used.user_agent.as_str()), (appliance.clock.now(), "probe/1.0"));

    let before = appliance.clock.now();
    appliance.advance(days(1));
    appliance.app.revoke_personal_token(appliance.admin.id, id).unwrap();
    appliance.post_json("/mcp", &ping(), &headers).await.expect(401);
    assert_eq!(last_use().unwrap().at, before, "a refusal is no use");
}

/// Two servers behind one gateway, without the rest of the appliance.
struct TwoServers {
    app: Arc<App>,
    router: Router,
    owner: keyward::id::UserId,
}

impl TwoServers {
    fn new() -> Self {
        let entropy = Arc::new(SeededEntropy::new(2));
        let clock = Arc::new(ManualClock::at(keyward::clock::Timestamp::from_unix_seconds(1_795_400_000)));
        let variables = vec![("KEYWARD_PUBLIC_URL".to_owned(), "https://mcp.example.org".to_owned())];
        let loaded = load(Given { variables, ..Given::default() }).unwrap();
        let config = Config::new(loaded, "127.0.0.1:8080".parse().unwrap()).unwrap();
        let name = |text| ServerName::parse(text).unwrap();
        let servers = ServerDirectory::new([
            GuardedServer::main(&config.public_url, name("keyward"), "Keyward", ServerKind::Builtin).unwrap(),
            GuardedServer::further(&config.public_url, name("files"), "Files", ServerKind::Builtin).unwrap(),
        ]);
        let parts = Parts {
            store: Store::in_memory(),
            clock,
            master: MasterSecret::generate(&*entropy),
            entropy,
            options: config.app.clone(),
            servers: servers.unwrap(),
        };
        let app = Arc::new(App::open(parts).unwrap());
        let owner = app.seed_admin("ada", "four quiet random words").unwrap().id;
        let options =
            GatewayOptions { hosts: config.hosts, origins: config.origins, max_body: 4096, roots: Roots::public() };
        let children = StdioServers::new(Arc::clone(&app), config.stdio);
        let streams = OpenStreams::new(Arc::clone(&app));
        let router = gateway::router(&app, options, children, streams, |_| StatusCode::IM_A_TEAPOT.into_response());
        Self { app, router, owner }
    }

    fn token(&self, servers: Option<&[&str]>) -> String {
        let id = TokenId::generate(self.app.now(), self.app.entropy());
        let servers = servers.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let new = NewPersonalToken { id, name: id.to_string(), expires_at: None, servers, scopes: ScopeSet::mcp() };
        match self.app.create_personal_token(self.owner, &new).unwrap() {
            Made::Now(_, token) => token.expose().to_owned(),
            Made::Before(_) => panic!("the id is new"),
        }
    }

    async fn ask(&self, path: &str, token: &str) -> (u16, String) {
        let request = Request::post(path)
            .header("host", "mcp.example.org")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from(ping().to_string()));
        let response = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        let challenge = response.headers().get("www-authenticate");
        (response.status().as_u16(), challenge.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default())
    }
}

#[tokio::test]
async fn a_token_opens_the_servers_that_it_is_for_and_no_other() {
    let servers = TwoServers::new();
    let (all, files) = (servers.token(None), servers.token(Some(&["files"])));
    assert_eq!(servers.ask("/mcp", &all).await.0, 200);
    assert_eq!(servers.ask("/mcp/files", &all).await.0, 200);
    assert_eq!(servers.ask("/mcp/files", &files).await.0, 200);
    let (status, challenge) = servers.ask("/mcp", &files).await;
    assert_eq!(status, 401);
    assert_eq!(
        challenge,
        "Bearer error=\"invalid_token\", error_description=\"The token is not for https://mcp.example.org/mcp, it is \
         for https://mcp.example.org/mcp/files\", \
         resource_metadata=\"https://mcp.example.org/.well-known/oauth-protected-resource/mcp\", scope=\"mcp\""
    );
    let (_, challenge) = servers.ask("/mcp/files", "garbage").await;
    assert!(challenge.contains("/.well-known/oauth-protected-resource/mcp/files\""), "{challenge}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_header_and_no_body_makes_a_server_error(
        name in prop::sample::select(vec![
            "authorization", "accept", "content-type", "origin", "host", "mcp-protocol-version", "mcp-method", "mcp-name",
            "content-length", "access-control-request-headers", "user-agent",
        ]),
        value in proptest::collection::vec(prop_oneof![Just(b' '), 0x21..0x7f_u8, 0x80..=0xff_u8], 0..40),
        body in proptest::collection::vec(any::<u8>(), 0..60),
        method in prop::sample::select(METHODS.to_vec()),
        admitted in any::<bool>(),
    ) {
        thread_local! {
            static SERVERS: (TwoServers, String) = { let all = TwoServers::new(); let token = all.token(None); (all, token) };
        }
        let status = SERVERS.with(|(servers, token)| {
            let mut request = Request::builder().method(method).uri("/mcp").header(name, value.as_slice());
            if admitted && name != "authorization" {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            if name != "host" {
                request = request.header("host", "mcp.example.org");
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let answer = servers.router.clone().oneshot(request.body(Body::from(body)).unwrap());
            runtime.block_on(answer).unwrap().status()
        });
        prop_assert!(!status.is_server_error(), "{status}");
    }
}

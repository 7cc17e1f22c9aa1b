//! Servers behind a proxy of their owner's: what the proxy hears that asks about a request.

use crate::support::{Agent, Answer, Appliance, Browser, parameter};
use axum::body::Body;
use axum::http::{Method, Request};
use keyward::account::usage::LastUse;
use keyward::app::personal_tokens::{Made, NewPersonalToken};
use keyward::clock::{Clock, days};
use keyward::entropy::OsEntropy;
use keyward::id::TokenId;
use keyward::oauth::scope::ScopeSet;
use keyward::wire::client_address::PeerAddress;

const FILE: &str = "\
trusted_proxies = [\"10.0.0.1\"]
[servers.tools]
title = \"Tools\"
proxied_url = \"https://tools.example.org/mcp\"
[servers.notes]
proxied_url = \"http://127.0.0.1:8080/notes/mcp\"
[servers.closed]
proxied_url = \"https://closed.example.org/mcp\"
enabled = false
[servers.private]
proxied_url = \"https://private.example.org/mcp\"
users = [\"ben\"]
[servers.files]
url = \"http://127.0.0.1:9/mcp\"
";
const TOOLS: &str = "https://tools.example.org/mcp";
const WAY: &str =
    "resource_metadata=\"http://127.0.0.1:8080/.well-known/oauth-protected-resource/verify/tools\", scope=\"mcp\"";
const IDENTITY: [&str; 4] = ["x-keyward-user", "x-keyward-user-id", "x-keyward-client", "x-keyward-scopes"];

async fn ask_about(appliance: &Appliance, server: &str, headers: &[(&str, &str)]) -> Answer {
    appliance.get(&format!("/verify/{server}"), headers).await
}

async fn ask(appliance: &Appliance, token: &str) -> Answer {
    ask_about(appliance, "tools", &[("authorization", &format!("Bearer {token}"))]).await
}

/// An access token of a client that was connected to `resource`.
async fn connected(appliance: &Appliance, resource: &str, scope: &str) -> (Agent, String) {
    let mut browser = Browser::signed_in(appliance).await;
    let agent = Agent::register(appliance, "Desk").await;
    let asked = [("resource", resource), ("scope", scope)];
    let callback = agent.authorize_with(appliance, &mut browser, &asked, "approve").await;
    let code = parameter(&callback, "code").unwrap();
    let token = agent.redeem_with(appliance, &code, &[("resource", resource)]).await.expect(200).json();
    (agent, token["access_token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_good_token_is_vouched_for_with_every_identity_header_and_nothing_of_the_clients() {
    let appliance = Appliance::with_file(FILE);
    let (_, token) = appliance.personal_token("Laptop");
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(IDENTITY.map(|name| (name, "root")));
    let answer = ask_about(&appliance, "tools", &headers).await.expect(200);
    let user = appliance.admin.id.to_string();
    assert_eq!(IDENTITY.map(|name| answer.header(name)), ["ada", user.as_str(), "", "mcp"]);
    for name in IDENTITY {
        assert_eq!(answer.headers.get_all(name).iter().count(), 1, "{name} is there, if only to replace a forged one");
    }
    assert_eq!((answer.body.as_str(), answer.header("cache-control")), ("", "no-store"));

    let (agent, token) = connected(&appliance, TOOLS, "mcp").await;
    let answer = ask(&appliance, &token).await.expect(200);
    assert_eq!(IDENTITY.map(|name| answer.header(name)), ["ada", user.as_str(), agent.client_id.as_str(), "mcp"]);
}

#[tokio::test]
async fn whoever_may_not_pass_hears_401_or_403_and_the_way() {
    let appliance = Appliance::with_file(FILE);
    let (_, token) = appliance.personal_token("Laptop");
    let (bearer, forged) = (format!("Bearer {token}"), format!("Bearer {}x", &token[..token.len() - 1]));
    let (two, long) = (format!("{bearer}, {bearer}"), format!("Bearer {}", "a".repeat(9_000)));
    for (name, headers, error) in [
        ("no token", vec![], None),
        ("not for us", vec![("authorization", "Basic YTpi")], None),
        ("in a cookie", vec![("cookie", bearer.as_str())], None),
        ("identity alone", vec![("x-keyward-user", "ada"), ("x-keyward-user-id", "usr_1")], None),
        ("garbage", vec![("authorization", "Bearer garbage")], Some("invalid_token")),
        ("forged", vec![("authorization", forged.as_str())], Some("invalid_token")),
        ("too long", vec![("authorization", long.as_str())], Some("invalid_token")),
        ("empty", vec![("authorization", "Bearer ")], Some("invalid_request")),
        ("two in one", vec![("authorization", two.as_str())], Some("invalid_request")),
        (
            "two headers",
            vec![("authorization", bearer.as_str()), ("authorization", bearer.as_str())],
            Some("invalid_request"),
        ),
    ] {
        let answer = ask_about(&appliance, "tools", &headers).await.expect(401);
        let challenge = answer.header("www-authenticate");
        assert!(challenge.starts_with("Bearer ") && challenge.ends_with(WAY), "{name}: {challenge}");
        let told = error.map(|error| format!("error=\"{error}\""));
        assert_eq!(told.is_some(), challenge.contains("error="), "{name}: {challenge}");
        assert!(told.is_none_or(|told| challenge.contains(&told)), "{name}: {challenge}");
        assert_eq!((&answer.json()["jsonrpc"], answer.header("cache-control")), (&"2.0".into(), "no-store"));
        assert_eq!(IDENTITY.map(|name| answer.header(name)), [""; 4]);
    }
    let answer = ask_about(&appliance, "private", &[("authorization", &bearer)]).await.expect(403);
    assert_eq!(answer.header("www-authenticate"), "", "no token would help");
}

#[tokio::test]
async fn a_token_is_good_for_its_server_and_its_time_only() {
    let appliance = Appliance::with_file(FILE);
    let (_, of_the_main) = connected(&appliance, &appliance.mcp_url(), "mcp").await;
    let (_, of_the_notes) = connected(&appliance, "http://127.0.0.1:8080/notes/mcp", "mcp").await;
    for token in [of_the_main, of_the_notes] {
        let refused = ask(&appliance, &token).await.expect(401);
        assert!(refused.header("www-authenticate").contains("invalid_token"), "{:?}", refused.headers);
    }
    let (_, token) = connected(&appliance, TOOLS, "mcp").await;
    let bearer = format!("Bearer {token}");
    ask(&appliance, &token).await.expect(200);
    ask_about(&appliance, "notes", &[("authorization", &bearer)]).await.expect(401);
    let body = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    appliance.post_json("/mcp", &body, &[("authorization", &bearer)]).await.expect(401);

    let (id, personal) = appliance.personal_token("Laptop");
    ask(&appliance, &personal).await.expect(200);
    appliance.app.revoke_personal_token(appliance.admin.id, id).unwrap();
    assert!(ask(&appliance, &personal).await.expect(401).header("www-authenticate").contains("revoked"));
    appliance.advance(days(1));
    assert!(ask(&appliance, &token).await.expect(401).header("www-authenticate").contains("expired"));
}

#[tokio::test]
async fn only_servers_behind_a_proxy_are_answered_for_and_only_by_their_name_in_the_path() {
    let appliance = Appliance::with_file(FILE);
    let (_, token) = appliance.personal_token("Laptop");
    let bearer = format!("Bearer {token}");
    let chosen = [
        ("authorization", bearer.as_str()),
        ("x-forwarded-uri", "/verify/tools"),
        ("x-original-uri", "/verify/tools"),
        ("x-forwarded-host", "tools.example.org"),
    ];
    for path in [
        "/verify",
        "/verify/",
        "/verify/closed",
        "/verify/files",
        "/verify/keyward",
        "/verify/nobody",
        "/verify/tools/",
        "/verify/Tools",
        "/verify/%74ools",
        "/verify/tools/notes",
        "/verify//tools",
    ] {
        let answer = appliance.get(path, &chosen).await.expect(403);
        assert_eq!((answer.header("www-authenticate"), answer.header("x-keyward-user")), ("", ""), "{path}");
    }
    // And the server is nowhere else.
    let body = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    appliance.post_json("/mcp/tools", &body, &[("authorization", &bearer)]).await.expect(404);
}

#[tokio::test]
async fn what_a_request_says_about_itself_changes_nothing() {
    let appliance = Appliance::with_file(FILE);
    let (_, token) = appliance.personal_token("Laptop");
    let bearer = format!("Bearer {token}");
    let preflight = [
        ("origin", "https://tools.example.org"),
        ("access-control-request-method", "POST"),
        ("x-forwarded-method", "OPTIONS"),
    ];
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS];
    for method in methods {
        let body = || Body::from("not read");
        appliance.request(method.clone(), "/verify/tools", &preflight, body()).await.expect(401);
        for host in ["127.0.0.1:8080", "tools.example.org", "keyward:8080", "evil.example.com"] {
            let headers = [("authorization", bearer.as_str()), ("host", host), ("accept", "text/html")];
            appliance.request(method.clone(), "/verify/tools", &headers, body()).await.expect(200);
        }
    }
    for (origin, status) in [
        ("https://tools.example.org", 200),
        ("http://127.0.0.1:8080", 200),
        ("http://localhost:6274", 200),
        ("https://evil.example.com", 403),
        ("https://tools.example.org.evil.example.com", 403),
        ("null", 403),
    ] {
        let answer = ask_about(&appliance, "tools", &[("authorization", &bearer), ("origin", origin)]).await;
        let answer = answer.expect(status);
        assert_eq!(answer.header("access-control-allow-origin") == origin, status == 200, "{origin}");
        ask_about(&appliance, "tools", &[("origin", origin)]).await.expect(401);
    }
    let two = [
        ("authorization", bearer.as_str()),
        ("origin", "https://tools.example.org"),
        ("origin", "https://evil.example"),
    ];
    ask_about(&appliance, "tools", &two).await.expect(403);
}

#[tokio::test]
async fn a_narrower_token_opens_nothing_and_is_told_what_would() {
    let appliance = Appliance::with_file(FILE);
    let id = TokenId::generate(appliance.clock.now(), &OsEntropy);
    let scopes = ScopeSet::parse("mcp:read").unwrap();
    let new = NewPersonalToken { id, name: "Reader".to_owned(), expires_at: None, servers: None, scopes };
    let Made::Now(_, token) = appliance.app.create_personal_token(appliance.admin.id, &new).unwrap() else { panic!() };
    let token = token.expose();
    let answer = ask(&appliance, token).await.expect(403);
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with("Bearer error=\"insufficient_scope\", ") && challenge.ends_with(WAY), "{challenge}");
}

#[tokio::test]
async fn the_consent_page_offers_the_whole_server_and_nothing_that_could_not_be_held_to() {
    let appliance = Appliance::with_file(FILE);
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = Agent::register(&appliance, "Desk").await;
    let page = |resource, scope| agent.authorize_path(&appliance, &[("resource", resource), ("scope", scope)]);
    let page = browser.get(&appliance, &page(TOOLS, "mcp mcp:read")).await.expect(200);
    assert!(page.body.contains(TOOLS) && page.body.contains("Everything that you may do there"), "{}", page.body);
    assert!(!page.body.contains("mcp:read"), "{}", page.body);
}

#[tokio::test]
async fn the_document_says_where_clients_go_and_the_challenge_where_the_document_is() {
    let appliance = Appliance::with_file(FILE);
    for (server, resource) in [("tools", TOOLS), ("notes", "http://127.0.0.1:8080/notes/mcp")] {
        let challenge = ask_about(&appliance, server, &[]).await.expect(401);
        let link = challenge.header("www-authenticate").split('"').nth(1).unwrap().to_owned();
        let document = appliance.get(&link, &[]).await.expect(200).json();
        assert_eq!(
            (&document["resource"], &document["scopes_supported"]),
            (&resource.into(), &serde_json::json!(["mcp"]))
        );
        assert_eq!(document["authorization_servers"][0], appliance.issuer());
    }
    // On our own host where a client looks that knows the URL alone.
    let challenge = ask_about(&appliance, "notes", &[]).await;
    assert!(challenge.header("www-authenticate").contains("/.well-known/oauth-protected-resource/notes/mcp\""));
    for unknown in ["verify/closed", "verify", "mcp/tools", "closed/mcp", "notes"] {
        appliance.get(&format!("/.well-known/oauth-protected-resource/{unknown}"), &[]).await.expect(404);
    }
}

#[tokio::test]
async fn the_last_use_is_the_callers_as_a_trusted_proxy_tells_it() {
    let appliance = Appliance::with_file(FILE);
    let (id, token) = appliance.personal_token("Laptop");
    let ask_from = async |peer: &str| {
        let request = Request::get("/verify/tools")
            .extension(PeerAddress(peer.parse().unwrap()))
            .header("authorization", format!("Bearer {token}"))
            .header("user-agent", "desk/1")
            .header("x-forwarded-for", "192.0.2.66, 203.0.113.9")
            .header("x-forwarded-method", "POST")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-host", "tools.example.org")
            .header("x-forwarded-uri", "/mcp");
        appliance.send(request.body(Body::empty()).unwrap()).await.expect(200);
        let LastUse { address, user_agent, .. } =
            appliance.app.personal_token(appliance.admin.id, id).unwrap().last_use.unwrap();
        (address.map(|address| address.to_string()), user_agent)
    };
    assert_eq!(ask_from("10.0.0.1:4000").await, (Some("203.0.113.9".to_owned()), "desk/1".to_owned()));
    assert_eq!(ask_from("198.51.100.7:4000").await.0, Some("198.51.100.7".to_owned()), "a stranger chooses no address");
    assert_eq!(ask_from("10.0.0.2:4000").await.0, None, "a proxy that was not named");
}

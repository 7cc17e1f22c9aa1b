//! Whatever is sent to whatever route: a clear answer in the route's own form, never a 5xx, never a stack trace.

use crate::support::{Answer, Appliance, Browser, Served, free_address};
use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Every path of the HTTP surface, and a few that are none.
const PATHS: &[&str] = &[
    "/",
    "/mcp",
    "/mcp/",
    "/mcp/none",
    "/authorize",
    "/token",
    "/register",
    "/register/cli_x",
    "/revoke",
    "/introspect",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-protected-resource//..//",
    "/.well-known/oauth-authorization-server",
    "/.well-known/jwks.json",
    "/login",
    "/logout",
    "/setup",
    "/dashboard",
    "/dashboard/api-keys",
    "/dashboard/api-keys/new",
    "/dashboard/api-keys/x/revoke",
    "/dashboard/api-keys/tok_7zzzzzzzzzzzzzzzzzzzzzzzzz/rename",
    "/dashboard/connections",
    "/dashboard/connections/x/revoke",
    "/dashboard/connections/revoke-all",
    "/dashboard/signing-keys",
    "/dashboard/signing-keys/rotate",
    "/dashboard/signing-keys/x/condemn",
    "/dashboard/clients",
    "/dashboard/clients/new",
    "/dashboard/clients/pin",
    "/dashboard/clients/remove",
    "/dashboard/security",
    "/dashboard/security/password",
    "/dashboard/security/sign-out-everywhere",
    "/dashboard/security/sessions",
    "/dashboard/security/sessions/x/end",
    "/confirm",
    "/assets/none.css",
    "/assets/../../Cargo.toml",
    "/healthz",
    "/readyz",
    "/%00",
    "/%ff%fe",
    "//evil.example/",
    "/none",
];

const TYPES: &[&str] =
    &["application/x-www-form-urlencoded", "application/json", "multipart/form-data", "text/html", "\t;;=", ""];

fn bodies() -> Vec<Vec<u8>> {
    vec![
        vec![],
        b"a=b&a=c&=&&&%".to_vec(),
        b"grant_type=authorization_code&code=%ff%fe&client_id=\0".to_vec(),
        b"{".to_vec(),
        b"null".to_vec(),
        b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[".repeat(40),
        json!({"jsonrpc": "2.0", "id": {"x": []}, "method": 7, "params": "x"}).to_string().into_bytes(),
        json!({"redirect_uris": {"a": 1}, "client_name": 7}).to_string().into_bytes(),
        vec![0xff; 2_000],
        vec![b'a'; 200_000],
    ]
}

fn check(answer: &Answer, what: &str) {
    assert!(!answer.status.is_server_error(), "{what}: {} {}", answer.status, answer.body);
    for leak in ["panicked", "stack backtrace", "src/", ".rs:"] {
        assert!(!answer.body.contains(leak), "{what}: {}", answer.body);
    }
}

#[tokio::test]
async fn no_route_breaks_on_any_body_or_type() {
    let appliance = Appliance::with(&[("KEYWARD_LIMITS_RATE_LIMITS", "false")]);
    let browser = Browser::signed_in(&appliance).await;
    let (_, token) = appliance.personal_token("laptop");
    let bearer = format!("Bearer {token}");
    let cookie = browser.cookie_header();
    for path in PATHS {
        for kind in TYPES {
            for body in bodies() {
                let headers = [
                    ("content-type", *kind),
                    ("authorization", &bearer),
                    ("cookie", &cookie),
                    ("origin", "http://127.0.0.1:8080"),
                ];
                let answer = appliance.request(Method::POST, path, &headers, Body::from(body)).await;
                check(&answer, &format!("POST {path} {kind}"));
            }
        }
    }
}

/// Many clients send the head of a request and its body one after the other, and keep the connection for the next one: the
/// first thing that most of them do is to be refused.
#[test]
fn no_route_ends_a_connection_because_of_a_body_that_it_does_not_want() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder.path().join("keyward"), free_address());
    let stream = TcpStream::connect(served.address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut ask = |path: &str| -> io::Result<String> {
        let head = format!("POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: 5\r\n\r\n", served.address);
        (&stream).write_all(head.as_bytes())?;
        std::thread::sleep(Duration::from_millis(20));
        (&stream).write_all(b"later")?;
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let begin = head.len();
            if answers.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            length =
                head[begin..].strip_prefix("content-length: ").map_or(length, |value| value.trim().parse().unwrap());
        }
        answers.read_exact(&mut vec![0; length])?;
        Ok(head)
    };
    for path in PATHS {
        let head = ask(path).unwrap_or_else(|error| panic!("before or at {path}: {error}"));
        assert!(head.starts_with("HTTP/1.1 ") && !head.contains("\r\nconnection:"), "{path}: {head}");
        assert!(!head.contains("transfer-encoding"), "{path}: {head}");
    }
}

#[tokio::test]
async fn no_route_breaks_on_any_method_query_or_header() {
    let appliance = Appliance::new();
    let browser = Browser::signed_in(&appliance).await;
    let cookie = browser.cookie_header();
    let strange = [
        ("authorization", "Bearer"),
        ("authorization", "Bearer  "),
        ("authorization", "Basic %%%"),
        ("authorization", "Basic Og=="),
        ("authorization", "Bearer a.b.c"),
        ("cookie", "keyward-session=v4.local.x"),
        ("cookie", ";;;=;"),
        ("host", "["),
        ("host", ""),
        ("origin", "null"),
        ("accept", ",;q="),
        ("mcp-protocol-version", "9999"),
        ("x-forwarded-for", ",,,"),
        ("content-length", "0"),
        ("sec-fetch-site", "cross-site"),
    ];
    let queries = [
        "",
        "?",
        "?%",
        "?a=%ff",
        "?client_id=%00&redirect_uri=javascript:x",
        "?next=//evil.example",
        "?secret=kwi_",
        "?client_id=https://[::1]/x",
    ];
    for path in PATHS {
        for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let answer = appliance.request(method.clone(), path, &[("cookie", &cookie)], Body::empty()).await;
            check(&answer, &format!("{method} {path}"));
        }
        for query in queries {
            let answer =
                appliance.get(&format!("{path}{query}"), &[("cookie", &cookie), ("accept", "text/html")]).await;
            check(&answer, &format!("GET {path}{query}"));
        }
        for header in strange {
            check(&appliance.get(path, &[header]).await, &format!("GET {path} {header:?}"));
        }
    }
}

#[tokio::test]
async fn each_kind_of_route_refuses_in_its_own_form() {
    let appliance = Appliance::new();
    let oauth = appliance.post_form("/token", &[("grant_type", "password")], &[]).await;
    assert!(oauth.json()["error"].is_string(), "{}", oauth.body);
    assert_eq!(oauth.header("cache-control"), "no-store");
    let mcp = appliance.post_json("/mcp", &json!({}), &[]).await.expect(401).json();
    assert_eq!(mcp["jsonrpc"], "2.0", "{mcp}");
    assert!(mcp["error"]["message"].is_string(), "{mcp}");
    let page = appliance.get("/dashboard/none", &[("accept", "text/html")]).await.expect(404);
    assert!(page.body.contains("<h1"), "{}", page.body);
    let method = appliance.get("/token", &[]).await.expect(405);
    assert_eq!(method.json()["error"], "invalid_request");
    let none: Value = appliance.get("/mcp/none", &[]).await.expect(404).json();
    assert!(none.is_object());
    let foreign = [("host", "evil.example"), ("accept", "text/html")];
    let page = appliance.get("/login", &foreign).await.expect(421);
    assert!(page.body.contains("<h1") && page.header("content-security-policy").starts_with("default-src 'none'"));
    assert_eq!(appliance.get("/no-such-page", &foreign).await.expect(421).body, page.body);
    let oauth = appliance.post_form("/token", &[], &foreign).await.expect(421);
    assert_eq!(oauth.json()["error"], "invalid_request");
}

#[tokio::test]
async fn a_path_of_a_program_is_refused_in_json_whatever_is_wrong_with_it() {
    let appliance = Appliance::new();
    for (path, status, error) in [
        ("/register/%ff", 401, "invalid_token"),
        ("/register/%00", 401, "invalid_token"),
        ("/.well-known/oauth-protected-resource/%ff", 404, "not_found"),
        ("/.well-known/oauth-protected-resource/mcp/none", 404, "not_found"),
        ("/.well-known/openid-configuration", 404, "not_found"),
        ("/.well-known/oauth-authorization-server/mcp", 404, "not_found"),
        ("/.well-known/%ff", 404, "not_found"),
    ] {
        let answer = appliance.get(path, &[("accept", "text/html")]).await.expect(status);
        assert_eq!(answer.json()["error"], error, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}: a page reads it too");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let appliance = Appliance::new();
    for (path, wrong, right) in [
        ("/token", Method::GET, "POST"),
        ("/register", Method::GET, "POST"),
        ("/register/cli_x", Method::DELETE, "GET,HEAD"),
        ("/revoke", Method::PUT, "POST"),
        ("/introspect", Method::GET, "POST"),
        ("/.well-known/jwks.json", Method::POST, "GET,HEAD"),
        ("/.well-known/oauth-authorization-server", Method::POST, "GET,HEAD"),
        ("/login", Method::PUT, "GET,HEAD,POST"),
        ("/dashboard", Method::POST, "GET,HEAD"),
        ("/dashboard/security/password", Method::GET, "POST"),
        ("/healthz", Method::POST, "GET,HEAD"),
    ] {
        let answer = appliance.request(wrong.clone(), path, &[], Body::empty()).await.expect(405);
        assert_eq!(answer.header("allow"), right, "{wrong} {path}");
        assert!(!answer.body.is_empty(), "{wrong} {path} is told in words");
    }
}

#[tokio::test]
async fn a_long_state_and_a_long_redirect_come_through() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let mut agent = crate::support::Agent::register(&appliance, "Long").await;
    agent.redirect_uri = format!("https://a.example/{}", "x".repeat(2_000));
    let body = json!({"redirect_uris": [agent.redirect_uri], "token_endpoint_auth_method": "none"});
    agent.client_id =
        appliance.post_json("/register", &body, &[]).await.expect(201).json()["client_id"].as_str().unwrap().to_owned();
    let state = "\"".repeat(4_096);
    let callback = agent.authorize_with(&appliance, &mut browser, &[("state", &state)], "approve").await;
    assert_eq!(crate::support::parameter(&callback, "state"), Some(state));
    let code = crate::support::parameter(&callback, "code").unwrap();
    agent.redeem(&appliance, &code).await.expect(200);
}

#[tokio::test]
async fn without_its_store_it_is_not_ready_and_says_so_in_every_form() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    let agent = crate::support::Agent::register(&appliance, "Claude Code").await;
    let (_, token) = appliance.personal_token("laptop");
    appliance.get("/readyz", &[]).await.expect(200);
    appliance.app.close().unwrap();

    appliance.get("/readyz", &[]).await.expect(503);
    appliance.get("/healthz", &[]).await.expect(200);
    crate::support::call(&appliance, &token).await.expect(200);
    crate::support::call(&appliance, "eyJ").await.expect(401);
    appliance.get("/.well-known/jwks.json", &[]).await.expect(200);
    let oauth = agent.redeem(&appliance, "kwc_x").await.expect(503);
    assert_eq!(oauth.json()["error"], "temporarily_unavailable");
    assert!(!oauth.header("retry-after").is_empty());
    let body = json!({"redirect_uris": ["https://other.example/cb"], "token_endpoint_auth_method": "none"});
    appliance.post_json("/register", &body, &[]).await.expect(503).json();
    let page = browser.get(&appliance, "/dashboard").await.expect(503);
    assert!(page.body.contains("<h1") && !page.header("retry-after").is_empty(), "{}", page.body);
}

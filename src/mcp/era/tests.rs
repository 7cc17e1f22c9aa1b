//! The ladder of MCP 2026-07-28: which fault is named first, and with which code.

use super::*;
use crate::mcp::jsonrpc::{Incoming, Message};
use serde_json::{Value, json};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::from_static(name), axum::http::HeaderValue::from_static(value));
    }
    headers
}

fn judge(pairs: &[(&'static str, &'static str)], method: &str, params: &Value) -> Result<Era, (u16, i64)> {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let Ok(Incoming::One(Message::Request(request))) = jsonrpc::parse(body.as_bytes()) else { panic!("{body}") };
    let head = Head::read(request.params).unwrap();
    of_request(&headers(pairs), &request, &head).map_err(|error| code(&error))
}

fn code(error: &RpcError) -> (u16, i64) {
    let json: Value = serde_json::from_slice(&error.to_json(None)).unwrap();
    (error.status().as_u16(), json["error"]["code"].as_i64().unwrap())
}

fn meta(version: &Value) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
        "traceparent": "00-a-b-01",
    })
}

const MODERN_HEADERS: [(&str, &str); 2] = [("mcp-protocol-version", MODERN), ("mcp-method", "tools/list")];

#[test]
fn the_body_decides_the_era() {
    let modern = json!({"_meta": meta(&json!(MODERN))});
    assert_eq!(judge(&MODERN_HEADERS, "tools/list", &modern), Ok(Era::Modern));
    for version in LEGACY {
        assert_eq!(judge(&[("mcp-protocol-version", version)], "tools/list", &json!({})), Ok(Era::Legacy));
    }
    assert_eq!(judge(&[], "tools/list", &json!({"_meta": {"progressToken": 1}})), Ok(Era::Legacy));
    assert_eq!(judge(&[], "initialize", &json!({"protocolVersion": MODERN})), Ok(Era::Legacy));
    let future_header = [("mcp-protocol-version", "2025-01-01")];
    assert_eq!(judge(&future_header, "initialize", &json!({})), Ok(Era::Legacy), "negotiated, not refused");
    // Headers that the legacy eras do not ask for, but that say the same.
    let same = [("mcp-method", "tools/call"), ("mcp-name", "x")];
    assert_eq!(judge(&same, "tools/call", &json!({"name": "x"})), Ok(Era::Legacy));
}

#[test]
fn a_modern_request_without_its_claim_is_not_a_legacy_one() {
    let missing = Err((400, -32602));
    for params in [
        json!({}),
        json!({"_meta": {}}),
        json!({"_meta": {"io.modelcontextprotocol/clientCapabilities": {}}}),
        json!({"_meta": {"io.modelcontextprotocol/protocolVersion": MODERN}}),
        json!({"_meta": meta(&json!(20_260_728))}),
        json!({"_meta": meta(&Value::Null)}),
        json!({"_meta": [1]}),
        json!({"_meta": null}),
        json!({"_meta": {
            "io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": []
        }}),
    ] {
        assert_eq!(judge(&MODERN_HEADERS, "tools/list", &params), missing, "{params}");
    }
    assert_eq!(judge(&[("mcp-protocol-version", "2027-01-01")], "tools/list", &json!({})), missing);
}

#[test]
fn headers_must_say_what_the_body_says() {
    let mismatch = Err((400, -32020));
    let call = json!({"name": "whoami", "_meta": meta(&json!(MODERN))});
    let version = ("mcp-protocol-version", MODERN);
    let method = ("mcp-method", "tools/call");
    assert_eq!(judge(&[version, method, ("mcp-name", "whoami")], "tools/call", &call), Ok(Era::Modern));
    assert_eq!(judge(&[version, method, ("mcp-name", "  whoami\t")], "tools/call", &call), Ok(Era::Modern));
    assert_eq!(judge(&[version, method, ("mcp-name", "=?base64?d2hvYW1p?=")], "tools/call", &call), Ok(Era::Modern));
    for wrong in [
        &[method, ("mcp-name", "whoami")][..],
        &[version, ("mcp-name", "whoami")],
        &[version, method],
        &[("mcp-protocol-version", "2025-11-25"), method, ("mcp-name", "whoami")],
        &[version, ("mcp-method", "TOOLS/CALL"), ("mcp-name", "whoami")],
        &[version, method, method, ("mcp-name", "whoami")],
        &[version, method, ("mcp-name", "whoami"), ("mcp-name", "whoami")],
        &[version, method, ("mcp-name", "revoke_my_token")],
        &[version, method, ("mcp-name", "=?base64?d2hvYW1p")],
        &[version, method, ("mcp-name", "=?base64?d2hvYW1p==?=")],
        &[version, method, ("mcp-name", "=?base64?!?=")],
        &[version, method, ("mcp-name", "=?BASE64?d2hvYW1p?=")],
    ] {
        assert_eq!(judge(wrong, "tools/call", &call), mismatch, "{wrong:?}");
    }
    let read = json!({"uri": "test://x", "_meta": meta(&json!(MODERN))});
    let read_headers = [version, ("mcp-method", "resources/read"), ("mcp-name", "test://y")];
    assert_eq!(judge(&read_headers, "resources/read", &read), mismatch);
    assert_eq!(judge(&[version], "initialize", &json!({})), mismatch, "there is none in that revision");
}

#[test]
fn in_a_legacy_message_headers_may_be_missing_but_not_say_something_else() {
    let mismatch = Err((400, -32020));
    let call = json!({"name": "whoami"});
    for version in [&[][..], &[("mcp-protocol-version", "2025-11-25")], &[("mcp-protocol-version", "2025-03-26")]] {
        for wrong in [
            &[("mcp-method", "ping")][..],
            &[("mcp-method", "Tools/call")],
            &[("mcp-method", "tools/call"), ("mcp-name", "other")],
            &[("mcp-name", "other")],
            &[("mcp-name", "whoami"), ("mcp-name", "whoami")],
        ] {
            assert_eq!(judge(&[version, wrong].concat(), "tools/call", &call), mismatch, "{version:?} {wrong:?}");
        }
        assert_eq!(judge(&[version, &[("mcp-name", "x")]].concat(), "tools/list", &json!({})), mismatch);
    }
    assert_eq!(judge(&[("mcp-method", "ping")], "initialize", &json!({})), mismatch);
    for name in ["mcp-method", "mcp-name"] {
        assert_eq!(check_batch(&headers(&[(name, "x")])).unwrap_err().status(), 400);
        assert_eq!(check_response(&headers(&[(name, "x")])).unwrap_err().status(), 400);
    }
    assert!(check_response(&headers(&[("mcp-protocol-version", "2025-11-25")])).is_ok());
}

#[test]
fn another_revision_is_refused_by_name() {
    let params = json!({"_meta": meta(&json!("v999.0.0"))});
    let pairs = [("mcp-protocol-version", "v999.0.0"), ("mcp-method", "server/discover")];
    assert_eq!(judge(&pairs, "server/discover", &params), Err((400, -32022)));
    let params = json!({"_meta": meta(&json!("2025-11-25"))});
    let pairs = [("mcp-protocol-version", "2025-11-25"), ("mcp-method", "server/discover")];
    assert_eq!(
        judge(&pairs, "server/discover", &params),
        Err((400, -32022)),
        "a claim is made by modern requests only"
    );
    for version in ["2024-11-05", "1.0", "", "2026-07-2", "2026/07/28"] {
        let pairs = [("mcp-protocol-version", version)];
        assert_eq!(judge(&pairs, "tools/list", &json!({})), Err((400, -32600)), "{version}");
    }
}

#[test]
fn initialize_is_answered_with_a_legacy_revision() {
    for version in LEGACY {
        assert_eq!(negotiate(version), version);
    }
    for other in [MODERN, "2024-11-05", "2099-01-01", ""] {
        assert_eq!(negotiate(other), "2025-11-25");
    }
}

#[test]
fn notifications_are_checked_against_their_headers() {
    let judge = |pairs: &[(&'static str, &'static str)], params: Value| {
        let body = json!({"jsonrpc": "2.0", "method": "notifications/x", "params": params}).to_string();
        let Ok(Incoming::One(Message::Notification(notification))) = jsonrpc::parse(body.as_bytes()) else { panic!() };
        let head = Head::read(notification.params).unwrap();
        of_notification(&headers(pairs), &notification, &head).map(drop).map_err(|error| code(&error).1)
    };
    let version = ("mcp-protocol-version", MODERN);
    assert_eq!(judge(&[], json!({})), Ok(()));
    assert_eq!(judge(&[("mcp-protocol-version", "2025-06-18")], json!({})), Ok(()));
    assert_eq!(judge(&[version], json!({})), Ok(()));
    assert_eq!(judge(&[version, ("mcp-method", "notifications/x")], json!({})), Ok(()));
    assert_eq!(judge(&[version, ("mcp-method", "notifications/y")], json!({})), Err(-32020));
    assert_eq!(judge(&[("mcp-method", "notifications/y")], json!({})), Err(-32020));
    assert_eq!(judge(&[("mcp-name", "notifications/x")], json!({})), Err(-32020));
    assert_eq!(judge(&[version], json!({"_meta": meta(&json!("2025-06-18"))})), Err(-32020));
    assert_eq!(judge(&[version], json!({"_meta": meta(&json!(1))})), Err(-32602));
    assert_eq!(judge(&[("mcp-protocol-version", "1999")], json!({})), Err(-32600));
}

#[test]
fn batches_belong_to_one_revision() {
    assert!(check_batch(&headers(&[])).is_ok());
    assert!(check_batch(&headers(&[("mcp-protocol-version", "2025-03-26")])).is_ok());
    for version in ["2025-06-18", "2025-11-25", MODERN, "x"] {
        assert!(check_batch(&headers(&[("mcp-protocol-version", version)])).is_err(), "{version}");
    }
}

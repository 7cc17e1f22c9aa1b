//! Which headers go on to an upstream, and which come back to the client? All but those that belong to one hop, that prove
//! something to us alone, or that would speak in our name (RFC 9110 §7.6.1; MCP 2026-07-28: unknown `Mcp-Param-…` headers go on).

use axum::http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The client's headers as they go on. What the gateway adds comes after this, so nobody can name it away.
pub(super) fn to_upstream(client: HeaderMap) -> HeaderMap {
    let mut headers = keep(client, is_for_upstream);
    // Answers go through as they come, and some are read on the way.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers
}

/// Puts in a header of ours, for which no other can be taken.
pub(super) fn put(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) {
    let read = read_as(name.as_str());
    let read = read.as_deref().unwrap_or(name.as_str());
    let is_alias = |other: &HeaderName| read_as(other.as_str()).as_deref().unwrap_or(other.as_str()) == read;
    let aliases: Vec<HeaderName> = headers.keys().filter(|other| is_alias(other)).cloned().collect();
    for alias in aliases {
        headers.remove(alias);
    }
    headers.insert(name, value);
}

/// The upstream's headers as they come back.
pub(super) fn to_client(upstream: HeaderMap) -> HeaderMap {
    let mut headers = keep(upstream, is_for_client);
    if is_event_stream(&headers) {
        // A proxy before us is not to collect it (nginx's word for that).
        headers.entry(X_ACCEL_BUFFERING).or_insert(HeaderValue::from_static("no"));
    }
    headers
}

/// Whether the answer is a stream of events.
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    has_type(headers, "text/event-stream")
}

/// Whether the answer is JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    has_type(headers, "application/json")
}

fn has_type(headers: &HeaderMap, wanted: &str) -> bool {
    let value = headers.get(CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(wanted.as_bytes())
}

fn keep(mut headers: HeaderMap, passes: fn(&str) -> bool) -> HeaderMap {
    let named = named_by_connection(&headers);
    let stays = |name: &HeaderName| {
        let name = name.as_str();
        is_end_to_end(name) && passes(name) && !named.iter().any(|named| named.eq_ignore_ascii_case(name))
    };
    // Most of them stay: taking out is less work than building anew.
    let gone: Vec<HeaderName> = headers.keys().filter(|name| !stays(name)).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
    headers
}

/// What `Connection` names, but for the words that everybody writes there.
fn named_by_connection(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(str::trim);
    let usual = ["", "keep-alive", "close"];
    names.filter(|name| !usual.iter().any(|usual| name.eq_ignore_ascii_case(usual))).map(str::to_owned).collect()
}

/// Not of one hop.
fn is_end_to_end(name: &str) -> bool {
    !matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    )
}

fn is_for_upstream(name: &str) -> bool {
    match read_as(name) {
        // Its own headers are the protocol's; those that repeat arguments may be called anything.
        Some(alias) => {
            let is_spoken = alias.starts_with("mcp-") && !name.starts_with("mcp-param-");
            !is_spoken && is_end_to_end(&alias) && is_for_upstream_as_spelled(&alias)
        }
        None => is_for_upstream_as_spelled(name),
    }
}

/// The header that many programs take one of another name for: those that see headers as variables put an underscore in the
/// place of all but letters and digits (RFC 3875 §4.1.18). None if the name is the one that they take it for.
fn read_as(name: &str) -> Option<String> {
    let is_other = |byte: u8| !byte.is_ascii_alphanumeric() && byte != b'-';
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    name.bytes().any(is_other).then(|| name.chars().map(plain).collect())
}

fn is_for_upstream_as_spelled(name: &str) -> bool {
    let refused = matches!(
        name,
        // The client's proof is for us, and its cookies are ours.
        "authorization" | "cookie" | "cookie2" | "dpop"
            // Told by the connection, the body and the wish for it that we had.
            | "host" | "content-length" | "expect" | "accept-encoding" | "range"
            // About the way to us, which the upstream might take for the way to itself.
            | "origin" | "referer" | "forwarded" | "x-real-ip"
    );
    let refused_prefix = ["x-keyward-", "x-forwarded-", "sec-", "access-control-"];
    !refused && !refused_prefix.iter().any(|prefix| name.starts_with(prefix))
}

fn is_for_client(name: &str) -> bool {
    let refused = matches!(
        name,
        // It would send the client to another authorization server, or into a browser's memory under our name.
        "www-authenticate"
            | "authentication-info"
            | "set-cookie"
            | "set-cookie2"
            | "location"
            | "content-location"
            | "refresh"
            | "clear-site-data"
            | "strict-transport-security"
            | "public-key-pins"
            | "alt-svc"
            | "nel"
            | "report-to"
            | "reporting-endpoints"
            | "service-worker-allowed"
            | "origin-agent-cluster"
    );
    let refused_prefix = ["access-control-", "x-keyward-"];
    !refused && !refused_prefix.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    fn names(headers: &HeaderMap) -> Vec<String> {
        let mut all: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        all.sort();
        all
    }

    #[test]
    fn what_the_protocol_needs_goes_on_and_what_is_not_known_too() {
        let sent = [
            ("accept", "application/json, text/event-stream"),
            ("content-type", "application/json"),
            ("last-event-id", "7"),
            ("mcp-method", "tools/call"),
            ("mcp-param-region", "eu"),
            ("mcp-param-time_zone", "utc"),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-session-id", "abc"),
            ("traceparent", "00-1-2-00"),
            ("user-agent", "client/1"),
            ("x-twice", "1"),
            ("x-twice", "2"),
            ("x_own", "1"),
        ];
        let mut expected: Vec<String> = sent.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        expected.insert(0, String::new());
        expected[0] = "accept-encoding: identity".to_owned();
        expected.sort();
        assert_eq!(names(&to_upstream(map(&sent))), expected);
    }

    #[test]
    fn what_is_for_us_or_for_one_hop_does_not_go_on() {
        let sent = [
            ("authorization", "Bearer x"),
            ("cookie", "a=b"),
            ("x-keyward-user", "root"),
            ("x-keyward-assertion", "eyJ"),
            ("x-keyward-anything", "x"),
            ("x_keyward_user", "root"),
            ("x-keyward_user-id", "root"),
            ("x.keyward.user", "root"),
            ("x~keyward-user", "root"),
            ("x!keyward|user", "root"),
            ("x_forwarded_for", "1.2.3.4"),
            ("x.real.ip", "1.2.3.4"),
            ("transfer_encoding", "chunked"),
            ("mcp_session_id", "another's"),
            ("mcp-session_id", "another's"),
            ("mcp.method", "ping"),
            ("mcp_param-region", "eu"),
            ("x-forwarded-for", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4"),
            ("x-real-ip", "1.2.3.4"),
            ("origin", "http://localhost:6274"),
            ("sec-fetch-mode", "cors"),
            ("host", "mcp.example.org"),
            ("content-length", "7"),
            ("transfer-encoding", "chunked"),
            ("expect", "100-continue"),
            ("connection", "keep-alive, X-Hop"),
            ("connection", "upgrade , x-other"),
            ("x-hop", "1"),
            ("x-other", "1"),
            ("x-other", "2"),
            ("upgrade", "h2c"),
            ("te", "trailers"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "Basic x"),
            ("accept-encoding", "gzip, br"),
        ];
        assert_eq!(names(&to_upstream(map(&sent))), ["accept-encoding: identity"]);
    }

    #[test]
    fn nothing_can_be_taken_for_a_header_of_ours() {
        let mut headers = map(&[("x_api_key", "1"), ("x.api-key", "2"), ("x-api-key", "3"), ("x_api_keys", "4")]);
        put(&mut headers, &HeaderName::from_static("x-api-key"), HeaderValue::from_static("ours"));
        assert_eq!(names(&headers), ["x-api-key: ours", "x_api_keys: 4"]);
        put(&mut headers, &HeaderName::from_static("x_api_key"), HeaderValue::from_static("ours"));
        assert_eq!(names(&headers), ["x_api_key: ours", "x_api_keys: 4"]);
    }

    #[test]
    fn what_would_speak_in_our_name_does_not_come_back() {
        let sent = [
            ("content-type", "text/event-stream; charset=utf-8"),
            ("mcp-session-id", "abc"),
            ("cache-control", "no-store"),
            ("content-length", "7"),
            ("www-authenticate", "Bearer resource_metadata=\"https://elsewhere\""),
            ("set-cookie", "a=b"),
            ("access-control-allow-origin", "*"),
            ("access-control-expose-headers", "x"),
            ("location", "https://elsewhere"),
            ("clear-site-data", "\"*\""),
            ("strict-transport-security", "max-age=1"),
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("x-keyward-user", "root"),
        ];
        assert_eq!(
            names(&to_client(map(&sent))),
            [
                "cache-control: no-store",
                "content-length: 7",
                "content-type: text/event-stream; charset=utf-8",
                "mcp-session-id: abc",
                "x-accel-buffering: no",
            ]
        );
        assert!(is_json(&map(&[("content-type", "Application/JSON ; charset=utf-8")])));
        assert!(!is_json(&map(&[])) && !is_json(&map(&[("content-type", "application/jsonp")])));
    }
}

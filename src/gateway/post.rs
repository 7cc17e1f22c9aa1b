//! Which body is read at all, and how? One that every reader reads the same way.
//!
//! What is decided about here is read again by the server behind. So a body is refused, not passed, if a header could make
//! that server see other text in the same bytes: another character set (in UTF-7 a harmless string can hold quotation
//! marks), a compression, another type, or two of them.

use crate::mcp::RpcError;
use crate::wire::body;
use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};

/// Reads the body of a POST, of at most `limit` bytes.
pub(super) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, RpcError> {
    check(headers)?;
    body::read(headers, body, limit).await.map_err(|problem| RpcError::http(problem.status(), problem.to_string()))
}

fn check(headers: &HeaderMap) -> Result<(), RpcError> {
    let unsupported = |message: &'static str| Err(RpcError::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let is_plain = |value: &HeaderValue| value == "application/json" || (body::is_json(headers) && is_utf8(value));
    if !types.next().is_some_and(is_plain) || types.next().is_some() {
        return unsupported("The body must be JSON in UTF-8: send Content-Type: application/json.");
    }
    if headers.get_all(CONTENT_ENCODING).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return unsupported("The body must not be compressed: send it without Content-Encoding.");
    }
    Ok(())
}

/// Names no other character set (RFC 8259 §8.1: there is none to name).
fn is_utf8(value: &HeaderValue) -> bool {
    let text = value.to_str().unwrap_or("; charset=unreadable").to_ascii_lowercase();
    text.split(';').skip(1).all(|parameter| match parameter.split_once('=') {
        Some((name, set)) if name.trim() == "charset" => set.trim().trim_matches('"') == "utf-8",
        Some((name, _)) => !name.contains("charset"),
        None => !parameter.contains("charset"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn told(pairs: &[(HeaderName, &'static str)]) -> Result<(), StatusCode> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_static(value));
        }
        check(&headers).map_err(|error| error.status())
    }

    #[test]
    fn a_body_is_json_in_utf_8_and_nothing_else() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json; profile=x",
        ] {
            assert_eq!(told(&[(CONTENT_TYPE, good)]), Ok(()), "{good}");
        }
        for bad in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json; charset=utf-7",
            "application/json; charset=utf-16",
            "application/json; charset=utf-8; charset=utf-7",
            "application/json; charset = \"utf-7\"",
            "application/json; charset*=utf-7''",
            "application/json; \"charset=utf-7\"",
            "",
        ] {
            assert_eq!(told(&[(CONTENT_TYPE, bad)]), Err(StatusCode::UNSUPPORTED_MEDIA_TYPE), "{bad}");
        }
        let plain = (CONTENT_TYPE, "application/json");
        assert!(told(&[]).is_err() && told(&[plain.clone(), plain.clone()]).is_err());
        assert_eq!(told(&[plain.clone(), (CONTENT_ENCODING, "identity")]), Ok(()));
        for coding in ["gzip", "deflate", "br", "identity, gzip", ""] {
            assert!(told(&[plain.clone(), (CONTENT_ENCODING, coding)]).is_err(), "{coding}");
        }
    }
}

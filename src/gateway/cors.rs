//! Which pages in a browser may call a guarded server, and what may they see? (Fetch standard, CORS protocol.)
//!
//! A browser asks first, without the token, so a preflight is answered without one. The names of headers that a page asks
//! for are repeated instead of listed: `*` does not cover `Authorization`, and tools bring header names of their own
//! (`Mcp-Param-…`). That widens nothing: no cookie counts here, and a token is the page's own.

use crate::gateway::error;
use crate::wire::host_check::OriginPolicy;
use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

/// Longest list of header names that is repeated, in bytes.
const MAX_REQUESTED: usize = 2048;

/// Whether this is a browser that asks before it sends what a page wants to send.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a preflight, to be completed by [`expose`].
pub(super) fn preflight(origins: &OriginPolicy, headers: &HeaderMap) -> Response {
    if let Err(foreign) = origins.check_call(headers) {
        return error::foreign_origin(foreign).into_response();
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let answer = response.headers_mut();
    answer.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, GET, DELETE, OPTIONS"));
    answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    let requested = headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter();
    for names in requested.filter(|names| names.len() <= MAX_REQUESTED && is_list_of_names(names)) {
        answer.append(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    answer.append(VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
    response
}

/// Lets the page of an allowed `origin` read a response, the challenge included.
pub(super) fn expose(response: &mut Response, origin: Option<&HeaderValue>) {
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("WWW-Authenticate, Mcp-Session-Id"));
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
}

fn is_list_of_names(value: &HeaderValue) -> bool {
    value.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_, ".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::issuer::Issuer;

    fn ask(origin: &str, requested: &str) -> Response {
        let origins = OriginPolicy::new(&Issuer::parse("https://h").unwrap(), &[]);
        let headers = HeaderMap::from_iter([
            (ORIGIN, HeaderValue::from_str(origin).unwrap()),
            (ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST")),
            (ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_str(requested).unwrap()),
        ]);
        assert!(is_preflight(&Method::OPTIONS, &headers) && !is_preflight(&Method::POST, &headers));
        let mut response = preflight(&origins, &headers);
        expose(&mut response, headers.get(ORIGIN).filter(|_| origins.check_call(&headers).is_ok()));
        response
    }

    #[test]
    fn a_page_may_send_the_headers_that_it_asks_for() {
        let names = "authorization,content-type,mcp-param-region, mcp-protocol-version";
        let response = ask("http://localhost:6274", names);
        assert_eq!(response.status(), 204);
        assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "http://localhost:6274");
        assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_HEADERS], names);
        assert_eq!(response.headers()[ACCESS_CONTROL_EXPOSE_HEADERS], "WWW-Authenticate, Mcp-Session-Id");
        assert_eq!(response.headers().get("access-control-allow-credentials"), None);
    }

    #[test]
    fn a_strangers_page_may_send_nothing() {
        let response = ask("https://evil.example.com", "authorization");
        assert_eq!(response.status(), 403);
        assert_eq!(response.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN), None);
        assert_eq!(ask("http://localhost", "a\"b").headers().get(ACCESS_CONTROL_ALLOW_HEADERS), None);
    }
}

//! How do OAuth endpoints answer? JSON that nobody stores, errors of RFC 6749 §5.2, and CORS for clients in browsers.

use crate::oauth::error::{ErrorCode, ProtocolError};
use crate::wire::blocking::Busy;
use crate::wire::body::BodyProblem;
use crate::wire::host_check::HostPolicy;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, PRAGMA,
    RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A JSON answer that must not be stored (RFC 6749 §5.1).
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let headers = [
                (CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
                (PRAGMA, HeaderValue::from_static("no-cache")),
                (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            ];
            (status, headers, bytes).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A refusal. `with_header` says that the client used the `Authorization` header: then it gets a challenge for it.
pub fn refusal(error: &ProtocolError, with_header: bool) -> Response {
    tracing::info!(code = %error.code(), description = error.description(), "OAuth request refused");
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = json(status, error);
    let headers = response.headers_mut();
    if error.code() == ErrorCode::InvalidClient && with_header {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"keyward\""));
    }
    if error.code() == ErrorCode::InvalidToken {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""));
    }
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("30"));
    }
    response
}

/// A body that did not come in order.
pub fn bad_body(problem: BodyProblem) -> Response {
    json(problem.status(), &ProtocolError::invalid_request(problem.to_string()))
}

/// No place to run an operation.
pub fn busy(busy: Busy) -> Response {
    refusal(&ProtocolError::new(ErrorCode::TemporarilyUnavailable, busy.to_string()), false)
}

/// 421 for another host than ours, as JSON.
pub async fn require_own_host(State(hosts): State<HostPolicy>, request: Request, next: Next) -> Response {
    match hosts.check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(foreign) => json(StatusCode::MISDIRECTED_REQUEST, &ProtocolError::invalid_request(foreign.to_string())),
    }
}

/// 405, as JSON. The router adds `Allow`: it knows what each path takes.
pub async fn wrong_method(method: Method) -> Response {
    let error = ProtocolError::invalid_request(format!("this endpoint does not take {method} requests"));
    json(StatusCode::METHOD_NOT_ALLOWED, &error)
}

/// Lets clients that run in browsers call an endpoint from any page: these endpoints take no cookies. Answers preflights.
pub async fn allow_any_origin(request: Request, next: Next) -> Response {
    let preflight = request.method() == Method::OPTIONS;
    let mut response = if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("WWW-Authenticate"));
    if preflight {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
        let allowed = HeaderValue::from_static("Authorization, Content-Type, Accept, MCP-Protocol-Version");
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    }
    response
}

/// Whether the request carries an `Authorization` header.
pub fn uses_header(headers: &axum::http::HeaderMap) -> bool {
    headers.contains_key(AUTHORIZATION)
}

//! How much may a caller send, and how long may a request take? The numbers, in one place; `config` fills them in.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::time::Duration;

/// Sizes in bytes and times that hold for callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest body of an MCP message.
    pub mcp_body: usize,
    /// Largest body of a form: pages, token, revocation, introspection.
    pub form_body: usize,
    /// Largest body of a client registration (RFC 7591).
    pub registration_body: usize,
    /// Largest head of a request: request line and headers together.
    pub header_bytes: usize,
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// Of these, connections from one address at once; more are closed. This machine and trusted proxies may have all.
    pub connections_per_address: usize,
    /// Longest time without a request on a connection that has had one.
    pub idle_timeout: Duration,
    /// Longest time for the head of a request to arrive.
    pub header_read_timeout: Duration,
    /// Longest time from a request's head to the answer's head, streams of MCP servers apart.
    pub request_timeout: Duration,
    /// Streams at once on one HTTP/2 connection.
    pub http2_streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            mcp_body: 4 * 1024 * 1024,
            form_body: 64 * 1024,
            registration_body: 8 * 1024,
            header_bytes: 32 * 1024,
            connections: 2048,
            connections_per_address: 512,
            idle_timeout: Duration::from_mins(3),
            header_read_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            http2_streams: 100,
        }
    }
}

/// Middleware: a request that has no answer after this time gets 503. What it has begun to write is still written.
pub async fn answer_in_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    if let Ok(response) = tokio::time::timeout(limit, next.run(request)).await {
        return response;
    }
    tracing::warn!("no answer within {} seconds", limit.as_secs());
    (StatusCode::SERVICE_UNAVAILABLE, "The server took too long to answer. Try again in a minute.\n").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt;

    #[tokio::test]
    async fn an_answer_that_does_not_come_is_a_503() {
        let router = Router::new()
            .route("/never", get(std::future::pending::<()>))
            .route("/now", get(|| async { "now" }))
            .layer(from_fn_with_state(Duration::from_millis(20), answer_in_time));
        for (path, status) in [("/never", 503), ("/now", 200)] {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            assert_eq!(router.clone().oneshot(request).await.unwrap().status(), status, "{path}");
        }
    }
}

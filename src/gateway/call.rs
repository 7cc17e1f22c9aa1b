//! What goes on to a server that is not built in? A request that was read, understood and decided about.
//!
//! Invariant: who holds a [`Call`] may pass it on. It is made of a [`Passed`], so nothing that was not decided about gets
//! there, and its body is what was decided about, byte for byte.

use crate::gateway::decide::Passed;
use crate::mcp::RpcError;
use crate::mcp::jsonrpc::{self, Incoming, Message};
use axum::body::Bytes;
use axum::http::header::ALLOW;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;

/// An admitted request, with its body.
#[derive(Debug)]
pub(super) struct Call {
    /// POST, GET or DELETE.
    pub(super) method: Method,
    /// The client's headers, all of them.
    pub(super) headers: HeaderMap,
    /// The body of a POST, which is readable JSON-RPC; otherwise nothing.
    pub(super) body: Bytes,
    passed: Passed,
}

impl Call {
    /// A request that may go on.
    pub(super) const fn new(method: Method, headers: HeaderMap, body: Bytes, passed: Passed) -> Self {
        Self { method, headers, body, passed }
    }

    /// The proof that it may.
    pub(super) const fn passed(&self) -> &Passed {
        &self.passed
    }

    /// The answer that is `error`, with the id of the request if it is a single one.
    pub(super) fn refuse(body: &[u8], error: &RpcError) -> Response {
        match jsonrpc::parse(body) {
            Ok(Incoming::One(Message::Request(request))) => error.to_response(Some(request.id)),
            _ => error.to_response(None),
        }
    }
}

/// 405: a method that means nothing to MCP.
pub(super) fn wrong_method() -> Response {
    let message = "An MCP server takes POST, GET and DELETE.";
    let mut response = RpcError::http(StatusCode::METHOD_NOT_ALLOWED, message).to_response(None);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, GET, DELETE, OPTIONS"));
    response
}

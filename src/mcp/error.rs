//! What is a client told when something is wrong? A JSON-RPC error object with the HTTP status that belongs to it.
//!
//! Codes: JSON-RPC's own, those of MCP 2026-07-28 (-32020, -32022), and, where neither speaks, the HTTP status itself,
//! which lies outside of what either reserves. A message says what to do next; clients show it to people and to models.

use crate::mcp::answer;
use crate::mcp::era::{self, Era};
use crate::mcp::jsonrpc::{Id, Unreadable};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::borrow::Cow;

/// Longest part of a caller's own text that a message repeats, in characters.
const MAX_QUOTE: usize = 64;

/// Why a message gets no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcError {
    status: StatusCode,
    code: i32,
    message: Cow<'static, str>,
    data: Option<serde_json::Value>,
}

impl RpcError {
    /// What the HTTP status says, in this form: the code is the status.
    pub fn http(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(status, i32::from(status.as_u16()), message)
    }

    /// -32700 or -32600: no message at all.
    pub const fn unreadable(unreadable: &Unreadable<'_>) -> Self {
        let code = if unreadable.is_json { -32600 } else { -32700 };
        Self { status: StatusCode::BAD_REQUEST, code, message: Cow::Borrowed(unreadable.why), data: None }
    }

    /// -32600: a message that may not come in this place.
    pub(super) fn invalid_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32600, message)
    }

    /// -32601; modern clients also look at the status.
    pub fn method_not_found(era: Era, method: &str) -> Self {
        let status = match era {
            Era::Modern => StatusCode::NOT_FOUND,
            Era::Legacy => StatusCode::OK,
        };
        Self::new(status, -32601, format!("This server has no method {}.", quote(method)))
    }

    /// -32602, for a method that exists.
    pub(super) fn invalid_params(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::OK, -32602, message)
    }

    /// -32602: there is no tool of this name, or none for this user (MCP 2026-07-28, tools, error handling).
    pub fn unknown_tool(name: &str) -> Self {
        Self::invalid_params(format!("There is no tool {}; tools/list names those there are.", quote(name)))
    }

    /// -32602, before the method is looked at: what every modern request must carry is missing.
    pub(super) fn invalid_meta(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32602, message)
    }

    /// -32020: a header is missing, doubled, unreadable or says something else than the body.
    pub(super) fn header_mismatch(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32020, message)
    }

    /// -32022: a modern request of another revision.
    pub(super) fn unsupported_version(requested: &str) -> Self {
        let requested = shorten(requested);
        let data = serde_json::json!({"supported": [era::MODERN], "requested": requested});
        let message = format!("This server does not speak revision {} of the protocol.", quote(requested));
        Self { data: Some(data), ..Self::new(StatusCode::BAD_REQUEST, -32022, message) }
    }

    /// A person has to do something first, as 428 says (RFC 6585 §3). The status is 200, because clients show their people
    /// what comes with that and give up at any other.
    pub fn precondition(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::OK, i32::from(StatusCode::PRECONDITION_REQUIRED.as_u16()), message)
    }

    /// A code of MCP's own with its data: what a server behind us found wrong, or we for it.
    pub fn relayed(
        status: StatusCode,
        code: i32,
        message: impl Into<Cow<'static, str>>,
        data: serde_json::Value,
    ) -> Self {
        Self { data: Some(data), ..Self::new(status, code, message) }
    }

    fn new(status: StatusCode, code: i32, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), data: None }
    }

    /// The status of the answer.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The answer's body; `id` is that of the request, if it has one that can be read.
    pub fn to_json(&self, id: Option<Id<'_>>) -> Vec<u8> {
        let error = ErrorObject { code: self.code, message: &self.message, data: self.data.as_ref() };
        answer::error(id, &error)
    }

    /// The answer.
    pub fn to_response(&self, id: Option<Id<'_>>) -> Response {
        answer::json(self.status, self.to_json(id))
    }
}

impl IntoResponse for RpcError {
    fn into_response(self) -> Response {
        self.to_response(None)
    }
}

#[derive(serde::Serialize)]
struct ErrorObject<'a> {
    code: i32,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a serde_json::Value>,
}

/// A caller's text, short and in quotation marks.
pub(super) fn quote(text: &str) -> String {
    format!("“{}”", shorten(text).escape_debug())
}

fn shorten(text: &str) -> &str {
    text.char_indices().nth(MAX_QUOTE).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_a_form_a_code_and_a_status() {
        let error = RpcError::http(StatusCode::UNAUTHORIZED, "Sign in \"first\".");
        let json = String::from_utf8(error.to_json(None)).unwrap();
        assert_eq!(json, r#"{"jsonrpc":"2.0","id":null,"error":{"code":401,"message":"Sign in \"first\"."}}"#);
        let error = RpcError::unsupported_version("v999");
        let json: serde_json::Value = serde_json::from_slice(&error.to_json(None)).unwrap();
        assert_eq!(json["error"]["data"], serde_json::json!({"supported": ["2026-07-28"], "requested": "v999"}));
        assert_eq!(RpcError::method_not_found(Era::Modern, "x").status(), 404);
        assert_eq!(RpcError::method_not_found(Era::Legacy, "x").status(), 200);
    }

    #[test]
    fn a_callers_text_is_repeated_in_part_only() {
        assert_eq!(quote("a\nb"), "“a\\nb”");
        assert_eq!(quote(&"é".repeat(1_000)).chars().count(), MAX_QUOTE + 2);
    }
}

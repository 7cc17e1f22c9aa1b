//! What is told that is no question of rights? Always a JSON-RPC error: whoever calls these URLs speaks JSON-RPC.

use crate::mcp::RpcError;
use crate::wire::host_check::{ForeignHost, ForeignOrigin};
use axum::http::StatusCode;

/// What is told where no server is.
pub(super) const NO_SERVER: &str =
    "There is no MCP server at this path. Its URL must be exact, without a slash at the end; the dashboard shows it.";

/// 404: no server has this path. The path itself is not repeated.
pub(super) fn no_server() -> RpcError {
    RpcError::http(StatusCode::NOT_FOUND, NO_SERVER)
}

/// 403: a proxy asks about a server that is not guarded for it. What it asked about is not repeated.
pub(super) fn nothing_to_verify() -> RpcError {
    RpcError::http(
        StatusCode::FORBIDDEN,
        "No MCP server of this name is guarded behind a proxy. The proxy's settings and Keyward's must name it alike.",
    )
}

/// 403: who calls cannot be told in headers.
pub(super) fn cannot_be_told() -> RpcError {
    RpcError::http(StatusCode::FORBIDDEN, "Who calls cannot be told to the server.")
}

/// 421: for another host than this (DNS rebinding).
pub(super) fn foreign_host(foreign: ForeignHost) -> RpcError {
    RpcError::http(StatusCode::MISDIRECTED_REQUEST, foreign.to_string())
}

/// 403: from a page that may not call (MCP, Streamable HTTP, security warning).
pub(super) fn foreign_origin(foreign: ForeignOrigin) -> RpcError {
    RpcError::http(StatusCode::FORBIDDEN, foreign.to_string())
}

/// 503: a stream that would begin now would end at once.
pub(super) fn stopping() -> RpcError {
    RpcError::http(StatusCode::SERVICE_UNAVAILABLE, "Keyward is stopping.")
}

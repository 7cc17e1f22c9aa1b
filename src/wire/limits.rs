//! How much may a caller send, and how long may a request take? The numbers, in one place; `config` fills them in.

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
            header_read_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            http2_streams: 100,
        }
    }
}

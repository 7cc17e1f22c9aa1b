//! What the routers share: paths, extractors, limits, headers, running operations off the reactor.

pub mod bearer;
pub mod blocking;
pub mod body;
pub mod client_address;
pub mod document_fetch;
pub mod entry;
mod fresh_cache;
pub mod host_check;
pub mod limits;
pub mod paths;
pub mod pause;
pub mod probe;
pub mod public_resolver;
pub mod request_context;
pub mod request_id;
pub mod server_insight;
pub mod snippets;
pub mod tls;

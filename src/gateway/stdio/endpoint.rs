//! Which of the eras answers a request? Each message is one of its own, and says so; sessions belong to the legacy era only.
//!
//! A [`Call`] was admitted, read and decided about. Its body is read again here as it was read there.

use crate::access::StdioUpstream;
use crate::gateway::call::Call;
use crate::gateway::stdio::call::Told;
use crate::gateway::stdio::pool::Pool;
use crate::gateway::stdio::stream::{self, Accepts};
use crate::gateway::stdio::{StdioServers, legacy, modern};
use crate::id::UserId;
use crate::mcp::{Asker, Era, Posted, Said, Unfit};
use axum::http::header::ALLOW;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use std::sync::Arc;

/// What every answer needs to know of its request.
#[derive(Debug)]
pub(super) struct Context<'a> {
    /// The children of the server.
    pub(super) pool: Arc<Pool>,
    /// Who asks.
    pub(super) user: UserId,
    /// The headers.
    pub(super) headers: &'a HeaderMap,
    /// What the client takes.
    pub(super) accepts: Accepts,
}

impl StdioServers {
    /// Answers a request that may go on to a server that is `upstream`.
    pub(in crate::gateway) async fn answer(&self, asker: &Asker, upstream: &StdioUpstream, call: &Call) -> Response {
        let (headers, body) = (&call.headers, &call.body);
        let (pool, user) = (self.pool(&asker.server.name, upstream), asker.token.claims().user);
        let context = Context { pool, user, headers, accepts: Accepts::of(headers) };
        match call.method {
            Method::POST if !context.accepts.json && !context.accepts.events => stream::not_acceptable(),
            Method::POST => match Posted::read(headers, body) {
                Ok(Posted::One(said)) if said.era() == Era::Modern => modern::answer(&context, &said).await,
                Ok(Posted::One(said)) => legacy::answer(&context, &said, body).await,
                Ok(Posted::Batch(elements)) => legacy::answer_batch(&context, elements, body).await,
                Err(Unfit { error, id }) => error.to_response(id),
            },
            Method::GET => legacy::listen(&context),
            Method::DELETE => legacy::end_session(&context),
            _ => method_not_allowed(),
        }
    }
}

/// What one element of a batch turned out to be.
pub(super) type Element<'a> = Result<Said<'a>, Unfit<'a>>;

pub(super) fn method_not_allowed() -> Response {
    let message = "There is no stream here without a session: send JSON-RPC messages with POST.";
    let mut response = Told::http(StatusCode::METHOD_NOT_ALLOWED, message).response("null");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, OPTIONS"));
    response
}

//! What is a proxy told that asks about a request of its own? Whether it may pass it on to the MCP server behind it, and who
//! calls: Caddy's `forward_auth`, Traefik's `forwardAuth`, nginx's `auth_request`.
//!
//! - **Which server** is asked about stands in the path, `/verify/{name}`, which the owner writes into the proxy's settings.
//!   No header chooses it. Only servers that are configured to stand behind a proxy are answered for.
//! - **What is decided.** A proxy shows neither method nor body, so what the request asks for is unknown, and an unknown thing
//!   needs the scope that opens everything. `Mcp-Method`, `Mcp-Name`, `X-Forwarded-Method` and `X-Forwarded-Uri` are not read:
//!   nobody here can compare them with the body. So a browser's preflight, which has no token, is refused like anything else;
//!   whoever wants to let pages call lets OPTIONS past at the proxy.
//! - **The answer** is 200 with every identity header, empty where there is nothing to say, so that a proxy that copies them
//!   replaces what a client sent under these names; or 401 or 403, never another status, because nginx makes a 500 of any
//!   other. So what is `400 invalid_request` elsewhere is a 401 here, with the same challenge.
//! - **Host.** Proxies ask under internal names, so the host is not checked. A page that rebinds a name could only ask what a
//!   token opens that it has; there are no cookies here. The origin is checked, for the server behind (MCP, Streamable HTTP,
//!   security warning): its own pages may call as well.
//! - **Who asks** need not be a proxy: what is answered to a stranger's token says nothing that its holder does not know. The
//!   caller's address is that of `X-Forwarded-For`, if a trusted proxy asks, as everywhere.

use crate::access::{GuardedServer, Operation, Permission, ServerKind, decide};
use crate::gateway::admit::{Refusal, admit};
use crate::gateway::http::identity;
use crate::gateway::router::Gateway;
use crate::gateway::{challenge, cors, error, told};
use crate::mcp::Asker;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Answers any method; a body is not read.
pub(super) async fn answer(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let mut response = gateway.verify(&parts);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Gateway {
    fn verify(&self, parts: &Parts) -> Response {
        let server = self.app.live().servers().by_path(parts.uri.path()).cloned();
        let Some(server) = server.filter(|server| matches!(server.kind, ServerKind::Proxied)) else {
            tracing::debug!("refused: nothing of that name stands behind a proxy");
            return error::nothing_to_verify().into_response();
        };
        let foreign = match self.options.origins.check_call(&parts.headers) {
            Err(_) if is_own_page(&server, &parts.headers) => None,
            checked => checked.err(),
        };
        let mut response = match self.admit_whole(&server, parts) {
            Err(refusal) => {
                refusal.log(&server);
                told::refused(&self.app, &server, &refusal, &parts.headers);
                refused(&server, &refusal)
            }
            Ok(_) if let Some(foreign) = foreign => error::foreign_origin(foreign).into_response(),
            Ok((asker, permission)) => vouch(&asker, &permission),
        };
        cors::expose(&mut response, parts.headers.get(ORIGIN).filter(|_| foreign.is_none()));
        response
    }

    /// Admits a request of which nothing but its headers is known.
    fn admit_whole(&self, server: &Arc<GuardedServer>, parts: &Parts) -> Result<(Asker, Permission), Refusal> {
        let asker = admit(&self.app, server, &parts.headers, &parts.extensions)?;
        match decide(&asker.token, asker.user.person(), server, &Operation::Unknown) {
            Ok(permission) => Ok((asker, permission)),
            Err(denied) => Err(Refusal::of(denied, asker.token.claims().user)),
        }
    }
}

/// Whether a page of the server's own host calls; the gateway's own rule knows our host only.
fn is_own_page(server: &GuardedServer, headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    let (origin, others) = (origins.next(), origins.next());
    others.is_none() && origin.is_some_and(|origin| origin.as_bytes() == server.resource.origin().as_bytes())
}

/// The answer to what may not pass.
fn refused(server: &GuardedServer, refusal: &Refusal) -> Response {
    let mut response = challenge::answer(server, refusal, None);
    if response.status() != StatusCode::FORBIDDEN {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
    }
    response
}

/// The answer to what may pass, with who calls.
fn vouch(asker: &Asker, _permission: &Permission) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    for name in [identity::USER, identity::USER_ID, identity::CLIENT, identity::SCOPES] {
        headers.insert(name, HeaderValue::from_static(""));
    }
    match identity::add(headers, asker, &identity::scopes_of(asker)) {
        Ok(()) => response,
        Err(unsendable) => {
            let (server, user) = (asker.server.name.as_str(), asker.token.claims().user);
            tracing::error!(server, %user, "refused: who calls cannot be told in headers: {unsendable}");
            error::cannot_be_told().into_response()
        }
    }
}

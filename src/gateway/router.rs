//! What happens to a request for a server's URL, in which order?
//!
//! 1. The server is looked up by its exact path, at each request: servers come and go without a restart.
//! 2. A browser that asks before it sends (CORS) and a person who opens the URL are answered without a token.
//! 3. [`admit`] decides, whatever the method, before host, origin, body or anything else counts.
//! 4. Host and origin (DNS rebinding).
//! 5. What stands behind the server answers.

use crate::access::{GuardedServer, ServerKind};
use crate::app::App;
use crate::gateway::admit::admit;
use crate::gateway::{challenge, cors, error};
use crate::mcp::BuiltinServer;
use crate::wire::host_check::{HostPolicy, OriginPolicy};
use crate::wire::paths;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, ORIGIN};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use std::sync::Arc;

/// The page for a person who opens a server's URL in a browser.
pub type ConnectPage = fn(&GuardedServer) -> Response;

/// What the gateway goes by.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// The names under which it answers.
    pub hosts: HostPolicy,
    /// The pages that may call.
    pub origins: OriginPolicy,
    /// Largest body of an MCP message, in bytes.
    pub max_body: usize,
}

#[derive(Debug)]
struct Gateway {
    app: Arc<App>,
    options: GatewayOptions,
    connect_page: ConnectPage,
    builtin: BuiltinServer,
}

/// The routes of all guarded servers, now and later: `/mcp` and whatever lies below.
pub fn router(app: &Arc<App>, options: GatewayOptions, connect_page: ConnectPage) -> Router {
    let builtin = BuiltinServer::new(Arc::clone(app), options.max_body);
    let gateway = Arc::new(Gateway { app: Arc::clone(app), options, connect_page, builtin });
    Router::new()
        .route(paths::MCP, any(answer))
        .route("/mcp/", any(answer))
        .route("/mcp/{*server}", any(answer))
        .with_state(gateway)
}

async fn answer(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let origin = request.headers().get(ORIGIN).cloned();
    let allowed = origin.filter(|_| gateway.options.origins.check_call(request.headers()).is_ok());
    let mut response = gateway.answer(request).await;
    cors::expose(&mut response, allowed.as_ref());
    response
}

impl Gateway {
    async fn answer(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let server = self.app.live().servers().by_path(parts.uri.path()).cloned();
        let Some(server) = server else { return error::no_server().into_response() };
        if cors::is_preflight(&parts.method, &parts.headers) {
            return cors::preflight(&self.options.origins, &parts.headers);
        }
        if is_person(&parts.method, &parts.headers) {
            return (self.connect_page)(&server);
        }
        let asker = match admit(&self.app, &server, &parts.headers, &parts.extensions) {
            Ok(asker) => asker,
            Err(refusal) => {
                refusal.log(&server);
                return challenge::answer(&server, &refusal, parts.uri.query());
            }
        };
        if let Err(foreign) = self.options.hosts.check(&parts.uri, &parts.headers) {
            return error::foreign_host(foreign).into_response();
        }
        if let Err(foreign) = self.options.origins.check_call(&parts.headers) {
            return error::foreign_origin(foreign).into_response();
        }
        match &server.kind {
            ServerKind::Builtin => self.builtin.answer(&asker, &parts.method, &parts.headers, body).await,
            ServerKind::Http(_) | ServerKind::Stdio(_) => error::no_server().into_response(),
        }
    }
}

/// A browser that shows pages: clients ask for JSON or event streams, and present a token.
fn is_person(method: &Method, headers: &HeaderMap) -> bool {
    let wants_page = || {
        let ranges = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        ranges
            .flat_map(|value| value.split(','))
            .any(|range| range.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/html"))
    };
    matches!(*method, Method::GET | Method::HEAD) && !headers.contains_key(AUTHORIZATION) && wants_page()
}

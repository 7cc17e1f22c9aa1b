//! What happens to a request for a server's URL, in which order?
//!
//! 1. The server is looked up by its exact path, at each request: servers come and go without a restart.
//! 2. A browser that asks before it sends (CORS) and a person who opens the URL are answered without a token.
//! 3. [`admit`] decides, whatever the method, before host, origin, body or anything else counts.
//! 4. Host and origin (DNS rebinding).
//! 5. What a POST says is read and decided about, message by message ([`super::decide`]).
//! 6. What stands behind the server answers; lists of tools are filtered on their way back.
//!
//! From 4 on all of it goes on only for as long as 3 would be decided in the same way again ([`super::open_streams`]).

use crate::access::{GuardedServer, ServerKind};
use crate::app::App;
use crate::gateway::admit::admit;
use crate::gateway::call::{self, Call};
use crate::gateway::catalogue::Catalogue;
use crate::gateway::change_watch::Watched;
use crate::gateway::decide::{ListAsked, Passed};
use crate::gateway::http::HttpUpstreams;
use crate::gateway::list_filter::{self, ListFilter};
use crate::gateway::open_streams::{Admitted, Listens, OpenStreams, Over};
use crate::gateway::stdio::StdioServers;
use crate::gateway::told::{self, Calls};
use crate::gateway::{challenge, cors, error, post, verify};
use crate::mcp::{Asker, BuiltinServer, Era, Posted, RpcError, Unfit};
use crate::wire::host_check::{HostPolicy, OriginPolicy};
use crate::wire::paths;
use crate::wire::server_insight::ServerInsight;
use crate::wire::tls::Roots;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::Semaphore;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

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
    /// Whose certificates count at servers with https URLs.
    pub roots: Roots,
}

#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) app: Arc<App>,
    pub(super) options: GatewayOptions,
    connect_page: ConnectPage,
    builtin: BuiltinServer,
    pub(super) http: HttpUpstreams,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) stdio: StdioServers,
    streams: OpenStreams,
    /// Places of tests of connections.
    pub(super) tests: Semaphore,
}

/// Most tests of connections at once.
const MAX_TESTS: usize = 4;

/// The routes of all guarded servers, now and later: `/mcp` and whatever lies below; and where proxies ask about theirs. The
/// servers that are programs are `stdio`; answers that go on are among `streams`.
pub fn router(
    app: &Arc<App>,
    options: GatewayOptions,
    stdio: StdioServers,
    streams: OpenStreams,
    connect_page: ConnectPage,
) -> Router {
    routes(app, options, stdio, streams, connect_page).0
}

/// The same, and what pages may learn of the servers.
pub fn routes(
    app: &Arc<App>,
    options: GatewayOptions,
    stdio: StdioServers,
    streams: OpenStreams,
    connect_page: ConnectPage,
) -> (Router, Arc<dyn ServerInsight>) {
    let (builtin, tests) = (BuiltinServer::new(Arc::clone(app)), Semaphore::new(MAX_TESTS));
    let (http, catalogue) = (HttpUpstreams::new(Arc::clone(app), &options.roots), Arc::<Catalogue>::default());
    stdio.tell_of_changes(&catalogue);
    let app = Arc::clone(app);
    let gateway = Arc::new(Gateway { app, options, connect_page, builtin, http, catalogue, stdio, streams, tests });
    let insight: Arc<dyn ServerInsight> = Arc::<Gateway>::clone(&gateway);
    let router = Router::new()
        .route(paths::MCP, any(answer))
        .route("/mcp/", any(answer))
        .route("/mcp/{*server}", any(answer))
        .route(paths::VERIFY, any(verify::answer))
        .route("/verify/", any(verify::answer))
        .route("/verify/{*server}", any(verify::answer))
        .with_state(gateway);
    (router, insight)
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
        // Before anything is decided that may change.
        let changes = self.app.live().changes();
        let asker = match admit(&self.app, &server, &parts.headers, &parts.extensions) {
            Ok(asker) => asker,
            Err(refusal) => {
                refusal.log(&server);
                told::refused(&self.app, &server, &refusal, &parts.headers);
                return challenge::answer(&server, &refusal, parts.uri.query());
            }
        };
        let listens = parts.method == Method::GET;
        let admitted = Admitted { asker: asker.clone(), changes, listens };
        let answering = pin!(self.answer_admitted(&asker, parts, body));
        match self.streams.watch_over(admitted, answering).await {
            Ok(response) => response,
            Err(Over::Refused(refusal)) => {
                refusal.log(&server);
                challenge::answer(&server, &refusal, None)
            }
            Err(Over::Stopping) => error::stopping().into_response(),
        }
    }

    async fn answer_admitted(&self, asker: &Asker, parts: Parts, body: Body) -> Response {
        if let Err(foreign) = self.options.hosts.check(&parts.uri, &parts.headers) {
            return error::foreign_host(foreign).into_response();
        }
        if let Err(foreign) = self.options.origins.check_call(&parts.headers) {
            return error::foreign_origin(foreign).into_response();
        }
        match &asker.server.kind {
            ServerKind::Builtin => match BuiltinServer::refuse(&parts.method, &parts.headers) {
                Some(refusal) => refusal,
                None => self.post(asker, parts.headers, body).await,
            },
            ServerKind::Http(_) | ServerKind::Stdio(_) => match parts.method {
                Method::POST => self.post(asker, parts.headers, body).await,
                Method::GET | Method::DELETE => match Passed::without_messages(asker) {
                    Ok(passed) => {
                        self.pass_on(asker, Call::new(parts.method, parts.headers, Bytes::new(), passed)).await
                    }
                    Err(denied) => RpcError::http(StatusCode::FORBIDDEN, denied.to_string()).into_response(),
                },
                _ => call::wrong_method(),
            },
            ServerKind::Proxied => error::no_server().into_response(),
        }
    }

    /// Messages: read once, decided about one by one, and only then answered here or behind.
    async fn post(&self, asker: &Asker, headers: HeaderMap, body: Body) -> Response {
        let bytes = match post::read(&headers, body, self.options.max_body).await {
            Ok(bytes) => bytes,
            Err(error) => return error.into_response(),
        };
        let mut posted = match Posted::read(&headers, &bytes) {
            Ok(posted) => posted,
            Err(Unfit { error, id }) => return error.to_response(id),
        };
        let passed = match self.decide(asker, &headers, &mut posted).await {
            Ok(passed) => passed,
            Err(answer) => return answer,
        };
        let calls = Calls::of(&self.app, &posted);
        if matches!(asker.server.kind, ServerKind::Builtin) {
            let response = self.builtin.answer(asker, &posted).await;
            calls.tell(&self.app, asker, &response);
            return response;
        }
        let listens = matches!(&posted, Posted::One(said) if said.method() == Some("subscriptions/listen"));
        drop(posted);
        let response = self.pass_on(asker, Call::new(Method::POST, headers, bytes, passed)).await;
        let mut response = calls.follow(&self.app, asker, response);
        if listens {
            response.extensions_mut().insert(Listens);
        }
        response
    }

    /// Passes a call on, and what comes back: lists of tools through the filter, all else as it is.
    async fn pass_on(&self, asker: &Asker, mut call: Call) -> Response {
        // A stream that is taken up again (2025-11-25, resumability) may repeat a list.
        let resumed = call.method == Method::GET && call.headers.contains_key(LAST_EVENT_ID);
        let list = match &call.passed().list {
            Some(list) => Some(list.clone()),
            None => resumed.then_some(ListAsked { era: Era::Legacy, id: None, first: None }),
        };
        if list.is_some() {
            call.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        let mut response = self.forward(asker, call).await;
        if list_filter::is_stream(response.headers()) {
            let (server, catalogue) = (asker.server.name.clone(), Arc::clone(&self.catalogue));
            response = response.map(|body| Body::new(Watched::new(body, server, catalogue)));
        }
        let Some(ListAsked { era, id, first }) = list else { return response };
        let (app, asker, catalogue) = (Arc::clone(&self.app), asker.clone(), Arc::clone(&self.catalogue));
        Box::pin(ListFilter { app, asker, era, id, first, catalogue }.filter(response)).await
    }

    /// Has a server answer that is not built in. What is rare or large is boxed, here and elsewhere on this way, so that a
    /// request takes little memory.
    pub(super) async fn forward(&self, asker: &Asker, call: Call) -> Response {
        match &asker.server.kind {
            ServerKind::Http(upstream) => self.http.answer(asker, upstream, call).await,
            ServerKind::Stdio(upstream) => Box::pin(self.stdio.answer(asker, upstream, &call)).await,
            ServerKind::Builtin | ServerKind::Proxied => Call::refuse(&call.body, &error::no_server()),
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

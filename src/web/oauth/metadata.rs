//! Discovery: the authorization server's metadata, each protected resource's, and the public keys.

use crate::access::GuardedServer;
use crate::keys::JWKS_MAX_AGE;
use crate::oauth::metadata::{AuthorizationServerMetadata, Endpoints, ProtectedResourceMetadata};
use crate::oauth::resource::ResourceUri;
use crate::web::oauth::respond::json;
use crate::web::state::WebState;
use crate::wire::paths;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// How long discovery documents may be kept.
const CACHE: &str = "public, max-age=300";

/// `GET /.well-known/oauth-authorization-server` (RFC 8414 §3).
pub async fn authorization_server(State(state): State<WebState>) -> Response {
    let options = state.app.options();
    let endpoints = Endpoints {
        authorize: paths::AUTHORIZE,
        token: paths::TOKEN,
        register: options.registration.dynamic.then_some(paths::REGISTER),
        revoke: paths::REVOKE,
        introspect: paths::INTROSPECT,
        jwks: paths::JWKS,
    };
    let servers = state.app.live().servers();
    let scopes = servers.iter().flat_map(|server| server.scopes().iter());
    cached(&AuthorizationServerMetadata::new(&options.issuer, &endpoints, scopes, state.client_documents()))
}

/// `GET /.well-known/oauth-protected-resource/mcp/…` (RFC 9728 §3.1): the server at that path.
pub async fn protected_resource(State(state): State<WebState>, path: Result<Path<String>, PathRejection>) -> Response {
    let Ok(Path(path)) = path else { return no_such_resource() };
    let servers = state.app.live().servers();
    let path = format!("/{}", path.trim_end_matches('/'));
    // One behind a proxy on this host is found by its URL.
    let at_our_host = || ResourceUri::parse(&state.app.options().issuer.join(&path)).ok();
    match servers.by_path(&path).or_else(|| servers.by_resource(&at_our_host()?)) {
        Some(server) => resource_document(&state, server),
        None => no_such_resource(),
    }
}

/// The root form: only where there is one server, because it can describe no more.
pub async fn only_protected_resource(State(state): State<WebState>) -> Response {
    let servers = state.app.live().servers();
    let mut all = servers.iter();
    match (all.next(), all.next()) {
        (Some(only), None) => resource_document(&state, only),
        _ => no_such_resource(),
    }
}

/// `GET /.well-known/jwks.json` (RFC 7517 §5).
pub async fn jwks(State(state): State<WebState>) -> Response {
    let mut response = cached(&state.app.jwks());
    let max_age = format!("public, max-age={}", JWKS_MAX_AGE.as_secs());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_str(&max_age).expect("digits and ASCII"));
    response
}

/// Any other path below `/.well-known/`: programs look for documents there, so that nothing is there is told to programs.
pub async fn no_such_document() -> Response {
    let body = serde_json::json!({
        "error": "not_found",
        "error_description": "there is no such document; this server has oauth-authorization-server, \
            oauth-protected-resource and jwks.json",
    });
    json(StatusCode::NOT_FOUND, &body)
}

fn resource_document(state: &WebState, server: &GuardedServer) -> Response {
    let issuer = &state.app.options().issuer;
    cached(&ProtectedResourceMetadata::new(issuer, &server.resource, &server.title, &server.default_scopes()))
}

fn no_such_resource() -> Response {
    let body = serde_json::json!({
        "error": "not_found",
        "error_description": "no MCP server is guarded at this path; see the dashboard for the addresses",
    });
    json(StatusCode::NOT_FOUND, &body)
}

fn cached(document: &impl Serialize) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static(CACHE)),
    ];
    match serde_json::to_vec(document) {
        Ok(bytes) => (headers, bytes).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

//! Which handler answers where? Every route of endpoints and pages, in one list.
//!
//! Discovery and the endpoints for programs answer any origin and take no cookies. Pages answer to their own host only.

use crate::web::assets;
use crate::web::error::ErrorView;
use crate::web::oauth::{authorize, introspect, metadata, register, respond, revoke, token};
use crate::web::sign_in::{login, logout, set_up};
use crate::web::state::WebState;
use crate::wire::host_check::{HostPolicy, require_own_host};
use crate::wire::paths;
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Redirect;
use axum::routing::{get, post};

/// All routes of this module.
pub fn router(state: WebState, hosts: HostPolicy) -> Router {
    let programs = Router::new()
        .route(paths::AUTHORIZATION_SERVER, get(metadata::authorization_server))
        .route(paths::PROTECTED_RESOURCE, get(metadata::only_protected_resource))
        .route(&format!("{}/{{*path}}", paths::PROTECTED_RESOURCE), get(metadata::protected_resource))
        .route(paths::JWKS, get(metadata::jwks))
        .route(paths::TOKEN, post(token::post))
        .route(paths::REGISTER, post(register::post))
        .route(paths::REGISTRATION, get(register::read))
        .route(paths::REVOKE, post(revoke::post))
        .route(paths::INTROSPECT, post(introspect::post))
        .method_not_allowed_fallback(respond::wrong_method)
        .layer(from_fn(respond::allow_any_origin));
    let pages = Router::new()
        .route("/", get(|| async { Redirect::to(paths::DASHBOARD) }))
        .route(paths::AUTHORIZE, get(authorize::get).post(authorize::post))
        .route(paths::SET_UP, get(set_up::get).post(set_up::post))
        .route(paths::LOGIN, get(login::get).post(login::post))
        .route(paths::LOGOUT, get(logout::get).post(logout::post))
        .route(paths::ASSETS, get(assets::show))
        .fallback(|| async { ErrorView::not_found() })
        .method_not_allowed_fallback(|| async { ErrorView::method_not_allowed() });
    programs.merge(pages).layer(from_fn_with_state(hosts, require_own_host)).with_state(state)
}

//! `POST /revoke` (RFC 7009 §2).

use crate::web::oauth::client::EndpointRequest;
use crate::web::oauth::respond::busy;
use crate::web::state::WebState;
use crate::wire::blocking;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};

/// Takes a token back; 200 also for one that was not good (RFC 7009 §2.2). A personal token needs no client.
pub async fn post(State(state): State<WebState>, request: EndpointRequest) -> Result<Response, Response> {
    request.form.require("token").map_err(|error| request.refuse(&error))?;
    let client = if request.names_client() { Some(request.authenticate(&state).await?) } else { None };
    let revoked = blocking::run(&state.app, move |app| {
        let token = request.form.get("token").unwrap_or_default();
        (app.revoke_token(client.as_ref(), token), request)
    });
    let (revoked, request) = revoked.await.map_err(busy)?;
    revoked.map_err(|error| request.refuse(&error))?;
    Ok(([(CACHE_CONTROL, "no-store")], "").into_response())
}

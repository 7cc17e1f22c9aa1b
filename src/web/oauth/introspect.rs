//! `POST /introspect` (RFC 7662 §2).

use crate::web::oauth::client::EndpointRequest;
use crate::web::oauth::respond::{busy, json};
use crate::web::state::WebState;
use crate::wire::blocking;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

/// Tells a resource server about a token.
pub async fn post(State(state): State<WebState>, request: EndpointRequest) -> Result<Response, Response> {
    let client = request.authenticate(&state).await?;
    request.form.require("token").map_err(|error| request.refuse(&error))?;
    let told = blocking::run(&state.app, move |app| {
        let token = request.form.get("token").unwrap_or_default();
        (app.introspect(&client, token), request)
    });
    let (told, request) = told.await.map_err(busy)?;
    let introspection = told.map_err(|error| request.refuse(&error))?;
    Ok(json(StatusCode::OK, &introspection.to_json()))
}

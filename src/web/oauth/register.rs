//! `POST /register` (RFC 7591 §3) and `GET /register/{client_id}` (RFC 7592 §2.1).

use crate::app::register::Registered;
use crate::oauth::error::{ErrorCode, ProtocolError};
use crate::oauth::registration::{RegistrationResponse, parse_registration};
use crate::web::oauth::respond::{bad_body, busy, json, refusal};
use crate::web::state::WebState;
use crate::wire::{blocking, body};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

/// Registers a client: 201 with all that is kept.
pub async fn post(State(state): State<WebState>, request: Request) -> Result<Response, Response> {
    let refuse = |error: &ProtocolError| refusal(error, false);
    let (parts, body) = request.into_parts();
    if !body::is_json(&parts.headers) {
        let text = "send the client metadata as application/json";
        return Err(refuse(&ProtocolError::new(ErrorCode::InvalidClientMetadata, text)));
    }
    let limit = state.limits().registration_body;
    let bytes = body::read(&parts.headers, body, limit).await.map_err(bad_body)?;
    let metadata = parse_registration(&bytes, limit).map_err(|error| refuse(&error.into()))?;
    let asked = metadata.clone();
    let registered = blocking::run(&state.app, move |app| app.register_client(metadata)).await.map_err(busy)?;
    let Registered { client, secret } = registered.map_err(|error| refuse(&error))?;
    let access = state.app.registration_access().token(&client.id);
    let issuer = &state.app.options().issuer;
    Ok(json(StatusCode::CREATED, &RegistrationResponse::new(&client, &asked, secret.as_ref(), &access, issuer)))
}

/// Shows a registration to its client.
pub async fn read(
    State(state): State<WebState>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    // What is not even text is nobody's id.
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = match token.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer ") => token.trim().to_owned(),
        _ => String::new(),
    };
    let found = blocking::run(&state.app, move |app| app.read_registration(&id, &token)).await.map_err(busy)?;
    let client = found.map_err(|error| refusal(&error, false))?;
    let access = state.app.registration_access().token(&client.id);
    let issuer = &state.app.options().issuer;
    Ok(json(StatusCode::OK, &RegistrationResponse::new(&client, &client.metadata, None, &access, issuer)))
}

//! `POST /token` (RFC 6749 §3.2).

use crate::app::exchange::Tokens;
use crate::web::oauth::client::EndpointRequest;
use crate::web::oauth::respond::{busy, json};
use crate::web::state::WebState;
use crate::wire::blocking;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

/// RFC 6749 §5.1.
#[derive(Serialize)]
struct TokenResponse<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    scope: String,
}

/// Tokens for a code or a refresh token.
pub async fn post(State(state): State<WebState>, request: EndpointRequest) -> Result<Response, Response> {
    let client = request.authenticate(&state).await?;
    let exchanged = blocking::run(&state.app, move |app| {
        let tokens = app.exchange(&client, &request.form);
        (tokens, request)
    });
    let (tokens, request) = exchanged.await.map_err(busy)?;
    let Tokens { access_token, refresh_token, scopes } = tokens.map_err(|error| request.refuse(&error))?;
    let claims = access_token.claims();
    let response = TokenResponse {
        access_token: access_token.expose(),
        token_type: "Bearer",
        expires_in: claims.expires_at.since(claims.issued_at).as_secs(),
        refresh_token: refresh_token.as_ref().map(crate::secret::PlainToken::expose),
        scope: scopes.to_string(),
    };
    Ok(json(StatusCode::OK, &response))
}

//! `/dashboard/api-keys/{id}`: one token: what it reaches, whether it works, when it was used. Never the token itself.

use super::TokenRow;
use crate::id::TokenId;
use crate::web::chart::Chart;
use crate::web::dashboard::Frame;
use crate::web::extract::{PathId, SignedIn};
use crate::web::notice::Done;
use crate::web::oauth::respond::json;
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// `GET /dashboard/api-keys/{id}`.
#[derive(Debug, Template)]
#[template(path = "dashboard/personal_tokens/show.html")]
pub struct TokenView {
    /// Around the page.
    pub frame: Frame,
    /// The token.
    pub token: TokenRow,
}

/// `GET /dashboard/api-keys/{id}/use`.
#[derive(Debug, Serialize)]
struct Use {
    /// Whether the token was used.
    used: bool,
    /// "First used just now from 203.0.113.7 with claude-code/2.1".
    words: String,
}

/// The page.
pub async fn get(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PathId(id): PathId<TokenId>,
    notice: Done,
) -> Result<Response, Response> {
    let token = row(&state, &signed_in, id).await?;
    Ok(Page::new(TokenView { frame: Frame::new(&state, &signed_in, notice), token }).into_response())
}

/// Whether it was used, for a page that waits for it.
pub async fn get_use(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PathId(id): PathId<TokenId>,
) -> Result<Response, Response> {
    let token = row(&state, &signed_in, id).await?;
    let words = token.last_used.as_ref().map(|used| {
        let with = if used.client.is_empty() { String::new() } else { format!(" with {}", used.client) };
        format!("used {} from {}{with}", used.at.words(), used.address)
    });
    let told = Use { used: words.is_some(), words: words.unwrap_or_else(|| "waiting for its first use".to_owned()) };
    Ok(json(StatusCode::OK, &told))
}

async fn row(state: &WebState, signed_in: &SignedIn, id: TokenId) -> Result<TokenRow, Response> {
    let user = signed_in.user.id;
    operate(state, move |app| {
        let (entry, now) = (app.personal_token(user, id)?, app.now());
        let days = if entry.last_use.is_some() { Some(app.token_days(id)?) } else { None };
        let requests = days.map(|days| Chart::new(&days, "request", "requests"));
        Ok(TokenRow { requests, ..TokenRow::of(entry, &app.live().servers(), now) })
    })
    .await
}

#[cfg(test)]
impl TokenView {
    pub(crate) fn sample() -> Self {
        use super::TokenState;
        let token = TokenRow {
            replaced_by: Some(TokenId::from_bytes([0x5b; 16])),
            ..TokenRow::sample("Backup <job>", 300, TokenState::Leaving(crate::web::when::When::sample(3_000)))
        };
        Self { frame: Frame::sample(), token }
    }

    pub(crate) fn sample_unused() -> Self {
        use super::TokenState;
        let token = TokenRow {
            last_used: None,
            requests: None,
            replaces: Some(TokenId::from_bytes([0x5b; 16])),
            ..TokenRow::sample("Claude Code on the laptop", 365, TokenState::Active)
        };
        Self { frame: Frame::sample(), token }
    }
}

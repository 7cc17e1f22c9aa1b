//! `/dashboard/api-keys/{id}/revoke`: the end of a token, after a question.

use super::TokenRow;
use crate::id::TokenId;
use crate::web::dashboard::Frame;
use crate::web::extract::{Confirmed, CsrfForm, PathId, SignedIn};
use crate::web::notice::{Done, Notice};
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::respond::see_other;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

/// `GET /dashboard/api-keys/{id}/revoke`. Posts `form_token` to the same path.
#[derive(Debug, Template)]
#[template(path = "dashboard/personal_tokens/revoke.html")]
pub struct TokenRevokeView {
    /// Around the page.
    pub frame: Frame,
    /// The token to revoke.
    pub token: TokenRow,
}

/// The question.
pub async fn get(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PathId(id): PathId<TokenId>,
) -> Result<Response, Response> {
    let user = signed_in.user.id;
    let entry = operate(&state, move |app| app.personal_token(user, id)).await?;
    let token = TokenRow::of(entry, &state.app.live().servers(), state.app.now());
    let view = TokenRevokeView { frame: Frame::new(&state, &signed_in, Done(None)), token };
    Ok(Page::new(view).into_response())
}

/// Revokes.
pub async fn post(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PathId(id): PathId<TokenId>,
    CsrfForm(_): CsrfForm<Confirmed>,
) -> Result<Response, Response> {
    let user = signed_in.user.id;
    operate(&state, move |app| app.revoke_personal_token(user, id)).await?;
    Ok(see_other(&Notice::TokenRevoked.at(paths::PERSONAL_TOKENS)))
}

#[cfg(test)]
impl TokenRevokeView {
    pub(crate) fn sample() -> Self {
        Self { frame: Frame::sample(), token: TokenRow::sample("Backup job", 12, super::TokenState::ExpiresSoon) }
    }
}

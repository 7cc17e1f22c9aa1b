//! `/dashboard/api-keys/{id}/revoke` and `/dashboard/api-keys/revoke-all`: the end of a token, or of all, after a question.

use super::TokenRow;
use crate::id::TokenId;
use crate::web::dashboard::Frame;
use crate::web::extract::{Confirmed, CsrfForm, PathId, RecentForm, SignedIn};
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

/// `GET /dashboard/api-keys/revoke-all`. Posts `form_token` to the same path.
#[derive(Debug, Template)]
#[template(path = "dashboard/personal_tokens/revoke_all.html")]
pub struct TokensRevokeAllView {
    /// Around the page.
    pub frame: Frame,
    /// How many work.
    pub count: usize,
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

/// The question about all.
pub async fn get_all(State(state): State<WebState>, signed_in: SignedIn) -> Result<Response, Response> {
    let user = signed_in.user.id;
    let count = operate(&state, move |app| app.personal_token_summary(user)).await?.live;
    if count == 0 {
        return Ok(see_other(paths::PERSONAL_TOKENS));
    }
    let view = TokensRevokeAllView { frame: Frame::new(&state, &signed_in, Done(None)), count };
    Ok(Page::new(view).into_response())
}

/// Revokes all.
pub async fn post_all(
    State(state): State<WebState>,
    RecentForm(signed_in, _): RecentForm<Confirmed>,
) -> Result<Response, Response> {
    let user = signed_in.user.id;
    operate(&state, move |app| app.revoke_all_personal_tokens(user)).await?;
    Ok(see_other(&Notice::TokensRevoked.at(paths::PERSONAL_TOKENS)))
}

#[cfg(test)]
impl TokensRevokeAllView {
    pub(crate) fn sample() -> Self {
        Self { frame: Frame::sample(), count: 7 }
    }
}

#[cfg(test)]
impl TokenRevokeView {
    pub(crate) fn sample() -> Self {
        Self { frame: Frame::sample(), token: TokenRow::sample("Backup job", 12, super::TokenState::ExpiresSoon) }
    }
}

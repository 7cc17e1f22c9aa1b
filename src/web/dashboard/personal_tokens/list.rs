//! `/dashboard/api-keys`: the person's tokens, ended ones included.

use super::{TokenRow, TokenState};
use crate::web::dashboard::Frame;
use crate::web::extract::SignedIn;
use crate::web::notice::Done;
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

/// `GET /dashboard/api-keys`.
#[derive(Debug, Template)]
#[template(path = "dashboard/personal_tokens/list.html")]
pub struct TokenListView {
    /// Around the page.
    pub frame: Frame,
    /// Newest first.
    pub tokens: Vec<TokenRow>,
}

/// The list.
pub async fn get(State(state): State<WebState>, signed_in: SignedIn, notice: Done) -> Result<Response, Response> {
    let user = signed_in.user.id;
    let entries = operate(&state, move |app| app.personal_tokens(user)).await?;
    let (servers, now) = (state.app.live().servers(), state.app.now());
    let view = TokenListView {
        frame: Frame::new(&state, &signed_in, notice),
        tokens: entries.into_iter().map(|entry| TokenRow::of(entry, &servers, now)).collect(),
    };
    Ok(Page::new(view).into_response())
}

#[cfg(test)]
impl TokenListView {
    pub(crate) fn sample() -> Self {
        let tokens = vec![
            TokenRow { last_used: None, ..TokenRow::sample("Claude Code on the laptop", 364, TokenState::Active) },
            TokenRow {
                reach: "Notes, Files".to_owned(),
                allows: "notes:write, reading".to_owned(),
                ..TokenRow::sample("Backup job", 12, TokenState::ExpiresSoon)
            },
            TokenRow::sample("<b>bold</b> & \"quoted\"", 2, TokenState::ExpiresVerySoon),
            TokenRow::sample("Workshop", -5, TokenState::Expired),
            TokenRow::sample(
                "a-very-long-name-without-any-space-in-it-that-somebody-typed-to-see-what-the-table-does-0123456789",
                200,
                TokenState::Revoked(crate::web::when::When::sample(-7_200)),
            ),
        ];
        let notice = Some("“Old phone” is revoked. It is refused from now on.".to_owned());
        Self { frame: Frame { notice, ..Frame::sample() }, tokens }
    }

    pub(crate) fn sample_empty() -> Self {
        Self { frame: Frame::sample(), tokens: Vec::new() }
    }
}

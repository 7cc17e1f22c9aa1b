//! `/dashboard/api-keys`: the person's tokens, ended ones included.

use super::{TokenRow, TokenState};
use crate::web::chart::Chart;
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
    let tokens = operate(&state, move |app| {
        let (servers, now) = (app.live().servers(), app.now());
        let rows = app.personal_tokens(user)?.into_iter().map(|entry| {
            let (id, is_used) = (entry.token.id, entry.last_use.is_some());
            let days = if is_used { Some(app.token_days(id)?) } else { None };
            let requests = days.map(|days| Chart::new(&days, "request", "requests"));
            Ok(TokenRow { requests, ..TokenRow::of(entry, &servers, now) })
        });
        rows.collect()
    });
    let view = TokenListView { frame: Frame::new(&state, &signed_in, notice), tokens: tokens.await? };
    Ok(Page::new(view).into_response())
}

#[cfg(test)]
impl TokenListView {
    pub(crate) fn sample() -> Self {
        let tokens = vec![
            TokenRow {
                last_used: None,
                requests: None,
                ..TokenRow::sample("Claude Code on the laptop", 364, TokenState::Active)
            },
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

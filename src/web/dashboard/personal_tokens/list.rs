//! `/dashboard/api-keys`: the person's tokens, ended ones included, a page at a time.

use super::TokenRow;
use crate::account::personal_token::MAX_TOKEN_NAME;
use crate::app::error::OperationError;
use crate::app::personal_tokens::{TokenFilter, TokenPlace, TokenSort};
use crate::id::TokenId;
use crate::web::chart::Chart;
use crate::web::dashboard::Frame;
use crate::web::extract::{PageQuery, SignedIn};
use crate::web::notice::Done;
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// `GET /dashboard/api-keys?text=&state=&before=&after=`.
#[derive(Debug, Template)]
#[template(path = "dashboard/personal_tokens/list.html")]
pub struct TokenListView {
    /// Around the page.
    pub frame: Frame,
    /// Newest first.
    pub tokens: Vec<TokenRow>,
    /// What is written in the filter.
    pub text: String,
    /// Keyword and title of each state, and whether it is chosen.
    pub states: Vec<(&'static str, &'static str, bool)>,
    /// Whether anything is filtered.
    pub is_filtered: bool,
    /// How many tokens work.
    pub working: usize,
    /// The address of the newer ones.
    pub newer: Option<String>,
    /// The address of the older ones.
    pub older: Option<String>,
    /// Whether so much was looked through that the page ended.
    pub is_cut_short: bool,
}

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct TokenListQuery {
    text: String,
    state: String,
    before: String,
    after: String,
}

/// Keyword, title and meaning of each state that can be asked for.
const STATES: [(&str, &str, Option<TokenSort>); 5] = [
    ("", "All", None),
    ("working", "Working", Some(TokenSort::Live)),
    ("soon", "Expiring soon", Some(TokenSort::ExpiringSoon)),
    ("unused", "Never used", Some(TokenSort::NeverUsed)),
    ("ended", "Ended", Some(TokenSort::Ended)),
];

impl TokenListQuery {
    fn filter(&self) -> TokenFilter {
        let sort = STATES.iter().find(|(keyword, ..)| *keyword == self.state).and_then(|(_, _, sort)| *sort);
        TokenFilter { text: self.text.trim().chars().take(MAX_TOKEN_NAME).collect(), sort }
    }

    fn place(&self) -> TokenPlace {
        match (self.before.parse(), self.after.parse()) {
            (Ok(id), _) => TokenPlace::OlderThan(id),
            (_, Ok(id)) => TokenPlace::NewerThan(id),
            _ => TokenPlace::Newest,
        }
    }

    fn page(&self, name: &str, id: TokenId) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("text", &self.text), ("state", &self.state)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        format!("{}?{}", paths::PERSONAL_TOKENS, query.append_pair(name, &id.to_string()).finish())
    }
}

/// The list.
pub async fn get(
    State(state): State<WebState>,
    signed_in: SignedIn,
    notice: Done,
    PageQuery(query): PageQuery<TokenListQuery>,
) -> Result<Response, Response> {
    let user = signed_in.user.id;
    let (filter, place) = (query.filter(), query.place());
    let (text, sort) = (filter.text.clone(), filter.sort);
    let found = operate(&state, move |app| {
        let (servers, now) = (app.live().servers(), app.now());
        let page = app.personal_token_page(user, &filter, place)?;
        let rows = page.entries.into_iter().map(|entry| {
            let (id, is_used) = (entry.token.id, entry.last_use.is_some());
            let days = if is_used { Some(app.token_days(id)?) } else { None };
            let requests = days.map(|days| Chart::new(&days, "request", "requests"));
            Ok::<_, OperationError>(TokenRow { requests, ..TokenRow::of(entry, &servers, now) })
        });
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        Ok((rows, page.older, page.newer, page.is_cut_short, app.personal_token_summary(user)?.live))
    });
    let (tokens, older, newer, is_cut_short, working) = found.await?;
    let view = TokenListView {
        frame: Frame::new(&state, &signed_in, notice),
        tokens,
        is_filtered: !text.is_empty() || sort.is_some(),
        text,
        states: STATES.map(|(keyword, title, own)| (keyword, title, own == sort)).into(),
        working,
        newer: newer.map(|id| query.page("after", id)),
        older: older.map(|id| query.page("before", id)),
        is_cut_short,
    };
    Ok(Page::new(view).into_response())
}

impl TokenListView {
    /// Whether there is nothing at all to list.
    fn is_empty(&self) -> bool {
        self.tokens.is_empty() && !self.is_filtered && self.newer.is_none() && self.older.is_none()
    }
}

#[cfg(test)]
impl TokenListView {
    pub(crate) fn sample() -> Self {
        use super::TokenState;
        use crate::web::when::When;
        let successor = TokenId::from_bytes([0x5b; 16]);
        let tokens = vec![
            TokenRow {
                last_used: None,
                requests: None,
                replaces: Some(successor),
                ..TokenRow::sample("Claude Code on the laptop", 364, TokenState::Active)
            },
            TokenRow {
                replaced_by: Some(successor),
                ..TokenRow::sample("Claude Code on the laptop", 90, TokenState::Leaving(When::sample(3_000)))
            },
            TokenRow {
                reach: "Notes, Files".to_owned(),
                allows: "notes:write, reading".to_owned(),
                ..TokenRow::sample("Backup job", 12, TokenState::ExpiresSoon)
            },
            TokenRow::sample("<b>bold</b> & \"quoted\"", 2, TokenState::ExpiresVerySoon),
            TokenRow::sample("Workshop", -5, TokenState::Expired),
            TokenRow::sample("Printer", 300, TokenState::Replaced),
            TokenRow::sample("In a public repository", 100, TokenState::Found(When::sample(-4_000))),
            TokenRow::sample(
                "a-very-long-name-without-any-space-in-it-that-somebody-typed-to-see-what-the-table-does-0123456789",
                200,
                TokenState::Revoked(When::sample(-7_200)),
            ),
        ];
        let notice = Some("“Old phone” is revoked. It is refused from now on.".to_owned());
        Self {
            frame: Frame { notice, ..Frame::sample() },
            tokens,
            text: String::new(),
            states: STATES.map(|(keyword, title, sort)| (keyword, title, sort.is_none())).into(),
            is_filtered: false,
            working: 5,
            newer: None,
            older: Some(format!("{}?before={successor}", paths::PERSONAL_TOKENS)),
            is_cut_short: false,
        }
    }

    pub(crate) fn sample_empty() -> Self {
        Self { frame: Frame::sample(), tokens: Vec::new(), working: 0, older: None, ..Self::sample() }
    }

    pub(crate) fn sample_filtered() -> Self {
        Self {
            text: "\"><script>alert(1)</script>".to_owned(),
            states: STATES.map(|(keyword, title, sort)| (keyword, title, sort == Some(TokenSort::NeverUsed))).into(),
            is_filtered: true,
            is_cut_short: true,
            newer: Some(format!("{}?after={}", paths::PERSONAL_TOKENS, TokenId::from_bytes([0x5b; 16]))),
            ..Self { frame: Frame::sample(), tokens: Vec::new(), ..Self::sample() }
        }
    }
}

//! How does a person keep personal tokens? Lists them, makes one, sees it once, renames it, revokes it.

use crate::id::TokenId;
use crate::web::dashboard::{Frame, LastUsed};
use crate::web::when::When;
use crate::wire::{paths, snippets::Snippet};
use askama::Template;

/// `GET /dashboard/api-keys`.
#[derive(Debug, Template)]
#[template(path = "dashboard/personal_tokens/list.html")]
pub struct TokenListView {
    /// Around the page.
    pub frame: Frame,
    /// Newest first.
    pub tokens: Vec<TokenRow>,
}

/// One personal token.
#[derive(Debug, Clone)]
pub struct TokenRow {
    /// Its id, which is the `jti` claim.
    pub id: TokenId,
    /// Its name.
    pub name: String,
    /// "All servers" or the titles of the chosen ones.
    pub reach: String,
    /// When it was made.
    pub created: When,
    /// When it stops or stopped working by itself.
    pub expires: When,
    /// The latest use; none if it was never used.
    pub last_used: Option<LastUsed>,
    /// Whether it works.
    pub state: TokenState,
}

/// Whether a personal token works now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenState {
    /// It works.
    Active,
    /// It works for 14 days at most.
    ExpiresSoon,
    /// It works for 3 days at most.
    ExpiresVerySoon,
    /// Its time is over.
    Expired,
    /// It was revoked then.
    Revoked(When),
}

impl TokenRow {
    /// The last characters of the id, by which a token in a log is recognised.
    pub fn tail(&self) -> String {
        let id = self.id.to_string();
        id[id.len() - 4..].to_owned()
    }

    /// Whether it may still be revoked.
    pub fn works(&self) -> bool {
        !matches!(self.state, TokenState::Expired | TokenState::Revoked(_))
    }
}

/// `GET` and a refused `POST` of `/dashboard/api-keys/new`.
///
/// Sends `form_token`, `creation`, `name`, `expiry` (a value of `expiries`, or `date` with `expiry_date` as
/// YYYY-MM-DD), `reach` (`all` or `chosen`) and a `server` for each chosen one.
#[derive(Debug, Template)]
#[template(path = "dashboard/personal_tokens/new.html")]
pub struct TokenFormView {
    /// Around the page.
    pub frame: Frame,
    /// Names this one act of making, so that a repeated post makes no second token.
    pub creation: String,
    /// What is written in the name field.
    pub name: String,
    /// What is wrong with it, as a sentence.
    pub name_problem: Option<String>,
    /// 7, 30, 90 and 365 days, as far as the maximum allows.
    pub expiries: Vec<ExpiryChoice>,
    /// Whether the date field is chosen instead.
    pub by_date: bool,
    /// What is written in the date field: YYYY-MM-DD or nothing.
    pub expiry_date: String,
    /// The first and the last day that it takes: YYYY-MM-DD.
    pub date_range: (String, String),
    /// What is wrong with the expiry, as a sentence.
    pub expiry_problem: Option<String>,
    /// Whether it reaches every server.
    pub all_servers: bool,
    /// The servers to choose from.
    pub servers: Vec<ServerChoice>,
    /// What is wrong with the choice, as a sentence.
    pub reach_problem: Option<String>,
    /// What is wrong with none of the fields: "You have 100 tokens, the most that one user may have. …"
    pub problem: Option<String>,
}

/// One entry of the expiry list.
#[derive(Debug, Clone)]
pub struct ExpiryChoice {
    /// Days: "365".
    pub value: String,
    /// "1 year, until 23 November 2027".
    pub label: String,
    /// Whether it is chosen.
    pub chosen: bool,
}

/// One server that a token may reach.
#[derive(Debug, Clone)]
pub struct ServerChoice {
    /// Its name, which the form sends.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Its address.
    pub url: String,
    /// Whether it is chosen.
    pub chosen: bool,
}

/// The answer to a successful `POST /dashboard/api-keys/new`: the one time that the token is shown.
#[derive(Template)]
#[template(path = "dashboard/personal_tokens/created.html")]
pub struct TokenCreatedView {
    /// Around the page.
    pub frame: Frame,
    /// The name it was given.
    pub name: String,
    /// The token.
    pub token: String,
    /// When it stops working.
    pub expires: When,
    /// "All servers" or the titles of the chosen ones.
    pub reach: String,
    /// The first server it reaches; `snippets` are for this one.
    pub server_title: String,
    /// [`crate::wire::snippets::with_token`].
    pub snippets: Vec<Snippet>,
    /// Title and URL of the other servers it reaches.
    pub other_servers: Vec<(String, String)>,
}

/// The answer when the browser posts the same creation again: the token is not shown a second time.
#[derive(Debug, Template)]
#[template(path = "dashboard/personal_tokens/already_shown.html")]
pub struct TokenAlreadyShownView {
    /// Around the page.
    pub frame: Frame,
    /// The token that exists.
    pub id: TokenId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: When,
}

/// `GET` and a refused `POST` of `/dashboard/api-keys/{id}/rename`. Sends `form_token` and `name`.
#[derive(Debug, Template)]
#[template(path = "dashboard/personal_tokens/rename.html")]
pub struct TokenRenameView {
    /// Around the page.
    pub frame: Frame,
    /// Which token.
    pub id: TokenId,
    /// Its name now.
    pub name: String,
    /// What is written in the field.
    pub new_name: String,
    /// What is wrong with it, as a sentence.
    pub problem: Option<String>,
}

/// `GET /dashboard/api-keys/{id}/revoke`. Posts `form_token` to the same path.
#[derive(Debug, Template)]
#[template(path = "dashboard/personal_tokens/revoke.html")]
pub struct TokenRevokeView {
    /// Around the page.
    pub frame: Frame,
    /// The token to revoke.
    pub token: TokenRow,
}

#[cfg(test)]
impl TokenRow {
    pub(crate) fn sample(name: &str, expires_in_days: i64, state: TokenState) -> Self {
        Self {
            id: TokenId::from_bytes([0x5a; 16]),
            name: name.to_owned(),
            reach: "All servers".to_owned(),
            created: When::sample(-86_400 * 40),
            expires: When::sample(86_400 * expires_in_days + 60),
            last_used: Some(LastUsed::sample()),
            state,
        }
    }
}

#[cfg(test)]
impl TokenListView {
    pub(crate) fn sample() -> Self {
        let tokens = vec![
            TokenRow { last_used: None, ..TokenRow::sample("Claude Code on the laptop", 364, TokenState::Active) },
            TokenRow {
                reach: "Notes, Files".to_owned(),
                ..TokenRow::sample("Backup job", 12, TokenState::ExpiresSoon)
            },
            TokenRow::sample("<b>bold</b> & \"quoted\"", 2, TokenState::ExpiresVerySoon),
            TokenRow::sample("Workshop", -5, TokenState::Expired),
            TokenRow::sample(
                "a-very-long-name-without-any-space-in-it-that-somebody-typed-to-see-what-the-table-does-0123456789",
                200,
                TokenState::Revoked(When::sample(-7_200)),
            ),
        ];
        let notice = Some("“Old phone” is revoked. It is refused from now on.".to_owned());
        Self { frame: Frame { notice, ..Frame::sample() }, tokens }
    }

    pub(crate) fn sample_empty() -> Self {
        Self { frame: Frame::sample(), tokens: Vec::new() }
    }
}

#[cfg(test)]
impl TokenFormView {
    pub(crate) fn sample() -> Self {
        let choice = |value: &str, label: &str| ExpiryChoice {
            value: value.to_owned(),
            label: label.to_owned(),
            chosen: value == "365",
        };
        let server = |name: &str, title: &str| ServerChoice {
            name: name.to_owned(),
            title: title.to_owned(),
            url: format!("https://mcp.example.org/mcp/{name}"),
            chosen: name == "notes",
        };
        Self {
            frame: Frame::sample(),
            creation: "tok_sample".to_owned(),
            name: String::new(),
            name_problem: None,
            expiries: vec![
                choice("7", "7 days, until 30 November 2026"),
                choice("30", "30 days, until 23 December 2026"),
                choice("90", "90 days, until 21 February 2027"),
                choice("365", "1 year, until 23 November 2027"),
            ],
            by_date: false,
            expiry_date: String::new(),
            date_range: ("2026-11-24".to_owned(), "2027-11-23".to_owned()),
            expiry_problem: None,
            all_servers: true,
            servers: vec![server("notes", "Notes"), server("files", "Files")],
            reach_problem: None,
            problem: None,
        }
    }

    pub(crate) fn sample_refused() -> Self {
        Self {
            name: "Backup \"job\"".to_owned(),
            name_problem: Some("You already have a token with this name. Choose another.".to_owned()),
            by_date: true,
            expiry_date: "2031-01-01".to_owned(),
            expiry_problem: Some("The last day that you can choose is 23 November 2027.".to_owned()),
            all_servers: false,
            reach_problem: Some("Choose one server at least.".to_owned()),
            problem: Some("You have 100 tokens, the most that one person may have. Revoke one first.".to_owned()),
            ..Self::sample()
        }
    }
}

#[cfg(test)]
impl TokenCreatedView {
    pub(crate) fn sample() -> Self {
        let token =
            format!("eyJ0eXAiOiJwYXQrand0IiwiYWxnIjoiRWREU0EiLCJraWQiOiJr{}.{}", "ZXlf".repeat(90), "c2ln".repeat(22));
        Self {
            frame: Frame::sample(),
            name: "Claude Code on the laptop".to_owned(),
            snippets: crate::wire::snippets::with_token("keyward", "https://mcp.example.org/mcp", &token),
            token,
            expires: When::sample(86_400 * 365),
            reach: "All servers".to_owned(),
            server_title: "Keyward".to_owned(),
            other_servers: vec![("Notes".to_owned(), "https://mcp.example.org/mcp/notes".to_owned())],
        }
    }
}

#[cfg(test)]
impl TokenAlreadyShownView {
    pub(crate) fn sample() -> Self {
        Self {
            frame: Frame::sample(),
            id: TokenId::from_bytes([0x5a; 16]),
            name: "Claude Code on the laptop".to_owned(),
            created: When::sample(-40),
        }
    }
}

#[cfg(test)]
impl TokenRenameView {
    pub(crate) fn sample() -> Self {
        Self {
            frame: Frame::sample(),
            id: TokenId::from_bytes([0x5a; 16]),
            name: "Backup job".to_owned(),
            new_name: "Workshop".to_owned(),
            problem: Some("You already have a token with this name. Choose another.".to_owned()),
        }
    }
}

#[cfg(test)]
impl TokenRevokeView {
    pub(crate) fn sample() -> Self {
        Self { frame: Frame::sample(), token: TokenRow::sample("Backup job", 12, TokenState::ExpiresSoon) }
    }
}

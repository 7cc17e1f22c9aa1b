//! `/dashboard/api-keys/new`: makes a token.
//!
//! The form carries the id of the token that it makes. So a page that is reloaded, a form that is sent twice and a Back
//! button make no second token and show no token again.

use super::created::{already_shown, created};
use super::expiry::{BY_DATE, ExpiryChoice, ExpiryRange, is_day};
use super::prefill::NewTokenQuery;
use crate::access::{GuardedServer, ServerDirectory};
use crate::account::personal_token::TokenName;
use crate::app::error::OperationError;
use crate::app::personal_tokens::{Made, NewPersonalToken};
use crate::id::TokenId;
use crate::oauth::scope;
use crate::web::dashboard::Frame;
use crate::web::extract::{PageQuery, RecentForm, SignedIn};
use crate::web::notice::Done;
use crate::web::operate::attempt;
use crate::web::page::Page;
use crate::web::respond::operation_error;
use crate::web::scopes::{Extent, ScopeRow};
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;

/// `GET` and a refused `POST` of `/dashboard/api-keys/new`.
///
/// Sends `form_token`, `creation`, `name`, `expiry` (a value of `expiries`, or `date` with `expiry_date` as
/// YYYY-MM-DD), `reach` (`all` or `chosen`), a `server` for each chosen one, `extent` ([`Extent`]) and a `scope` for each
/// chosen one.
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
    /// How much it may do.
    pub extent: Extent,
    /// The scopes to choose from; those that only some servers have say so.
    pub scopes: Vec<ScopeRow>,
    /// Whether there is more to choose from than reading.
    pub has_own: bool,
    /// What is wrong with the choice, as a sentence.
    pub scope_problem: Option<String>,
    /// What is wrong with none of the fields: "You have 100 tokens, the most that one user may have. …"
    pub problem: Option<String>,
    /// If a link has filled it in: what the link said and cannot be chosen, as sentences.
    pub by_link: Option<Vec<String>>,
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

/// The form.
pub async fn get(
    State(state): State<WebState>,
    signed_in: SignedIn,
    PageQuery(query): PageQuery<NewTokenQuery>,
) -> Response {
    let (now, range) = (state.app.now(), expiry_range(&state));
    let filled = query.read(&usable(&state.app.live().servers(), &signed_in), range, now);
    let form = TokenForm {
        creation: TokenId::generate(now, state.app.entropy()),
        name: filled.name,
        expiry: filled.expiry,
        expiry_date: filled.expiry_date,
        reach: if filled.servers.is_none() { Choice::All } else { Choice::Chosen },
        server: filled.servers.unwrap_or_default(),
        extent: filled.extent,
        scope: filled.scopes,
    };
    let view = form.view(&state, &signed_in, Problems::default());
    Page::new(TokenFormView { by_link: filled.is_by_link.then_some(filled.left_out), ..view }).into_response()
}

/// The servers that may be chosen.
fn usable<'a>(servers: &'a ServerDirectory, signed_in: &SignedIn) -> Vec<&'a Arc<GuardedServer>> {
    servers.iter().filter(|server| server.rule.admits(signed_in.user.person())).collect()
}

/// What the form sends.
#[derive(Deserialize)]
pub struct TokenForm {
    creation: TokenId,
    name: String,
    expiry: String,
    #[serde(default)]
    expiry_date: String,
    reach: Choice,
    #[serde(default)]
    server: Vec<String>,
    #[serde(default)]
    extent: Extent,
    #[serde(default)]
    scope: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Choice {
    All,
    Chosen,
}

/// Makes the token.
pub async fn post(
    State(state): State<WebState>,
    RecentForm(signed_in, form): RecentForm<TokenForm>,
) -> Result<Response, Response> {
    let owner = signed_in.user.id;
    let problems = match form.read(&state) {
        Ok(new) => match attempt(&state, move |app| app.create_personal_token(owner, &new)).await? {
            Ok(Made::Now(token, secret)) => return Ok(created(&state, &signed_in, &token, &secret, None)),
            Ok(Made::Before(token)) => return Ok(already_shown(&state, &signed_in, &token)),
            Err(OperationError::NameTaken(why)) => Problems { name: Some(why), ..Problems::default() },
            Err(OperationError::Invalid(why)) => Problems { other: Some(why), ..Problems::default() },
            Err(error) => return Err(operation_error(&error)),
        },
        Err(problems) => problems,
    };
    let view = form.view(&state, &signed_in, problems);
    Ok(Page::new(view).status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

/// What is wrong with which field, as sentences.
#[derive(Debug, Default, PartialEq, Eq)]
struct Problems {
    name: Option<String>,
    expiry: Option<String>,
    reach: Option<String>,
    scope: Option<String>,
    other: Option<String>,
}

impl TokenForm {
    fn read(&self, state: &WebState) -> Result<NewPersonalToken, Problems> {
        let name = TokenName::parse(&self.name);
        let expires_at = expiry_range(state).read(&self.expiry, &self.expiry_date);
        let none_chosen = self.reach == Choice::Chosen && self.server.is_empty();
        let scopes = self.extent.scopes(&self.scope);
        match (name, expires_at, none_chosen || scopes.is_empty()) {
            (Ok(_), Ok(expires_at), false) => Ok(NewPersonalToken {
                id: self.creation,
                name: self.name.clone(),
                expires_at: Some(expires_at),
                servers: (self.reach == Choice::Chosen).then(|| self.server.clone()),
                scopes,
            }),
            (name, expires_at, _) => Err(Problems {
                name: name.err().map(|error| error.to_string()),
                expiry: expires_at.err().map(|error| error.to_string()),
                reach: none_chosen.then(|| "Choose one server at least.".to_owned()),
                scope: scopes.is_empty().then(|| "Choose what the token may do.".to_owned()),
                other: None,
            }),
        }
    }

    fn view(self, state: &WebState, signed_in: &SignedIn, problems: Problems) -> TokenFormView {
        let (range, servers) = (expiry_range(state), state.app.live().servers());
        let servers = usable(&servers, signed_in);
        let scopes = scope_rows(&servers, &self.scope);
        TokenFormView {
            frame: Frame::new(state, signed_in, Done(None)),
            creation: self.creation.to_string(),
            name: self.name,
            name_problem: problems.name,
            expiries: range.choices(&self.expiry),
            by_date: self.expiry == BY_DATE,
            expiry_date: if is_day(&self.expiry_date) { self.expiry_date } else { String::new() },
            date_range: range.days(),
            expiry_problem: problems.expiry,
            all_servers: self.reach == Choice::All,
            servers: servers.iter().map(|server| ServerChoice::of(server, &self.server)).collect(),
            reach_problem: problems.reach,
            extent: self.extent,
            has_own: scopes.len() > 1,
            scopes,
            scope_problem: problems.scope,
            problem: problems.other,
            by_link: None,
        }
    }
}

impl ServerChoice {
    fn of(server: &GuardedServer, chosen: &[String]) -> Self {
        Self {
            name: server.name.to_string(),
            title: server.title.clone(),
            url: server.resource.to_string(),
            chosen: chosen.iter().any(|name| name == server.name.as_str()),
        }
    }
}

/// Reading, and the scopes that single servers have of their own, each once.
fn scope_rows(servers: &[&Arc<GuardedServer>], chosen: &[String]) -> Vec<ScopeRow> {
    let is_chosen = |name: &str| chosen.iter().any(|chosen| chosen == name);
    let mut rows = vec![ScopeRow::new(scope::MCP_READ, None, is_chosen(scope::MCP_READ))];
    for server in servers {
        for own in server.rule.own_scopes() {
            let name = own.name.as_str();
            let row = ScopeRow::new(name, Some(own), is_chosen(name));
            let words = format!("{}: {}", server.title, row.words);
            match rows.iter_mut().find(|row| row.scope == name) {
                Some(same) => same.words = format!("{}. {words}", same.words),
                None => rows.push(ScopeRow { words, ..row }),
            }
        }
    }
    rows
}

fn expiry_range(state: &WebState) -> ExpiryRange {
    ExpiryRange::new(state.app.now(), state.app.options().personal_tokens.longest)
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
            extent: Extent::All,
            scopes: vec![ScopeRow::new(scope::MCP_READ, None, false)],
            has_own: false,
            scope_problem: None,
            problem: None,
            by_link: None,
        }
    }

    pub(crate) fn sample_by_link() -> Self {
        Self {
            by_link: Some(vec!["“<script>alert(1)</script>” is no server that you may use.".to_owned()]),
            all_servers: false,
            name: "Claude Code on the laptop".to_owned(),
            ..Self::sample()
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
            extent: Extent::Chosen,
            scopes: vec![ScopeRow::new(scope::MCP_READ, None, false), ScopeRow::sample("notes:write", true)],
            has_own: true,
            scope_problem: Some("Choose what the token may do.".to_owned()),
            problem: Some("You have 100 tokens, the most that one person may have. Revoke one first.".to_owned()),
            ..Self::sample()
        }
    }
}

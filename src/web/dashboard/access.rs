//! `/dashboard/access`: who can reach what, for admins: everybody's connected apps and personal tokens.

use crate::access::ServerName;
use crate::app::error::OperationError;
use crate::app::everyones_access::AccessFilter;
use crate::id::UserId;
use crate::web::dashboard::Frame;
use crate::web::dashboard::connections::ConnectionRow;
use crate::web::dashboard::personal_tokens::TokenRow;
use crate::web::extract::{Admin, PageQuery};
use crate::web::notice::Done;
use crate::web::operate::operate;
use crate::web::page::Page;
use crate::web::state::WebState;
use crate::wire::paths;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// Names that a field suggests at most.
const SUGGESTED: usize = 100;
/// Longest text of a field that is looked at, in bytes.
const MAX_FIELD: usize = 2_048;

/// `GET /dashboard/access?what=&person=&client=&server=&before=`.
#[derive(Debug, Template)]
#[template(path = "dashboard/access.html")]
pub struct AccessView {
    /// Around the page.
    pub frame: Frame,
    /// What is asked for.
    pub query: AccessQuery,
    /// Connected apps, if they are asked for.
    pub apps: Vec<OwnedRow<ConnectionRow>>,
    /// Personal tokens, if they are asked for.
    pub tokens: Vec<OwnedRow<TokenRow>>,
    /// Names of people, to choose from.
    pub people: Vec<String>,
    /// Ids and names of clients, to choose from.
    pub clients: Vec<(String, String)>,
    /// Names of servers, to choose from.
    pub servers: Vec<String>,
    /// The address of the older ones, if there may be some.
    pub older: Option<String>,
    /// The address of the newest ones, if these are older.
    pub newest: Option<String>,
    /// What cannot be found, as a sentence.
    pub problem: Option<String>,
}

/// Something of somebody's.
#[derive(Debug, Clone)]
pub struct OwnedRow<T> {
    /// Whose it is.
    pub owner: UserId,
    /// Their name; empty if they are gone.
    pub owner_name: String,
    /// What it is.
    pub row: T,
}

/// What the address says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct AccessQuery {
    what: String,
    person: String,
    client: String,
    server: String,
    before: String,
}

impl AccessQuery {
    fn is_tokens(&self) -> bool {
        self.what == "tokens"
    }

    fn is_filtered(&self) -> bool {
        [&self.person, &self.client, &self.server].iter().any(|text| !text.trim().is_empty())
    }

    fn page(&self, before: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let parts = [
            ("what", self.what.as_str()),
            ("person", &self.person),
            ("client", &self.client),
            ("server", &self.server),
            ("before", before),
        ];
        query.extend_pairs(parts.into_iter().filter(|(_, value)| !value.is_empty()));
        format!("{}?{}", paths::ACCESS, query.finish())
    }
}

/// The page.
pub async fn get(
    State(state): State<WebState>,
    Admin(admin): Admin,
    notice: Done,
    PageQuery(query): PageQuery<AccessQuery>,
) -> Result<Response, Response> {
    let frame = Frame::new(&state, &admin, notice);
    let asked = query.clone();
    let view = operate(&state, move |app| {
        let (servers, now) = (app.live().servers(), app.now());
        let mut problem = None;
        let named =
            |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty() && text.len() <= MAX_FIELD);
        let user = match named(&asked.person) {
            None => None,
            Some(name) => {
                let found = app.find_person(&name)?;
                if found.is_none() {
                    problem = Some("Nobody has this user name.".to_owned());
                }
                // Nothing is found of nobody.
                Some(found.unwrap_or(UserId::from_bytes([0; 16])))
            }
        };
        let server = named(&asked.server).and_then(|name| {
            let found = ServerName::parse(&name).ok().and_then(|name| servers.named(&name).cloned());
            if found.is_none() {
                problem = Some("No server has this name; it was left out.".to_owned());
            }
            found.map(|server| server.resource.clone())
        });
        let filter = AccessFilter { user, client: named(&asked.client), server };
        let mut view = AccessView {
            frame,
            query: asked.clone(),
            apps: Vec::new(),
            tokens: Vec::new(),
            people: app.some_people(SUGGESTED)?,
            clients: app.some_clients(SUGGESTED)?,
            servers: servers.all().map(|server| server.name.to_string()).take(SUGGESTED).collect(),
            older: None,
            newest: None,
            problem,
        };
        if asked.is_tokens() {
            let before = asked.before.parse().ok();
            let page = app.everyones_tokens(&filter, before)?;
            view.newest = before.map(|_| asked.page(""));
            view.older = page.older.map(|id| asked.page(&id.to_string()));
            view.tokens = page
                .rows
                .into_iter()
                .map(|own| {
                    let row = TokenRow::of(own.what, &servers, now);
                    OwnedRow { owner: own.owner, owner_name: own.owner_name, row }
                })
                .collect();
        } else {
            let before = asked.before.parse().ok();
            let page = app.everyones_connections(&filter, before)?;
            view.newest = before.map(|_| asked.page(""));
            view.older = page.older.map(|id| asked.page(&id.to_string()));
            for own in page.rows {
                let row = ConnectionRow::of(app, own.what)?;
                view.apps.push(OwnedRow { owner: own.owner, owner_name: own.owner_name, row });
            }
        }
        Ok::<_, OperationError>(view)
    });
    Ok(Page::new(view.await?).into_response())
}

#[cfg(test)]
impl AccessView {
    pub(crate) fn sample() -> Self {
        let owned = |name: &str, row| OwnedRow { owner: UserId::from_bytes([1; 16]), owner_name: name.to_owned(), row };
        let mut unused = ConnectionRow::sample_for_others();
        unused.last_used = None;
        Self {
            frame: Frame::sample(),
            query: AccessQuery { person: "ben".to_owned(), ..AccessQuery::default() },
            apps: vec![owned("ben", ConnectionRow::sample_for_others()), owned("", unused)],
            tokens: Vec::new(),
            people: vec!["ada".to_owned(), "ben".to_owned()],
            clients: vec![("cli_1".to_owned(), "<i>Cursor</i>".to_owned())],
            servers: vec!["notes".to_owned()],
            older: Some(format!("{}?before=x", paths::ACCESS)),
            newest: Some(paths::ACCESS.to_owned()),
            problem: None,
        }
    }

    pub(crate) fn sample_tokens() -> Self {
        use crate::web::dashboard::personal_tokens::TokenState;
        let row = TokenRow::sample("<b>Laptop</b>", 300, TokenState::Active);
        let tokens = vec![OwnedRow { owner: UserId::from_bytes([1; 16]), owner_name: "ben".to_owned(), row }];
        let query = AccessQuery { what: "tokens".to_owned(), ..AccessQuery::default() };
        Self { query, tokens, apps: Vec::new(), older: None, newest: None, ..Self::sample() }
    }

    pub(crate) fn sample_nothing() -> Self {
        let problem = Some("Nobody has this user name.".to_owned());
        Self { apps: Vec::new(), older: None, newest: None, problem, ..Self::sample() }
    }

    pub(crate) fn sample_empty() -> Self {
        Self { query: AccessQuery::default(), problem: None, ..Self::sample_nothing() }
    }
}

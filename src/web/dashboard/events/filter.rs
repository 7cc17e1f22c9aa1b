//! What does the form ask for? A plain GET form, so that a filter is an address.

use crate::access::ServerDirectory;
use crate::app::App;
use crate::app::error::OperationError;
use crate::app::events::{EventFilter, EventPlace};
use crate::clock::days;
use crate::event::EventClass;
use crate::id::{EventId, UserId};
use crate::seal::Purpose;
use crate::web::when::day_begins;
use serde::{Deserialize, Serialize};

/// Names that a field suggests at most.
const SUGGESTED: usize = 100;
/// How long a link to older lines leads there.
const CURSOR_LIFE: std::time::Duration = days(7);
/// Longest text of a field that is looked at, in bytes.
const MAX_FIELD: usize = 2_048;

/// What the address says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct FilterQuery {
    kind: String,
    person: String,
    client: String,
    server: String,
    from: String,
    to: String,
    at: String,
}

/// The form as it is shown again.
#[derive(Debug, Clone, Default)]
pub struct FilterForm {
    /// Keyword and title of each class, and whether it is chosen.
    pub kinds: Vec<(&'static str, &'static str, bool)>,
    /// As typed.
    pub person: String,
    /// As typed.
    pub client: String,
    /// As typed.
    pub server: String,
    /// As typed.
    pub from: String,
    /// As typed.
    pub to: String,
    /// Names of people, to choose from.
    pub people: Vec<String>,
    /// Ids and names of clients, to choose from.
    pub clients: Vec<(String, String)>,
    /// Names of servers, to choose from.
    pub servers: Vec<String>,
    /// What cannot be read, as a sentence.
    pub problem: Option<String>,
    /// Whether anything is filtered.
    pub is_active: bool,
}

/// A place in the log, as a link carries it, sealed.
#[derive(Serialize, Deserialize)]
struct Cursor {
    id: EventId,
    newer: bool,
}

/// What is asked for, judged.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) filter: EventFilter,
    pub(super) place: EventPlace,
    pub(super) problem: Option<String>,
}

impl FilterQuery {
    /// What is asked for by `viewer`, who sees their own lines only, or by an admin, who sees all.
    pub(super) fn judge(&self, app: &App, viewer: Option<UserId>) -> Result<Asked, OperationError> {
        let mut problem = None;
        let mut day = |text: &str, name: &str| {
            let parsed = day_begins(text.trim());
            if parsed.is_none() && !text.trim().is_empty() {
                problem = Some(format!("“{name}” must be a day such as 2026-11-23. It was left out."));
            }
            parsed
        };
        let (from, to) = (day(&self.from, "From"), day(&self.to, "To"));
        let user = match viewer {
            Some(viewer) => Some(viewer),
            None if self.person.trim().is_empty() => None,
            None => {
                let found = app.find_person(short(self.person.trim()))?;
                if found.is_none() {
                    problem =
                        Some("Nobody has this user name. Choose one from the list, or follow a name below.".into());
                }
                // Nothing is found of nobody.
                Some(found.unwrap_or(UserId::from_bytes([0; 16])))
            }
        };
        let named = |text: &str| Some(short(text.trim()).to_owned()).filter(|text| !text.is_empty());
        let filter = EventFilter {
            user,
            client: named(&self.client),
            server: named(&self.server),
            class: EventClass::parse(&self.kind),
            from,
            until: to.map(|to| to + days(1)),
        };
        let cursor = app.sealer().open::<Cursor>(Purpose::Cursor, &self.at, app.now()).ok();
        let place = match cursor {
            Some(Cursor { id, newer: false }) => EventPlace::OlderThan(id),
            Some(Cursor { id, newer: true }) => EventPlace::NewerThan(id),
            None => EventPlace::Newest,
        };
        Ok(Asked { filter, place, problem })
    }

    /// The form with what it was sent with.
    pub(super) fn form(
        &self,
        app: &App,
        for_admin: bool,
        problem: Option<String>,
    ) -> Result<FilterForm, OperationError> {
        let kind = EventClass::parse(&self.kind);
        let kinds = EventClass::ALL.into_iter().map(|class| (class.keyword(), class.title(), Some(class) == kind));
        let (people, clients) = if for_admin {
            (app.some_people(SUGGESTED)?, app.some_clients(SUGGESTED)?)
        } else {
            (Vec::new(), Vec::new())
        };
        let texts = [&self.person, &self.client, &self.server, &self.from, &self.to];
        Ok(FilterForm {
            kinds: kinds.collect(),
            person: self.person.clone(),
            client: self.client.clone(),
            server: self.server.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            people,
            clients,
            servers: names_of(&app.live().servers()),
            problem,
            is_active: kind.is_some() || texts.iter().any(|text| !text.trim().is_empty()),
        })
    }

    /// The address of `path` with this filter, without a place.
    pub(super) fn at(&self, path: &str) -> String {
        self.address(path, None)
    }

    /// The address of another page of this filter.
    pub(super) fn at_place(&self, path: &str, app: &App, id: EventId, newer: bool) -> String {
        let cursor = app.sealer().seal(Purpose::Cursor, &Cursor { id, newer }, app.now(), CURSOR_LIFE);
        self.address(path, Some(&cursor))
    }

    fn address(&self, path: &str, cursor: Option<&str>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let parts = [
            ("kind", self.kind.as_str()),
            ("person", &self.person),
            ("client", &self.client),
            ("server", &self.server),
            ("from", &self.from),
            ("to", &self.to),
            ("at", cursor.unwrap_or_default()),
        ];
        query.extend_pairs(parts.into_iter().filter(|(_, value)| !value.is_empty()));
        match query.finish() {
            empty if empty.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }
}

/// The address of `path` with one thing filtered.
pub(in crate::web::dashboard) fn filtered_by(path: &str, name: &str, value: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    format!("{path}?{query}")
}

fn names_of(servers: &ServerDirectory) -> Vec<String> {
    servers.all().map(|server| server.name.to_string()).take(SUGGESTED).collect()
}

fn short(text: &str) -> &str {
    if text.len() <= MAX_FIELD { text } else { "" }
}

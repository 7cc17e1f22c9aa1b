//! Which lines does a filter show, in which order?
//!
//! A page is cut short where a search had to look through much ([`super::search`]); then it says where to go on.

use crate::app::App;
use crate::app::error::OperationError;
use crate::app::events::search::{Found, Stretch, after, first_at, search};
use crate::clock::Timestamp;
use crate::event::{Event, EventClass, Facet};
use crate::id::{EventId, UserId};
use crate::store::tables::{CLIENTS, USER_NAMES};
use crate::store::{Reads, Scan};

/// Lines of a page.
pub const PAGE: usize = 50;

/// Which lines are meant. Each part narrows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Done by this user or about them.
    pub user: Option<UserId>,
    /// Of this client.
    pub client: Option<String>,
    /// Of this server.
    pub server: Option<String>,
    /// Of this class.
    pub class: Option<EventClass>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// Which page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EventPlace {
    /// The newest lines.
    #[default]
    Newest,
    /// What comes before this line.
    OlderThan(EventId),
    /// What comes after this line.
    NewerThan(EventId),
}

/// Lines, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// The lines.
    pub events: Vec<(EventId, Event)>,
    /// Where to go on towards older ones, if there may be some.
    pub older: Option<EventId>,
    /// Where to go on towards newer ones, if there may be some.
    pub newer: Option<EventId>,
    /// Whether the page ended because so much was looked through.
    pub is_cut_short: bool,
}

impl EventFilter {
    fn facets(&self) -> Vec<Facet> {
        let mut facets = Vec::new();
        facets.extend(self.user.map(Facet::of_user));
        facets.extend(self.client.as_deref().map(Facet::of_client));
        facets.extend(self.server.as_deref().map(Facet::of_server));
        facets.extend(self.class.map(Facet::of_class));
        facets
    }
}

impl App {
    /// A page of the lines that `filter` shows, of at most `limit`.
    pub fn events(&self, filter: &EventFilter, place: EventPlace, limit: usize) -> Result<EventPage, OperationError> {
        let facets = filter.facets();
        let mut from = filter.from.map_or(EventId::from_bytes([0; 16]), first_at);
        let mut until = filter.until.map_or(EventId::from_bytes([0xff; 16]), first_at);
        let backwards = match place {
            EventPlace::Newest => true,
            EventPlace::OlderThan(id) => {
                until = until.min(id);
                true
            }
            EventPlace::NewerThan(id) => {
                from = from.max(after(id));
                false
            }
        };
        let stretch = Stretch { from, until, backwards };
        self.store.read(|tx| {
            // One more than is shown tells whether there are more.
            let Found { lines: mut events, stopped_at } = search(tx, &facets, stretch, limit + 1)?;
            let is_cut_short = stopped_at.is_some();
            let more = events.len() > limit;
            events.truncate(limit);
            let go_on = stopped_at.or_else(|| Some(events.last()?.0).filter(|_| more));
            if !backwards {
                events.reverse();
            }
            let first = events.first().map(|(id, _)| *id);
            let last = events.last().map(|(id, _)| *id);
            let (older, newer) = match place {
                EventPlace::Newest => (go_on, None),
                EventPlace::OlderThan(id) => (go_on, Some(first.unwrap_or(id))),
                EventPlace::NewerThan(id) => (Some(last.unwrap_or_else(|| after(id))), go_on),
            };
            Ok(EventPage { events, older, newer, is_cut_short })
        })
    }
}

impl App {
    /// The user that somebody means by a name or an id; an id also of one who is gone.
    pub fn find_person(&self, text: &str) -> Result<Option<UserId>, OperationError> {
        if let Ok(id) = text.parse() {
            return Ok(Some(id));
        }
        let name = text.to_ascii_lowercase();
        self.store.read(|tx| Ok(tx.get(USER_NAMES, name.as_str())?))
    }

    /// Names of users, to choose from.
    pub fn some_people(&self, limit: usize) -> Result<Vec<String>, OperationError> {
        self.store.read(|tx| Ok(tx.keys(USER_NAMES, Scan::all().limit(limit))?))
    }

    /// Ids and names of the clients that came last, to choose from.
    pub fn some_clients(&self, limit: usize) -> Result<Vec<(String, String)>, OperationError> {
        self.store.read(|tx| {
            let clients = tx.scan(CLIENTS, Scan::all().backwards().limit(limit))?;
            Ok(clients.into_iter().map(|(id, client)| (id, client.display_name().to_owned())).collect())
        })
    }
}

//! Which lines does a filter show, in which order, and at what cost?
//!
//! Each line is indexed under each of its facets, in the order of time. A filter of several facets walks their indexes side
//! by side and leaps from each to where the others are, so the cost goes by the rarest of them and not by the size of the
//! log. A page looks at a bounded number of places ([`MOST_LEAPS`]); where that does not fill it, it says where to go on.

use crate::app::App;
use crate::app::error::OperationError;
use crate::clock::Timestamp;
use crate::event::{Event, EventClass, Facet};
use crate::id::{EventId, UserId};
use crate::store::tables::{CLIENTS, EVENTS, EVENTS_BY, USER_NAMES};
use crate::store::{Reads, Scan, StoreError};

/// Lines of a page.
pub const PAGE: usize = 50;
/// Places that one page looks at.
const MOST_LEAPS: usize = 1_000;

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

/// What a walk has found.
struct Walk {
    /// In the direction of the walk.
    found: Vec<EventId>,
    /// Where it stopped before its end; nothing before that was left out.
    stopped_at: Option<EventId>,
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
        self.store.read(|tx| {
            let walk = if backwards {
                walk(&facets, &mut Backwards { tx, from, until }, limit)?
            } else {
                walk(&facets, &mut Forwards { tx, from, until }, limit)?
            };
            let Walk { mut found, stopped_at } = walk;
            let is_cut_short = stopped_at.is_some();
            let more = found.len() > limit;
            found.truncate(limit);
            let go_on = stopped_at.or_else(|| found.last().copied().filter(|_| more));
            if !backwards {
                found.reverse();
            }
            let (older, newer) = match place {
                EventPlace::Newest => (go_on, None),
                EventPlace::OlderThan(id) => (go_on, Some(found.first().copied().unwrap_or(id))),
                EventPlace::NewerThan(id) => (Some(found.last().copied().unwrap_or_else(|| after(id))), go_on),
            };
            let mut events = Vec::with_capacity(found.len());
            for id in found {
                // A sweep may have taken it since; nothing refers to what is gone.
                if let Some(event) = tx.get(EVENTS, &id)? {
                    events.push((id, event));
                }
            }
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

/// The least id of a moment.
pub(super) fn first_at(at: Timestamp) -> EventId {
    let mut id = [0; 16];
    id[..6].copy_from_slice(&at.unix_millis().to_be_bytes()[2..]);
    EventId::from_bytes(id)
}

/// The id that follows.
fn after(id: EventId) -> EventId {
    EventId::from_bytes(u128::from_be_bytes(*id.as_bytes()).saturating_add(1).to_be_bytes())
}

/// A direction in which the indexes are read.
trait Direction {
    /// The next line at or beyond where the walk is.
    fn seek(&self, facet: Facet) -> Result<Option<EventId>, StoreError>;
    /// The next lines of an index, or of the log itself.
    fn run(&self, facet: Option<&Facet>, limit: usize) -> Result<Vec<EventId>, StoreError>;
    /// Goes on at `id`.
    fn go_to(&mut self, id: EventId);
    /// Goes on beyond `id`.
    fn pass(&mut self, id: EventId);
    /// A cursor from which the walk goes on where it is.
    fn cursor(&self) -> EventId;
}

struct Backwards<'a, T> {
    tx: &'a T,
    from: EventId,
    until: EventId,
}

struct Forwards<'a, T> {
    tx: &'a T,
    from: EventId,
    until: EventId,
}

fn run(
    tx: &impl Reads,
    facet: Option<&Facet>,
    (from, until): (EventId, EventId),
    backwards: bool,
    limit: usize,
) -> Result<Vec<EventId>, StoreError> {
    if let Some(facet) = facet {
        let scan = Scan::prefix(facet).from(&(*facet, from)).until(&(*facet, until)).limit(limit);
        let keys = tx.keys(EVENTS_BY, if backwards { scan.backwards() } else { scan })?;
        return Ok(keys.into_iter().map(|(_, id)| id).collect());
    }
    let scan = Scan::all().from(&from).until(&until).limit(limit);
    tx.keys(EVENTS, if backwards { scan.backwards() } else { scan })
}

impl<T: Reads> Direction for Backwards<'_, T> {
    fn seek(&self, facet: Facet) -> Result<Option<EventId>, StoreError> {
        Ok(self.run(Some(&facet), 1)?.pop())
    }

    fn run(&self, facet: Option<&Facet>, limit: usize) -> Result<Vec<EventId>, StoreError> {
        run(self.tx, facet, (self.from, self.until), true, limit)
    }

    fn go_to(&mut self, id: EventId) {
        self.until = after(id);
    }

    fn pass(&mut self, id: EventId) {
        self.until = id;
    }

    fn cursor(&self) -> EventId {
        self.until
    }
}

impl<T: Reads> Direction for Forwards<'_, T> {
    fn seek(&self, facet: Facet) -> Result<Option<EventId>, StoreError> {
        Ok(self.run(Some(&facet), 1)?.pop())
    }

    fn run(&self, facet: Option<&Facet>, limit: usize) -> Result<Vec<EventId>, StoreError> {
        run(self.tx, facet, (self.from, self.until), false, limit)
    }

    fn go_to(&mut self, id: EventId) {
        self.from = id;
    }

    fn pass(&mut self, id: EventId) {
        self.from = after(id);
    }

    fn cursor(&self) -> EventId {
        EventId::from_bytes(u128::from_be_bytes(*self.from.as_bytes()).saturating_sub(1).to_be_bytes())
    }
}

/// The first lines that are in every index; one more than `limit`, so that it is known whether there are more.
fn walk(facets: &[Facet], direction: &mut dyn Direction, limit: usize) -> Result<Walk, StoreError> {
    let wanted = limit + 1;
    if facets.len() < 2 {
        return Ok(Walk { found: direction.run(facets.first(), wanted)?, stopped_at: None });
    }
    let (mut found, mut leaps) = (Vec::new(), 0);
    // How many indexes in a row have the line where the walk is.
    let mut agreed = 0;
    let mut turn = facets.iter().cycle();
    let mut at: Option<EventId> = None;
    while found.len() < wanted {
        leaps += 1;
        if leaps > MOST_LEAPS {
            return Ok(Walk { found, stopped_at: Some(direction.cursor()) });
        }
        let Some(facet) = turn.next() else { break };
        let Some(next) = direction.seek(*facet)? else { break };
        agreed = if at == Some(next) { agreed + 1 } else { 1 };
        at = Some(next);
        if agreed == facets.len() {
            found.push(next);
            direction.pass(next);
            (agreed, at) = (0, None);
        } else {
            direction.go_to(next);
        }
    }
    Ok(Walk { found, stopped_at: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_id_of_a_moment_is_not_after_any_of_it() {
        let at = Timestamp::from_unix_millis(1_790_000_000_123);
        assert_eq!(first_at(at).made_at(), at);
        assert!(first_at(at) < first_at(Timestamp::from_unix_millis(1_790_000_000_124)));
        assert!(after(first_at(at)) > first_at(at));
    }
}

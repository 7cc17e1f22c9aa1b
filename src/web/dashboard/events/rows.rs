//! How is a line shown? As its sentence, when, from where, and with links to more of the same. All of it is text.

use crate::app::App;
use crate::app::events::EventPage;
use crate::clock::Timestamp;
use crate::event::{Actor, Event, Refusal};
use crate::id::{EventId, UserId};
use crate::web::dashboard::events::filter::{FilterQuery, filtered_by};
use crate::web::when::When;
use crate::wire::paths;

/// A page of the log with what leads to the others.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Newest first.
    pub rows: Vec<EventRow>,
    /// Address of the page with older lines.
    pub older: Option<String>,
    /// Address of the page with newer lines.
    pub newer: Option<String>,
    /// How far back was looked, if the page ended because of that.
    pub looked_back_to: Option<When>,
}

/// A line.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// When.
    pub at: When,
    /// What happened.
    pub sentence: String,
    /// What it belongs to: "Sign-ins".
    pub class: &'static str,
    /// From where, if known.
    pub address: String,
    /// More of the same: label and address.
    pub links: Vec<(String, String)>,
}

/// A request that was refused.
#[derive(Debug, Clone)]
pub struct RefusalRow {
    /// The last time.
    pub at: When,
    /// How often.
    pub times: u32,
    /// Whose token; empty on one's own page.
    pub whose: String,
    /// The server that was asked, and for what.
    pub asked: String,
    /// Which token or client.
    pub with: String,
    /// Why, as a sentence.
    pub reason: String,
    /// What to do.
    pub advice: &'static str,
    /// From where, if known.
    pub address: String,
}

impl Log {
    /// A page of the lines that `viewer` sees; all if nobody is named.
    pub(super) fn of(app: &App, page: EventPage, query: &FilterQuery, path: &str, viewer: Option<UserId>) -> Self {
        let now = app.now();
        let looked_back_to = page.is_cut_short.then_some(page.older).flatten();
        Self {
            older: page.older.map(|id| query.at_place(path, app, id, false)),
            newer: page.newer.map(|id| query.at_place(path, app, id, true)),
            looked_back_to: looked_back_to.map(|id| When::new(id.made_at(), now)),
            rows: page.events.into_iter().map(|(id, event)| EventRow::of(id, event, path, viewer, now)).collect(),
        }
    }
}

impl EventRow {
    fn of(id: EventId, event: Event, path: &str, viewer: Option<UserId>, now: Timestamp) -> Self {
        let event = seen_by(event, viewer);
        let at = id.made_at();
        let mut links = Vec::new();
        if viewer.is_none() {
            let about = event.user.iter().filter(|user| event.actor().is_none_or(|actor| actor.id != user.id));
            for user in event.actor().into_iter().chain(about) {
                let name = if user.name.is_empty() { user.id.to_string() } else { user.name.clone() };
                links.push((name, filtered_by(path, "person", &user.id.to_string())));
            }
        }
        if let Some(client) = &event.client {
            let name = if client.name.is_empty() { client.id.clone() } else { client.name.clone() };
            links.push((name, filtered_by(path, "client", &client.id)));
        }
        if let Some(server) = &event.server {
            links.push((server.clone(), filtered_by(path, "server", server)));
        }
        Self {
            at: When::new(at, now),
            sentence: event.sentence(at),
            class: event.kind.class().title(),
            address: event.address.map(|address| address.to_string()).unwrap_or_default(),
            links,
        }
    }
}

/// The line without what is none of `viewer`'s business: from where somebody else acted.
fn seen_by(event: Event, viewer: Option<UserId>) -> Event {
    match (&event.by, viewer) {
        (Actor::User(actor), Some(viewer)) if actor.id != viewer => Event { address: None, session: None, ..event },
        _ => event,
    }
}

impl RefusalRow {
    /// A refusal on the page of its owner, or of all.
    pub(in crate::web::dashboard) fn of(refusal: &Refusal, with: &str, is_own: bool, now: Timestamp) -> Self {
        let clause = refusal.because.clause(now);
        let mut letters = clause.chars();
        let reason = letters.next().map(|first| format!("{}{}.", first.to_uppercase(), letters.as_str()));
        let asked = match &refusal.asked_for {
            Some(what) => format!("{what} of {}", refusal.server),
            None => refusal.server.clone(),
        };
        Self {
            at: When::new(refusal.at, now),
            times: refusal.times,
            whose: match &refusal.owner {
                _ if is_own => String::new(),
                None => "nobody known".to_owned(),
                Some(owner) if owner.name.is_empty() => owner.id.to_string(),
                Some(owner) => owner.name.clone(),
            },
            asked,
            with: with.to_owned(),
            reason: reason.unwrap_or_default(),
            advice: refusal.because.advice(),
            address: refusal.address.map(|address| address.to_string()).unwrap_or_default(),
        }
    }
}

/// The path of the page that shows everything.
pub(super) const ALL: &str = paths::EVENTS;

#[cfg(test)]
pub(in crate::web::dashboard) mod samples {
    use super::*;
    use crate::event::{CallFacts, CallOutcome, EventKind, Named, RefusedBecause};
    use crate::id::TokenId;

    fn by(kind: EventKind, name: &str) -> Event {
        let user = Named::new(UserId::from_bytes([7; 16]), name);
        Event { by: Actor::User(user), ..Event::of(kind) }.from(Some([203, 0, 113, 7].into()))
    }

    fn id(seconds_ago: u64) -> EventId {
        let mut id = [7; 16];
        let at = NOW - std::time::Duration::from_secs(seconds_ago);
        id[..6].copy_from_slice(&at.unix_millis().to_be_bytes()[2..]);
        EventId::from_bytes(id)
    }

    pub(in crate::web::dashboard::events) const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_400_000);

    pub(in crate::web::dashboard::events) fn log(path: &str) -> Log {
        let call = |tool: &str, outcome| Some(CallFacts { tool: tool.to_owned(), outcome, millis: 41 });
        let called = |tool: &str, outcome| Event { call: call(tool, outcome), ..by(EventKind::Called, "ada") };
        let laptop = TokenId::from_bytes([4; 16]);
        let events = [
            called("write_file", CallOutcome::Answered).client("cli_1", "Claude Code").server("files"),
            called("<script>alert(1)</script>", CallOutcome::Failed(502)).token(laptop, "Laptop").server("notes"),
            by(EventKind::AccessApproved, "ada").client("cli_1", "Claude Code").server("files").note("mcp"),
            by(EventKind::TokenMade, "ada").token(laptop, "Laptop"),
            Event { by: Actor::CommandLine, ..by(EventKind::PasswordReset, "ada") }.about(UserId::from_bytes([8; 16])),
            by(EventKind::SignedIn, "ada"),
            Event::of(EventKind::SignInFailed).from(Some([198, 51, 100, 9].into())).times(47),
        ];
        let viewer = (path != ALL).then_some(UserId::from_bytes([7; 16]));
        let rows = events.into_iter().enumerate();
        let rows = rows.map(|(n, event)| EventRow::of(id(60 * (n as u64) * (n as u64) + 5), event, path, viewer, NOW));
        Log {
            rows: rows.collect(),
            older: Some(format!("{path}?at=v4.local.sample")),
            newer: None,
            looked_back_to: None,
        }
    }

    pub(in crate::web::dashboard) fn refusals(is_own: bool) -> Vec<RefusalRow> {
        let wrong = RefusedBecause::wrong_server(
            ["https://mcp.example.org/mcp/notes"].into_iter(),
            "https://mcp.example.org/mcp/files",
        );
        let refusal = |because, asked_for: Option<&str>, times| Refusal {
            at: NOW - std::time::Duration::from_mins(4),
            times,
            owner: Some(Named::new(UserId::from_bytes([7; 16]), "ada")),
            token: None,
            grant: None,
            client: None,
            server: "files".to_owned(),
            asked_for: asked_for.map(str::to_owned),
            because,
            address: Some([203, 0, 113, 7].into()),
        };
        let lacks = RefusedBecause::lacks_scope("files:write");
        let expired = RefusedBecause::Expired(NOW - crate::clock::days(3));
        [refusal(wrong, None, 12), refusal(lacks, Some("write_<b>file</b>"), 1), refusal(expired, None, 1)]
            .iter()
            .map(|refusal| RefusalRow::of(refusal, "Laptop", is_own, NOW))
            .collect()
    }
}

//! What does a line of the audit log hold?
//!
//! When it happened stands in its [`crate::id::EventId`]. Names are those of the time: a person who is deleted, a client that
//! calls itself otherwise and a token that is gone are still told by the name that they had.

use crate::event::facet::Facet;
use crate::event::kind::EventKind;
use crate::event::reason::RefusedBecause;
use crate::id::{GrantId, KeyId, SessionId, TokenId, UserId};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Longest text in a line, in bytes; what is longer is cut.
pub const MAX_TEXT: usize = 160;

/// Something, and what it was called at the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named<I> {
    /// Its id.
    pub id: I,
    /// Its name; may be empty where nobody knew it.
    pub name: String,
}

impl<I> Named<I> {
    /// With its name, shortened.
    pub fn new(id: I, name: &str) -> Self {
        Self { id, name: cut(name) }
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    /// Somebody who has not proved who they are.
    Stranger,
    /// A person, by themselves or by a token of theirs.
    User(Named<UserId>),
    /// Whoever holds the data directory.
    CommandLine,
    /// Keyward by itself.
    Keyward,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallOutcome {
    /// It was answered to the end; what the answer says is not read.
    Answered,
    /// It was answered with this HTTP status, which is an error.
    Failed(u16),
    /// The answer broke off, or its client went away.
    BrokenOff,
}

/// What is known of a call of a tool. Its arguments are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFacts {
    /// The tool's name.
    pub tool: String,
    /// How it ended.
    pub outcome: CallOutcome,
    /// From the message to the end of the answer, in milliseconds.
    pub millis: u32,
}

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Who did it.
    pub by: Actor,
    /// Whom it is about, also where they did it themselves.
    pub user: Option<Named<UserId>>,
    /// The client that it is about or that acted; an id that we gave or the URL of a document.
    pub client: Option<Named<String>>,
    /// The name of the server that it is about.
    pub server: Option<String>,
    /// Of a call.
    pub call: Option<CallFacts>,
    /// Of a refusal.
    pub refused: Option<RefusedBecause>,
    /// The token that it is about or that was used.
    pub token: Option<Named<TokenId>>,
    /// The grant that it is about or that was used.
    pub grant: Option<GrantId>,
    /// The signing key that it is about.
    pub key: Option<KeyId>,
    /// The session that it is about.
    pub session: Option<SessionId>,
    /// From which address, if known.
    pub address: Option<IpAddr>,
    /// What else the sentence tells: a role, a group, a new name.
    pub note: String,
    /// How often, if the line stands for several.
    pub times: u32,
}

impl Event {
    /// A line that says nothing yet but what happened.
    pub const fn of(kind: EventKind) -> Self {
        Self {
            kind,
            by: Actor::Stranger,
            user: None,
            client: None,
            server: None,
            call: None,
            refused: None,
            token: None,
            grant: None,
            key: None,
            session: None,
            address: None,
            note: String::new(),
            times: 1,
        }
    }

    /// Done by this user, whose name is looked up when the line is written.
    #[must_use]
    pub fn by(mut self, user: UserId) -> Self {
        self.by = Actor::User(Named::new(user, ""));
        self
    }

    /// About this user, whose name is looked up when the line is written.
    #[must_use]
    pub fn about(mut self, user: UserId) -> Self {
        self.user = Some(Named::new(user, ""));
        self
    }

    /// About this client.
    #[must_use]
    pub fn client(mut self, id: &str, name: &str) -> Self {
        self.client = Some(Named { id: id.to_owned(), name: cut(name) });
        self
    }

    /// About this server.
    #[must_use]
    pub fn server(mut self, name: &str) -> Self {
        self.server = Some(cut(name));
        self
    }

    /// About this token.
    #[must_use]
    pub fn token(mut self, id: TokenId, name: &str) -> Self {
        self.token = Some(Named::new(id, name));
        self
    }

    /// About this grant.
    #[must_use]
    pub const fn grant(mut self, id: GrantId) -> Self {
        self.grant = Some(id);
        self
    }

    /// About this signing key.
    #[must_use]
    pub const fn key(mut self, id: KeyId) -> Self {
        self.key = Some(id);
        self
    }

    /// About this session.
    #[must_use]
    pub const fn session(mut self, id: SessionId) -> Self {
        self.session = Some(id);
        self
    }

    /// From this address.
    #[must_use]
    pub const fn from(mut self, address: Option<IpAddr>) -> Self {
        self.address = address;
        self
    }

    /// With something more to tell.
    #[must_use]
    pub fn note(mut self, text: &str) -> Self {
        self.note = cut(text);
        self
    }

    /// So often.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Who did it, if that is a user.
    pub const fn actor(&self) -> Option<&Named<UserId>> {
        match &self.by {
            Actor::User(user) => Some(user),
            Actor::Stranger | Actor::CommandLine | Actor::Keyward => None,
        }
    }

    /// Everything under which it is found, each once.
    pub fn facets(&self) -> Vec<Facet> {
        let mut facets = vec![Facet::of_class(self.kind.class())];
        let actor = self.actor().map(|user| user.id);
        facets.extend(actor.map(Facet::of_user));
        let about = self.user.as_ref().map(|user| user.id).filter(|user| Some(*user) != actor);
        facets.extend(about.map(Facet::of_user));
        facets.extend(self.client.as_ref().map(|client| Facet::of_client(&client.id)));
        facets.extend(self.server.as_deref().map(Facet::of_server));
        facets
    }
}

/// The beginning of a text, without what would disturb the line that it stands in.
pub(super) fn cut(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("a\nb"), "a b");
        assert_eq!(cut(&"é".repeat(200)).len(), MAX_TEXT);
        assert_eq!(cut(&format!("x{}", "é".repeat(200))).len(), MAX_TEXT - 1);
    }

    #[test]
    fn a_line_is_found_under_each_of_its_parts_once() {
        let (ada, ben) = (UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        let own = Event::of(EventKind::TokenMade).by(ada).about(ada);
        assert_eq!(own.facets(), [Facet::of_class(EventKind::TokenMade.class()), Facet::of_user(ada)]);
        let told = Event::of(EventKind::Called).by(ada).about(ben).client("cli_x", "X").server("files");
        let expected = [
            Facet::of_class(EventKind::Called.class()),
            Facet::of_user(ada),
            Facet::of_user(ben),
            Facet::of_client("cli_x"),
            Facet::of_server("files"),
        ];
        assert_eq!(told.facets(), expected);
    }
}

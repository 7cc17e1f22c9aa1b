//! How does an admin let people in? Makes a one-time link, sees what became of each, takes one back.

pub mod list;
pub mod new;
pub mod revoke;

pub use list::InvitationsView;
pub use new::{InvitationCreatedView, InvitationFormView};
pub use revoke::InvitationRevokeView;

use crate::account::group::GroupName;
use crate::account::invitation::InvitationState;
use crate::account::user::Role;
use crate::app::invitations::InvitationEntry;
use crate::clock::Timestamp;
use crate::id::{InvitationId, UserId};
use crate::web::when::When;

/// One invitation.
#[derive(Debug, Clone)]
pub struct InvitationRow {
    /// Its id.
    pub id: InvitationId,
    /// For whom: the chosen name, else the note, else "somebody".
    pub title: String,
    /// The note, where it is not the title.
    pub note: String,
    /// Whether an admin is made.
    pub is_admin: bool,
    /// The groups: "ops, writers"; may be empty.
    pub groups: String,
    /// Who made it.
    pub maker: String,
    /// When.
    pub made: When,
    /// When it ends or ended by itself.
    pub expires: When,
    /// What it is good for.
    pub state: State,
}

/// What an invitation is good for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Its link opens.
    Open,
    /// Somebody made their account then; who, unless they are gone.
    Used(When, Option<(UserId, String)>),
    /// It was taken back then.
    Revoked(When),
    /// It is too old.
    Expired,
    /// Who made it may not administer any more.
    MakerGone,
}

impl InvitationRow {
    fn of(InvitationEntry { invitation, state, maker, user }: InvitationEntry, now: Timestamp) -> Self {
        let name = invitation.name.map(|name| name.to_string());
        let noted = !invitation.note.is_empty();
        let (title, note) = match name {
            Some(name) => (name, invitation.note),
            None if noted => (invitation.note, String::new()),
            None => ("somebody".to_owned(), String::new()),
        };
        Self {
            id: invitation.id,
            title,
            note,
            is_admin: invitation.role == Role::Admin,
            groups: invitation.groups.iter().map(GroupName::as_str).collect::<Vec<_>>().join(", "),
            maker: maker.unwrap_or_else(|| "a deleted user".to_owned()),
            made: When::new(invitation.made_at, now),
            expires: When::new(invitation.expires_at, now),
            state: match state {
                InvitationState::Open => State::Open,
                InvitationState::Used(at) => State::Used(When::new(at, now), user),
                InvitationState::Revoked(at) => State::Revoked(When::new(at, now)),
                InvitationState::Expired => State::Expired,
                InvitationState::MakerGone => State::MakerGone,
            },
        }
    }

    /// Whether it can be taken back.
    fn is_open(&self) -> bool {
        self.state == State::Open
    }
}

#[cfg(test)]
impl InvitationRow {
    pub(crate) fn sample(title: &str, state: State) -> Self {
        Self {
            id: InvitationId::from_bytes([0x61; 16]),
            title: title.to_owned(),
            note: String::new(),
            is_admin: false,
            groups: "writers".to_owned(),
            maker: "ada".to_owned(),
            made: When::sample(-3_600),
            expires: When::sample(71 * 3_600),
            state,
        }
    }
}

//! How does an admin look after people? A list, a page for each, and a question before each thing that ends something.

pub mod list;
pub mod user;
pub mod confirm;
pub mod revoke;
pub mod reset_link;

pub use confirm::{Act, UserConfirmView};
pub use list::UsersView;
pub use reset_link::ResetLinkView;
pub use revoke::UserRevokeView;
pub use user::UserView;

use crate::account::group::GroupName;
use crate::account::user::{Role, User};
use crate::app::users::UserEntry;
use crate::clock::Timestamp;
use crate::id::UserId;
use crate::web::when::When;
use serde::Deserialize;

/// One user.
#[derive(Debug, Clone)]
pub struct UserRow {
    /// Their id.
    pub id: UserId,
    /// What they sign in with.
    pub name: String,
    /// Whether they administer.
    pub is_admin: bool,
    /// Their groups: "ops, writers"; may be empty.
    pub groups: String,
    /// Since when nothing of theirs is accepted, if so.
    pub disabled: Option<When>,
    /// When the account was made.
    pub created: When,
    /// When they signed in last; none if they have not since this is noted.
    pub last_signed_in: Option<When>,
    /// How many live personal tokens they have.
    pub tokens: usize,
    /// How many connected apps they have.
    pub connections: usize,
}

impl UserRow {
    fn of(UserEntry { user, tokens, connections }: UserEntry, now: Timestamp) -> Self {
        let when = |at: Option<Timestamp>| at.map(|at| When::new(at, now));
        Self {
            id: user.id,
            name: user.name.to_string(),
            is_admin: user.is_admin(),
            groups: joined(&user),
            disabled: when(user.disabled_at),
            created: When::new(user.created_at, now),
            last_signed_in: when(user.last_signed_in_at),
            tokens,
            connections,
        }
    }
}

fn joined(user: &User) -> String {
    user.groups.iter().map(GroupName::as_str).collect::<Vec<_>>().join(", ")
}

/// A role, as forms write it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoleChoice {
    /// Looks after everything.
    Admin,
    /// Looks after what is theirs.
    #[default]
    Member,
}

impl From<RoleChoice> for Role {
    fn from(choice: RoleChoice) -> Self {
        match choice {
            RoleChoice::Admin => Self::Admin,
            RoleChoice::Member => Self::Member,
        }
    }
}

/// A group that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupChoice {
    /// Its name.
    pub name: String,
    /// Whether it is chosen.
    pub chosen: bool,
}

impl GroupChoice {
    /// All groups, and those that are chosen.
    pub(super) fn all(groups: Vec<GroupName>, chosen: &[GroupName]) -> Vec<Self> {
        let choice = |group: GroupName| Self { chosen: chosen.contains(&group), name: group.to_string() };
        groups.into_iter().map(choice).collect()
    }
}

#[cfg(test)]
impl UserRow {
    pub(crate) fn sample(name: &str) -> Self {
        Self {
            id: UserId::from_bytes([0x44; 16]),
            name: name.to_owned(),
            is_admin: false,
            groups: "ops, writers".to_owned(),
            disabled: None,
            created: When::sample(-86_400 * 70),
            last_signed_in: Some(When::sample(-7_200)),
            tokens: 2,
            connections: 1,
        }
    }
}

#[cfg(test)]
impl GroupChoice {
    pub(crate) fn samples() -> Vec<Self> {
        let choice = |name: &str, chosen| Self { name: name.to_owned(), chosen };
        vec![choice("ops", false), choice("readers", true), choice("writers", true)]
    }
}

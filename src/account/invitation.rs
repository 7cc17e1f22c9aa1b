//! Who may make an account for themselves? Whoever has the one-time link that an admin made for them.
//!
//! The secret of the link is kept as a digest and shown once. An invitation stands as long as it is neither used nor
//! revoked nor too old, and as long as its maker may administer: whoever is shown out leaves no door open.

use crate::account::group::GroupName;
use crate::account::user::{Role, User, Username};
use crate::clock::{Timestamp, hours};
use crate::id::{InvitationId, UserId};
use crate::secret::TokenDigest;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long an invitation stands.
pub const INVITATION_LIFE: Duration = hours(72);
/// Longest note on an invitation, in characters.
pub const MAX_INVITATION_NOTE: usize = 100;

/// A one-time link to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Of the secret in the link.
    pub secret: TokenDigest,
    /// The role of who accepts it.
    pub role: Role,
    /// Their groups, sorted.
    pub groups: Vec<GroupName>,
    /// Their name, if the admin has chosen it.
    pub name: Option<Username>,
    /// For whom it is, in the admin's words; may be empty.
    pub note: String,
    /// Who made it.
    pub made_by: UserId,
    /// When.
    pub made_at: Timestamp,
    /// From when on it is no good.
    pub expires_at: Timestamp,
    /// What ended it, if something did.
    pub end: Option<InvitationEnd>,
}

/// What ended an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum InvitationEnd {
    /// Somebody made their account.
    Used {
        /// The account.
        by: UserId,
        /// When.
        at: Timestamp,
    },
    /// An admin took it back.
    Revoked {
        /// When.
        at: Timestamp,
    },
}

/// What an invitation is good for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitationState {
    /// It opens.
    Open,
    /// It was used then.
    Used(Timestamp),
    /// It was taken back then.
    Revoked(Timestamp),
    /// It is too old.
    Expired,
    /// Who made it may not administer any more.
    MakerGone,
}

impl Invitation {
    /// Its state at `now`, made by `maker` if that user still exists.
    pub fn state(&self, maker: Option<&User>, now: Timestamp) -> InvitationState {
        match self.end {
            Some(InvitationEnd::Used { at, .. }) => InvitationState::Used(at),
            Some(InvitationEnd::Revoked { at }) => InvitationState::Revoked(at),
            None if now >= self.expires_at => InvitationState::Expired,
            None if !maker.is_some_and(User::is_acting_admin) => InvitationState::MakerGone,
            None => InvitationState::Open,
        }
    }

    /// When it ended, if time or somebody ended it.
    pub fn ended_at(&self, now: Timestamp) -> Option<Timestamp> {
        match self.end {
            Some(InvitationEnd::Used { at, .. } | InvitationEnd::Revoked { at }) => Some(at),
            None => (now >= self.expires_at).then_some(self.expires_at),
        }
    }
}

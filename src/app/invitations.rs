//! How do people get accounts? By invitation: an admin makes a one-time link, and whoever opens it chooses a password.
//!
//! The secret is in the link and nowhere else. Making the account and closing the invitation are one transaction, so of two
//! people who send the same link at once one gets in.

use crate::account::group::GroupName;
use crate::account::invitation::{INVITATION_LIFE, Invitation, InvitationEnd, InvitationState, MAX_INVITATION_NOTE};
use crate::account::password::NewPassword;
use crate::account::user::{Role, User, Username};
use crate::app::error::OperationError;
use crate::app::sign_in::{NewSession, add_session};
use crate::app::users::{By, require, require_groups, sorted, what_in_words};
use crate::app::{App, Caller};
use crate::clock::{Timestamp, days};
use crate::event::{Event, EventKind};
use crate::id::{InvitationId, SessionId, UserId};
use crate::secret::{PlainToken, PlainTokenKind, TokenDigest};
use crate::store::tables::{INVITATION_SECRETS, INVITATIONS, USER_NAMES, USERS};
use crate::store::{Reads, Scan, WriteTx};
use std::time::Duration;

/// Rows of the list at most; the newest come first.
const LIST_LIMIT: usize = 500;
/// Open invitations at most.
const MOST_OPEN: usize = 500;
/// How long ended invitations stay in the list.
pub(super) const KEEP_ENDED: Duration = days(90);

/// What an admin chose for an invitation.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// Its id, given out with the form: the same form makes one invitation, however often it is sent.
    pub id: InvitationId,
    /// The role of who accepts it.
    pub role: Role,
    /// Their groups.
    pub groups: Vec<GroupName>,
    /// Their name, as typed; they choose it themselves if it is empty.
    pub name: String,
    /// For whom it is, as typed; may be empty.
    pub note: String,
}

/// What the making of an invitation comes to.
#[derive(Debug)]
pub enum Invited {
    /// It was made: the only time that its secret is seen.
    Now(Invitation, PlainToken),
    /// The same form was sent before; the link was shown then.
    Before(Invitation),
}

/// An invitation as admins see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationEntry {
    /// The invitation.
    pub invitation: Invitation,
    /// What it is good for now.
    pub state: InvitationState,
    /// Who made it; none if they are gone.
    pub maker: Option<String>,
    /// Who used it, if they are still there.
    pub user: Option<(UserId, String)>,
}

impl App {
    /// Makes an invitation.
    pub fn invite(&self, by: UserId, new: &NewInvitation) -> Result<Invited, OperationError> {
        let now = self.now();
        let named = Some(new.name.trim()).filter(|name| !name.is_empty());
        let name = named.map(Username::parse).transpose().map_err(OperationError::invalid)?;
        let note = new.note.trim().to_owned();
        if note.chars().count() > MAX_INVITATION_NOTE || note.chars().any(char::is_control) {
            let text = format!("A note is one line of at most {MAX_INVITATION_NOTE} characters.");
            return Err(OperationError::Invalid(text));
        }
        let secret = PlainToken::generate(PlainTokenKind::Invitation, &*self.entropy);
        let invitation = Invitation {
            id: new.id,
            secret: secret.digest(),
            role: new.role,
            groups: sorted(&new.groups)?,
            name,
            note,
            made_by: by,
            made_at: now,
            expires_at: now + INVITATION_LIFE,
            end: None,
        };
        let (row, pen) = (invitation.clone(), self.pen());
        let before = self.store.write(move |tx| {
            require(tx, By::Admin(by))?;
            if let Some(before) = tx.get(INVITATIONS, &row.id)? {
                return Ok(Some(before));
            }
            require_groups(tx, &row.groups)?;
            if let Some(name) = &row.name {
                require_free(tx, name)?;
            }
            let mut open = 0;
            tx.visit(INVITATIONS, Scan::all(), |_, other| {
                open += usize::from(other.ended_at(now).is_none());
                Ok::<_, OperationError>(())
            })?;
            if open >= MOST_OPEN {
                let text = format!("There are {open} open invitations, which is the most. Revoke some first.");
                return Err(OperationError::Invalid(text));
            }
            tx.put(INVITATION_SECRETS, &row.secret, &row.id)?;
            tx.put(INVITATIONS, &row.id, &row)?;
            pen.write(tx, told(EventKind::InvitationMade, &row).by(by))?;
            Ok(None)
        })?;
        if let Some(before) = before {
            return Ok(Invited::Before(before));
        }
        tracing::info!(invitation = %invitation.id, by = %by, role = ?invitation.role, "invitation made");
        Ok(Invited::Now(invitation, secret))
    }

    /// The invitations, the newest first, ended ones included for as long as they are kept.
    pub fn invitations(&self) -> Result<Vec<InvitationEntry>, OperationError> {
        let now = self.now();
        self.store.read(|tx| {
            let rows = tx.scan(INVITATIONS, Scan::all().backwards().limit(LIST_LIMIT))?;
            rows.into_iter().map(|(_, invitation)| entry(tx, invitation, now)).collect()
        })
    }

    /// One invitation.
    pub fn invitation(&self, id: InvitationId) -> Result<InvitationEntry, OperationError> {
        let now = self.now();
        self.store.read(|tx| {
            let found = tx.get(INVITATIONS, &id)?;
            entry(tx, found.ok_or(OperationError::NotFound("invitation"))?, now)
        })
    }

    /// Takes an invitation back: its link opens nothing from now on. One that has ended stays as it is.
    pub fn revoke_invitation(&self, by: By, id: InvitationId) -> Result<(), OperationError> {
        let (now, pen) = (self.now(), self.pen());
        self.store.write(move |tx| {
            require(tx, by)?;
            let row = tx.get(INVITATIONS, &id)?.ok_or(OperationError::NotFound("invitation"))?;
            if row.end.is_none() {
                pen.write_by(tx, by, told(EventKind::InvitationRevoked, &row))?;
                tx.put(INVITATIONS, &id, &Invitation { end: Some(InvitationEnd::Revoked { at: now }), ..row })?;
            }
            Ok::<_, OperationError>(())
        })?;
        tracing::info!(invitation = %id, ?by, "invitation revoked");
        Ok(())
    }

    /// The invitation whose link has this secret.
    pub fn invitation_with(&self, secret: &str) -> Result<Option<InvitationEntry>, OperationError> {
        let (now, presented) = (self.now(), TokenDigest::of(secret));
        self.store.read(|tx| {
            let Some(id) = tx.get(INVITATION_SECRETS, &presented)? else { return Ok(None) };
            let found = tx.get(INVITATIONS, &id)?.filter(|invitation| invitation.secret == presented);
            found.map(|invitation| entry(tx, invitation, now)).transpose()
        })
    }

    /// Makes the account that an invitation is for, and signs its owner in. `name` counts unless the admin has chosen one.
    pub fn accept_invitation(
        &self,
        secret: &str,
        name: &str,
        password: &str,
        caller: &Caller,
    ) -> Result<SessionId, OperationError> {
        let now = self.now();
        let gone = || OperationError::NotFound("invitation");
        let InvitationEntry { invitation, state, .. } = self.invitation_with(secret)?.ok_or_else(gone)?;
        if state != InvitationState::Open {
            return Err(gone());
        }
        let name = match &invitation.name {
            Some(name) => name.clone(),
            None => Username::parse(name).map_err(OperationError::invalid)?,
        };
        let password = NewPassword::parse(password, &name.canonical()).map_err(OperationError::invalid)?;
        // Before the work of hashing; the transaction looks again.
        self.store.read(|tx| require_free(tx, &name))?;
        let user = User {
            id: UserId::generate(now, &*self.entropy),
            password: password.hash(&*self.entropy),
            name,
            role: invitation.role,
            created_at: now,
            password_set_at: now,
            disabled_at: None,
            groups: invitation.groups,
            last_signed_in_at: Some(now),
        };
        let session = NewSession::of(&user, caller, now, &*self.entropy);
        let (session_id, id, invitation, pen) = (session.id(), user.id, invitation.id, self.pen());
        let event = Event::of(EventKind::UserMade).by(id).about(id).session(session_id).from(caller.address);
        self.store.write(move |tx| {
            let row = tx.get(INVITATIONS, &invitation)?.ok_or_else(gone)?;
            let maker = tx.get(USERS, &row.made_by)?;
            if row.state(maker.as_ref(), now) != InvitationState::Open {
                return Err(gone());
            }
            require_free(tx, &user.name)?;
            // A group that was removed since is no reason to stay out.
            let mut user = user;
            let mut groups = Vec::new();
            for group in std::mem::take(&mut user.groups) {
                if require_groups(tx, std::slice::from_ref(&group)).is_ok() {
                    groups.push(group);
                }
            }
            user.groups = groups;
            tx.insert_new(USERS, &user.id, &user)?;
            tx.insert_new(USER_NAMES, &user.name.canonical(), &user.id)?;
            let what = what_in_words(user.role, &user.groups);
            pen.write(tx, event.note(&what))?;
            let end = Some(InvitationEnd::Used { by: user.id, at: now });
            tx.put(INVITATIONS, &invitation, &Invitation { end, ..row })?;
            add_session(tx, session)
        })?;
        self.publish_users(&[id])?;
        tracing::info!(user = %id, %invitation, address = caller.address.map(display), "invitation accepted");
        Ok(session_id)
    }
}

/// A line about an invitation.
fn told(kind: EventKind, invitation: &Invitation) -> Event {
    let what = what_in_words(invitation.role, &invitation.groups);
    let whom = invitation.name.as_ref().map(|name| format!("{name} as {what}"));
    Event::of(kind).note(&whom.unwrap_or_else(|| format!("as {what}")))
}

fn entry(tx: &impl Reads, invitation: Invitation, now: Timestamp) -> Result<InvitationEntry, OperationError> {
    let maker = tx.get(USERS, &invitation.made_by)?;
    let user = match invitation.end {
        Some(InvitationEnd::Used { by, .. }) => tx.get(USERS, &by)?,
        _ => None,
    };
    Ok(InvitationEntry {
        state: invitation.state(maker.as_ref(), now),
        maker: maker.map(|maker| maker.name.to_string()),
        user: user.map(|user| (user.id, user.name.to_string())),
        invitation,
    })
}

/// Nobody has this name.
fn require_free(tx: &impl Reads, name: &Username) -> Result<(), OperationError> {
    if tx.contains(USER_NAMES, &name.canonical())? {
        let text = format!("Somebody has the user name {name} already. Choose another.");
        return Err(OperationError::NameTaken(text));
    }
    Ok(())
}

pub(super) fn forget_invitation(tx: &mut WriteTx, invitation: &Invitation) -> Result<(), OperationError> {
    tx.remove(INVITATION_SECRETS, &invitation.secret)?;
    tx.remove(INVITATIONS, &invitation.id)?;
    Ok(())
}

//! Who has an account, and what may an admin do about it? Roles and groups, disabling, enabling, deleting.
//!
//! Who asks is looked at in the transaction that does it, and so is the rule that one enabled admin is always left. What
//! counts for requests is published before an operation returns, so it counts at the very next one.
//!
//! A disabled user has no session, and nothing of theirs is accepted. Enabling brings back what was not revoked and has
//! not expired: personal tokens and connected apps work again, sessions do not come back. Deleting is for good: name and
//! sessions go at once, the other rows in bounded steps right afterwards ([`DELETED_USERS`] remembers them across a
//! crash), and a revocation stays for as long as a token of theirs could live.

use crate::account::group::{GroupName, MAX_GROUPS_OF_USER};
use crate::account::personal_token::PersonalToken;
use crate::account::user::{Role, User};
use crate::app::error::OperationError;
use crate::app::notices::forget_notices_of;
use crate::app::password_resets::remove_password_reset_of;
use crate::app::personal_tokens::{forget_token, live_tokens};
use crate::app::revoke::record;
use crate::app::second_factor::remove_factors_of;
use crate::app::sign_in::remove_sessions_of;
use crate::app::upkeep::remove_grant;
use crate::app::upstream_keys::remove_keys_of_user;
use crate::app::{App, CredentialPolicy};
use crate::clock::Timestamp;
use crate::event::{Event, EventKind};
use crate::id::{GrantId, UserId};
use crate::oauth::authorization_code::AuthorizationCode;
use crate::oauth::grant::Grant;
use crate::oauth::refresh_token::RefreshToken;
use crate::secret::TokenDigest;
use crate::store::tables::{
    AUTHORIZATION_CODES, DELETED_USERS, GRANTS, GRANTS_BY_USER, GROUPS, PERSONAL_TOKENS, PERSONAL_TOKENS_BY_OWNER,
    REFRESH_TOKENS, USER_NAMES, USERS,
};
use crate::store::{Reads, Scan, StoreError, WriteTx};
use crate::token::RevocationEntry;
use std::collections::HashSet;
use std::sync::PoisonError;

/// Users of one page of the list.
pub const USERS_PER_PAGE: usize = 50;
/// Rows of a deleted user that go in one transaction.
const AT_ONCE: usize = 500;

/// Who acts on an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// A user, who must be an admin when it is done.
    Admin(UserId),
    /// Whoever holds the data directory.
    CommandLine,
}

/// A user as admins see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserEntry {
    /// The user.
    pub user: User,
    /// How many personal tokens of theirs are live.
    pub tokens: usize,
    /// How many apps they have connected.
    pub connections: usize,
}

/// One page of the list of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserList {
    /// By name.
    pub entries: Vec<UserEntry>,
    /// The number of this page, from 1 on.
    pub page: usize,
    /// How many pages there are; 1 at least.
    pub pages: usize,
    /// How many users fit the filter.
    pub matching: usize,
}

impl App {
    /// The users whose names contain `filter`, [`USERS_PER_PAGE`] at a time, by name. A page that is too high is the last.
    pub fn users(&self, filter: &str, page: usize) -> Result<UserList, OperationError> {
        let (now, needle) = (self.now(), filter.trim().to_ascii_lowercase());
        self.store.read(|tx| {
            let mut ids = Vec::new();
            tx.visit(USER_NAMES, Scan::all(), |name, id| {
                if name.contains(&needle) {
                    ids.push(id);
                }
                Ok::<_, OperationError>(())
            })?;
            let pages = ids.len().div_ceil(USERS_PER_PAGE).max(1);
            let page = page.clamp(1, pages);
            let mut entries = Vec::new();
            for id in ids.iter().skip((page - 1) * USERS_PER_PAGE).take(USERS_PER_PAGE) {
                if let Some(user) = tx.get(USERS, id)? {
                    entries.push(user_entry(tx, user, now)?);
                }
            }
            Ok(UserList { entries, page, pages, matching: ids.len() })
        })
    }

    /// One user.
    pub fn user_entry(&self, id: UserId) -> Result<UserEntry, OperationError> {
        let now = self.now();
        self.store.read(|tx| user_entry(tx, tx.get(USERS, &id)?.ok_or(OperationError::NotFound("user"))?, now))
    }

    /// The user with this canonical name.
    pub fn user_called(&self, canonical: &str) -> Result<Option<User>, OperationError> {
        self.store.read(|tx| match tx.get(USER_NAMES, canonical)? {
            Some(id) => Ok(tx.get(USERS, &id)?),
            None => Ok(None),
        })
    }

    /// Gives a user another role and other groups. Counts at their next request.
    pub fn change_user(&self, by: By, id: UserId, role: Role, groups: &[GroupName]) -> Result<(), OperationError> {
        let groups = sorted(groups)?;
        let event = Event::of(EventKind::UserChanged).note(&what_in_words(role, &groups));
        self.change(by, id, event, move |tx, user| {
            require_groups(tx, &groups)?;
            if role != Role::Admin {
                require_another_admin(tx, user)?;
            }
            Ok(User { role, groups, ..user.clone() })
        })?;
        tracing::info!(user = %id, ?by, ?role, "role and groups changed");
        Ok(())
    }

    /// Lets nothing of a user's be accepted any more, from the moment that this returns. Their sessions end.
    pub fn disable_user(&self, by: By, id: UserId) -> Result<(), OperationError> {
        let now = self.now();
        self.change(by, id, Event::of(EventKind::UserDisabled), move |tx, user| {
            require_another_admin(tx, user)?;
            remove_sessions_of(tx, user.id)?;
            remove_password_reset_of(tx, user.id)?;
            Ok(User { disabled_at: user.disabled_at.or(Some(now)), ..user.clone() })
        })?;
        tracing::warn!(user = %id, ?by, "user disabled");
        Ok(())
    }

    /// Lets a disabled user sign in again; their tokens and connected apps that still stand are accepted again.
    pub fn enable_user(&self, by: By, id: UserId) -> Result<(), OperationError> {
        let event = Event::of(EventKind::UserEnabled);
        self.change(by, id, event, |_, user| Ok(User { disabled_at: None, ..user.clone() }))?;
        tracing::warn!(user = %id, ?by, "user enabled");
        Ok(())
    }

    /// Signs a user out of every browser; returns of how many.
    pub fn end_sessions_of(&self, by: By, id: UserId) -> Result<usize, OperationError> {
        let pen = self.pen();
        let ended = self.store.write(move |tx| {
            require(tx, by)?;
            tx.get(USERS, &id)?.ok_or(OperationError::NotFound("user"))?;
            let ended = remove_sessions_of(tx, id)?;
            let times = u32::try_from(ended).unwrap_or(u32::MAX);
            pen.write_by(tx, by, Event::of(EventKind::SessionsEnded).about(id).times(times))?;
            Ok::<_, OperationError>(ended)
        })?;
        tracing::info!(user = %id, ?by, ended, "sessions ended");
        Ok(ended)
    }

    /// Revokes all personal tokens and connections of a user; returns how many of each.
    pub fn revoke_everything_of(&self, by: By, id: UserId) -> Result<(usize, usize), OperationError> {
        let pen = self.pen();
        self.store.write(move |tx| {
            require(tx, by)?;
            tx.get(USERS, &id)?.ok_or(OperationError::NotFound("user"))?;
            Ok::<_, OperationError>(pen.write_by_telling(tx, by, Event::of(EventKind::UserRevoked).about(id), id)?)
        })?;
        let connections = self.revoke_all_connections(id)?;
        let tokens = self.revoke_all_personal_tokens(id)?;
        tracing::warn!(user = %id, ?by, tokens, connections, "everything of the user revoked");
        Ok((tokens, connections))
    }

    /// Deletes a user for good. The name is free afterwards; the id never comes back.
    pub fn delete_user(&self, by: By, id: UserId) -> Result<(), OperationError> {
        let (now, longest) = (self.now(), self.options.personal_tokens.longest);
        let pen = self.pen();
        let (entry, keys) = self.store.write(move |tx| {
            require(tx, by)?;
            let user = tx.get(USERS, &id)?.ok_or(OperationError::NotFound("user"))?;
            require_another_admin(tx, &user)?;
            pen.write_by(tx, by, Event::of(EventKind::UserDeleted).about(id))?;
            remove_sessions_of(tx, id)?;
            let keys = remove_keys_of_user(tx, id)?;
            remove_factors_of(tx, id)?;
            remove_password_reset_of(tx, id)?;
            tx.remove(USERS, &id)?;
            tx.remove(USER_NAMES, &user.name.canonical())?;
            tx.put(DELETED_USERS, &id, &now)?;
            // A token may have been made before the configured life was made shorter.
            let mut life = longest.max(CredentialPolicy::LONGEST_ACCESS_TOKEN);
            for (_, token) in tx.keys(PERSONAL_TOKENS_BY_OWNER, Scan::prefix(&id))? {
                life = life.max(tx.get(PERSONAL_TOKENS, &token)?.map_or(life, |token| token.expires_at.since(now)));
            }
            let entry = record(tx, RevocationEntry::user(id, life, now))?;
            Ok::<_, OperationError>((entry, keys))
        })?;
        self.live.revoked().publish(&entry);
        self.forget_upstream_keys(keys);
        self.publish_users(&[id])?;
        tracing::warn!(user = %id, ?by, "user deleted");
        // It is done; what fails here is done by the next sweep.
        if let Err(error) = self.forget_rows_of(id) {
            tracing::warn!(user = %id, error = error.with_causes(), "rows of a deleted user stay until the next sweep");
        }
        Ok(())
    }

    /// Removes what is left of deleted users.
    pub(super) fn forget_deleted_users(&self) -> Result<(), OperationError> {
        let deleted: Vec<UserId> =
            self.store.read(|tx| tx.keys(DELETED_USERS, Scan::all()).map_err(OperationError::from))?;
        deleted.into_iter().try_for_each(|id| self.forget_rows_of(id))
    }

    fn forget_rows_of(&self, id: UserId) -> Result<(), OperationError> {
        let owned = self.store.read(|tx| Ok::<_, OperationError>(Owned::of(tx, id)?))?;
        in_steps(owned.digests, |digests| {
            self.store.write(move |tx| {
                for digest in digests {
                    tx.remove(REFRESH_TOKENS, &digest)?;
                    tx.remove(AUTHORIZATION_CODES, &digest)?;
                }
                Ok::<_, OperationError>(())
            })
        })?;
        in_steps(owned.grants, |grants| {
            self.store.write(move |tx| grants.iter().try_for_each(|grant| remove_grant(tx, grant)))
        })?;
        in_steps(owned.tokens, |tokens| {
            self.store.write(move |tx| tokens.iter().try_for_each(|token| forget_token(tx, token)))
        })?;
        self.store.write(move |tx| {
            forget_notices_of(tx, id)?;
            Ok(tx.remove(DELETED_USERS, &id).map(drop)?)
        })
    }

    /// Changes a user's row in one transaction and publishes what came of it.
    fn change(
        &self,
        by: By,
        id: UserId,
        event: Event,
        change: impl FnOnce(&mut WriteTx, &User) -> Result<User, OperationError> + Send + 'static,
    ) -> Result<(), OperationError> {
        let pen = self.pen();
        self.store.write(move |tx| {
            require(tx, by)?;
            let user = tx.get(USERS, &id)?.ok_or(OperationError::NotFound("user"))?;
            let changed = change(tx, &user)?;
            pen.write_by(tx, by, event.about(id))?;
            Ok::<_, OperationError>(tx.put(USERS, &id, &changed)?)
        })?;
        self.publish_users(&[id])
    }

    /// Publishes users to the hot path as the store has them now. Whoever cannot be read is nobody.
    pub(super) fn publish_users(&self, ids: &[UserId]) -> Result<(), OperationError> {
        // One at a time: what was read later must not be followed by what was read earlier.
        let _turn = self.user_changes.lock().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            let user = self.store.read(|tx| tx.get(USERS, id).map_err(OperationError::from));
            match &user {
                Ok(Some(user)) => self.live.publish_user(user),
                Ok(None) | Err(_) => self.live.remove_user(*id),
            }
            user?;
        }
        Ok(())
    }
}

/// What is left of a deleted user.
struct Owned {
    tokens: Vec<PersonalToken>,
    grants: Vec<Grant>,
    /// Of authorization codes and refresh tokens.
    digests: Vec<TokenDigest>,
}

impl Owned {
    fn of(tx: &impl Reads, id: UserId) -> Result<Self, StoreError> {
        let (mut tokens, mut grants) = (Vec::new(), Vec::new());
        for (_, token) in tx.keys(PERSONAL_TOKENS_BY_OWNER, Scan::prefix(&id))? {
            tokens.extend(tx.get(PERSONAL_TOKENS, &token)?);
        }
        for (_, grant) in tx.keys(GRANTS_BY_USER, Scan::prefix(&id))? {
            grants.extend(tx.get(GRANTS, &grant)?);
        }
        let own: HashSet<GrantId> = grants.iter().map(|grant| grant.id).collect();
        let mut digests = Vec::new();
        if !own.is_empty() {
            tx.visit(AUTHORIZATION_CODES, Scan::all(), |digest, code: AuthorizationCode| {
                digests.extend(own.contains(&code.grant).then_some(digest));
                Ok::<_, StoreError>(())
            })?;
            tx.visit(REFRESH_TOKENS, Scan::all(), |digest, token: RefreshToken| {
                digests.extend(own.contains(&token.grant).then_some(digest));
                Ok::<_, StoreError>(())
            })?;
        }
        Ok(Self { tokens, grants, digests })
    }
}

fn in_steps<T>(mut rows: Vec<T>, step: impl Fn(Vec<T>) -> Result<(), OperationError>) -> Result<(), OperationError> {
    while !rows.is_empty() {
        step(rows.split_off(rows.len().saturating_sub(AT_ONCE)))?;
    }
    Ok(())
}

fn user_entry(tx: &impl Reads, user: User, now: Timestamp) -> Result<UserEntry, OperationError> {
    let (tokens, mut connections) = (live_tokens(tx, user.id, now)?, 0);
    for (_, id) in tx.keys(GRANTS_BY_USER, Scan::prefix(&user.id))? {
        connections += usize::from(tx.get(GRANTS, &id)?.is_some_and(|grant| grant.is_connected()));
    }
    Ok(UserEntry { user, tokens, connections })
}

/// A role and groups as the log tells them: "admin, in ops and writers".
pub(super) fn what_in_words(role: Role, groups: &[GroupName]) -> String {
    let role = if role == Role::Admin { "admin" } else { "member" };
    let groups: Vec<_> = groups.iter().map(GroupName::as_str).collect();
    if groups.is_empty() { role.to_owned() } else { format!("{role}, in {}", groups.join(" and ")) }
}

/// Whoever acts may do so now.
pub(super) fn require(tx: &impl Reads, by: By) -> Result<(), OperationError> {
    match by {
        By::CommandLine => Ok(()),
        By::Admin(id) => match tx.get(USERS, &id)? {
            Some(user) if user.is_acting_admin() => Ok(()),
            _ => Err(OperationError::NotAllowed),
        },
    }
}

/// Somebody else can administer, if `user` can now.
fn require_another_admin(tx: &impl Reads, user: &User) -> Result<(), OperationError> {
    if !user.is_acting_admin() {
        return Ok(());
    }
    let mut others = 0;
    tx.visit(USERS, Scan::all(), |id, other| {
        others += usize::from(id != user.id && other.is_acting_admin());
        Ok::<_, OperationError>(())
    })?;
    if others == 0 {
        let text = format!("{} is the only admin who can sign in. Make somebody else an admin first.", user.name);
        return Err(OperationError::Invalid(text));
    }
    Ok(())
}

/// The groups of a user, as they are kept.
pub(super) fn sorted(groups: &[GroupName]) -> Result<Vec<GroupName>, OperationError> {
    let mut groups = groups.to_vec();
    groups.sort_unstable();
    groups.dedup();
    if groups.len() > MAX_GROUPS_OF_USER {
        return Err(OperationError::invalid(format!("A user is in at most {MAX_GROUPS_OF_USER} groups.")));
    }
    Ok(groups)
}

pub(super) fn require_groups(tx: &impl Reads, groups: &[GroupName]) -> Result<(), OperationError> {
    for group in groups {
        if !tx.contains(GROUPS, group.as_str())? {
            let text = format!("There is no group {group} any more. Reload the page and choose again.");
            return Err(OperationError::Invalid(text));
        }
    }
    Ok(())
}

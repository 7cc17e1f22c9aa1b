//! Who is at this browser? Signing in and out, and changing the password.
//!
//! A wrong name and a wrong password look the same and take the same time. Every attempt is counted before the password
//! is looked at, by account and by network; a browser that has signed in to the account before is counted apart, so that
//! whoever guesses elsewhere does not keep its owner out. Signing in always makes a new session and ends the one that the browser had.
//!
//! Who has a second factor is signed in by giving it, and by nothing before: see [`super::second_factor`].

use crate::account::half_session::HalfSessionKey;
use crate::account::network::network_of;
use crate::account::password::{NewPassword, PasswordHash};
use crate::account::session::Session;
use crate::account::user::{User, Username};
use crate::app::error::OperationError;
use crate::app::password_resets::remove_password_reset_of;
use crate::app::second_factor::{Standing, add_half_session, has_factor, remove_half_sessions_of};
use crate::app::usage::CallerRef;
use crate::app::{App, Caller};
use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::event::{Event, EventKind};
use crate::id::{HalfSessionId, SessionId, UserId};
use crate::store::tables::{SESSIONS, SESSIONS_BY_USER, USERS};
use crate::store::{Reads, Scan, WriteTx};

/// Sessions of one user at most; the one that has been quiet longest makes room.
const MOST_SESSIONS: usize = 50;

/// Why a sign-in failed, in words that tell a stranger nothing.
const WRONG: &str = "The user name or the password is not right. Check both and try again.";

/// What name and password lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// A session.
    Done(SessionId),
    /// The question for the second factor.
    Half(HalfSessionKey),
}

impl App {
    /// Signs in who has no second factor, and otherwise notes that the password was right. `previous` is the session that the
    /// browser had; it ends when somebody is signed in.
    pub fn sign_in(
        &self,
        name: &str,
        password: &str,
        previous: Option<SessionId>,
        caller: &Caller,
    ) -> Result<SignIn, OperationError> {
        let now = self.now();
        let key = Username::parse(name).map_or_else(|_| String::new(), |name| name.canonical());
        let user = self.user_called(&key)?;
        let known = user.as_ref().map(|user| user.id);
        self.begin_attempt(&key, known, caller, now)?;
        let hash = user.as_ref().map_or_else(PasswordHash::nobody, |user| user.password.clone());
        let right = hash.verify(password);
        let Some(user) = user.filter(|user| right && !user.is_disabled()) else {
            // Not the name as typed: people type passwords into the wrong field.
            tracing::info!(user = known.map(display), address = caller.address.map(display), "sign-in refused");
            self.repeats.count(EventKind::SignInFailed, known, caller.address);
            return Err(OperationError::invalid(WRONG));
        };
        let rehashed = hash.is_outdated().then(|| NewPassword::parse(password, "")).and_then(Result::ok);
        let rehashed = rehashed.map(|password| password.hash(&*self.entropy));
        let session = NewSession::of(&user, caller, now, &*self.entropy);
        let (id, user_id, pen) = (session.id(), user.id, self.pen());
        let half = HalfSessionKey { user: user_id, id: HalfSessionId::generate(now, &*self.entropy) };
        let event = Event::of(EventKind::SignedIn).by(user_id).about(user_id).session(id).from(caller.address);
        let step = self.store.write(move |tx| {
            // The password that was checked must still be the one that counts.
            let current = tx.get(USERS, &user_id)?.filter(|user| user.password == hash && !user.is_disabled());
            let current = current.ok_or_else(|| OperationError::invalid(WRONG))?;
            let user = User { password: rehashed.unwrap_or(hash), ..current };
            if has_factor(tx, user_id)? {
                tx.put(USERS, &user_id, &user)?;
                add_half_session(tx, half, now)?;
                return Ok(SignIn::Half(half));
            }
            if let Some(previous) = previous {
                remove_session(tx, previous)?;
            }
            tx.put(USERS, &user_id, &User { last_signed_in_at: Some(now), ..user })?;
            pen.write(tx, event)?;
            add_session(tx, session)?;
            Ok::<_, OperationError>(SignIn::Done(id))
        })?;
        match step {
            SignIn::Done(_) => {
                self.end_attempt(&key, caller);
                tracing::info!(user = %user_id, address = caller.address.map(display), "signed in");
            }
            // The attempt goes on counting: who knows the password must not clear the slate for guessing codes.
            SignIn::Half(_) => tracing::info!(user = %user_id, address = caller.address.map(display), "password right"),
        }
        Ok(step)
    }

    /// Ends a session.
    pub fn sign_out(&self, session: SessionId) -> Result<(), OperationError> {
        let pen = self.pen();
        self.store.write(move |tx| {
            if let Some(Session { user, .. }) = tx.get(SESSIONS, &session)? {
                pen.write(tx, Event::of(EventKind::SignedOut).by(user).about(user).session(session))?;
            }
            remove_session(tx, session)
        })
    }

    /// What the session with this id is good for, if it is. The visit is noted in memory and written with the next last uses:
    /// [`App::flush_usage`].
    pub fn session(&self, id: SessionId, visitor: CallerRef<'_>) -> Result<Option<Standing>, OperationError> {
        let (now, policy) = (self.now(), self.options.sessions);
        let found = self.store.read(|tx| {
            let Some(session) = tx.get(SESSIONS, &id)?.map(|session| self.with_latest_visit(session)) else {
                return Ok(None);
            };
            let user = tx.get(USERS, &session.user)?.filter(|user| session.is_good_for(user, now, &policy));
            Ok::<_, OperationError>(user.map(|user| Standing::of(tx, session, user)).transpose()?)
        })?;
        if found.is_some() {
            self.live.usage().sessions.record(id, now, visitor);
        }
        Ok(found)
    }

    pub(super) fn with_latest_visit(&self, mut session: Session) -> Session {
        if let Some(latest) = self.live.usage().sessions.latest(session.id) {
            session.see(latest.at, latest.address);
        }
        session
    }

    /// Sets a new password: all other sessions end, and this browser gets a new one, which is returned.
    pub fn change_password(
        &self,
        session: SessionId,
        user: UserId,
        current: &str,
        new: &str,
        caller: &Caller,
    ) -> Result<SessionId, OperationError> {
        let now = self.now();
        let found = self.store.read(|tx| tx.get(USERS, &user).map_err(OperationError::from))?;
        let found = found.ok_or(OperationError::NotFound("account"))?;
        let key = found.name.canonical();
        self.begin_attempt(&key, Some(user), caller, now)?;
        if !found.password.verify(current) {
            self.repeats.count(EventKind::SignInFailed, Some(user), caller.address);
            return Err(OperationError::invalid("The current password is not right. Check it and try again."));
        }
        self.end_attempt(&key, caller);
        let password = NewPassword::parse(new, &key).map_err(OperationError::invalid)?.hash(&*self.entropy);
        let renewed = NewSession::of(&found, caller, now, &*self.entropy);
        let (id, pen) = (renewed.id(), self.pen());
        let event = Event::of(EventKind::PasswordChanged).by(user).about(user).session(id).from(caller.address);
        self.store.write(move |tx| {
            let unchanged = tx.change(USERS, &user, |row: &mut User| {
                let unchanged = row.password == found.password && !row.is_disabled();
                if unchanged {
                    row.password = password;
                    row.password_set_at = now;
                }
                unchanged
            })?;
            if unchanged != Some(true) {
                return Err(OperationError::invalid("The password was changed elsewhere. Sign in again."));
            }
            pen.write(tx, event)?;
            remove_session(tx, session)?;
            remove_sessions_of(tx, user)?;
            remove_password_reset_of(tx, user)?;
            add_session(tx, renewed)
        })?;
        self.forget_wrong_codes(user);
        tracing::info!(user = %user, "password changed");
        Ok(id)
    }

    /// The users in the store, published to the hot path.
    pub(super) fn reload_users(&self) -> Result<(), OperationError> {
        self.store.read(|tx| {
            tx.visit(USERS, Scan::all(), |_, user| {
                self.live.publish_user(&user);
                Ok::<_, OperationError>(())
            })
        })
    }

    /// `known` is the account's user, if there is one.
    pub(super) fn begin_attempt(
        &self,
        account: &str,
        known: Option<UserId>,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<(), OperationError> {
        let begun = self.count_attempt(account, None, caller, now);
        if begun.is_err() {
            self.repeats.count(EventKind::SignInSlowed, known, caller.address);
        }
        begun.map(drop)
    }

    /// The same for a code; if it `is_guess`, says how many were given in a row with this one.
    pub(super) fn begin_guess(
        &self,
        account: &str,
        user: UserId,
        is_guess: bool,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Option<u32>, OperationError> {
        let begun = self.count_attempt(account, is_guess.then_some(user), caller, now);
        if begun.is_err() {
            self.repeats.count(EventKind::SignInSlowed, Some(user), caller.address);
        }
        begun
    }

    /// `guessed` is whose code may be guessed. What must wait for one count is not counted by the others.
    fn count_attempt(
        &self,
        account: &str,
        guessed: Option<UserId>,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Option<u32>, OperationError> {
        if !self.options.rate_limits {
            return Ok(None);
        }
        let mut throttles = self.throttles();
        if let Some(user) = guessed {
            throttles.codes_by_user.look(&user, now)?;
        }
        if let Some(address) = caller.address {
            throttles.sign_in_by_network.begin(&network_of(address), now)?;
        }
        throttles.sign_in_by_account.begin(&attempts_key(account, caller), now)?;
        Ok(guessed.map(|user| throttles.codes_by_user.count(&user, now)))
    }

    /// Counts an answer that was wrong and did not have to wait.
    pub(super) fn count_wrong_attempt(&self, account: &str, caller: &Caller, now: Timestamp) {
        let mut throttles = self.throttles();
        throttles.sign_in_by_account.count(&attempts_key(account, caller), now);
        if let Some(address) = caller.address {
            throttles.sign_in_by_network.count(&network_of(address), now);
        }
    }

    pub(super) fn end_attempt(&self, account: &str, caller: &Caller) {
        let mut throttles = self.throttles();
        throttles.sign_in_by_account.succeeded(&attempts_key(account, caller));
        if let Some(address) = caller.address {
            throttles.sign_in_by_network.succeeded(&network_of(address));
        }
    }
}

/// Under what attempts are counted. No user name has a space.
fn attempts_key(account: &str, caller: &Caller) -> String {
    if caller.is_known_to(account) { format!("{account} at a known browser") } else { account.to_owned() }
}

/// A session that is about to be written.
pub(super) struct NewSession(Session);

impl NewSession {
    pub(super) fn of(user: &User, caller: &Caller, now: Timestamp, entropy: &dyn Entropy) -> Self {
        let address = caller.address.map(|address| address.to_string()).unwrap_or_default();
        Self(Session {
            id: SessionId::generate(now, entropy),
            user: user.id,
            signed_in_at: now,
            proved_at: now,
            renewed_from: None,
            seen_at: now,
            seen_from: address.clone(),
            address,
            user_agent: caller.user_agent.clone(),
        })
    }

    /// The session as it goes on under a new name after a proof.
    pub(super) fn proved_again(session: Session, now: Timestamp, entropy: &dyn Entropy) -> Self {
        Self(session.proved_again(SessionId::generate(now, entropy), now))
    }

    pub(super) const fn id(&self) -> SessionId {
        self.0.id
    }
}

pub(super) fn add_session(tx: &mut WriteTx, NewSession(session): NewSession) -> Result<(), OperationError> {
    let mut others = Vec::new();
    for (_, id) in tx.keys(SESSIONS_BY_USER, Scan::prefix(&session.user))? {
        if let Some(other) = tx.get(SESSIONS, &id)? {
            others.push((other.seen_at, id));
        }
    }
    others.sort_unstable();
    for (_, quiet) in others.iter().rev().skip(MOST_SESSIONS - 1) {
        remove_session(tx, *quiet)?;
    }
    tx.put(SESSIONS_BY_USER, &(session.user, session.id), &())?;
    tx.insert_new(SESSIONS, &session.id, &session)?;
    Ok(())
}

pub(super) fn remove_session(tx: &mut WriteTx, id: SessionId) -> Result<(), OperationError> {
    if let Some(session) = tx.take(SESSIONS, &id)? {
        tx.remove(SESSIONS_BY_USER, &(session.user, id))?;
    }
    Ok(())
}

/// Ends all sessions of a user, and what would become one; says how many sessions.
pub(super) fn remove_sessions_of(tx: &mut WriteTx, user: UserId) -> Result<usize, OperationError> {
    remove_half_sessions_of(tx, user)?;
    let sessions = tx.keys(SESSIONS_BY_USER, Scan::prefix(&user))?;
    for (_, id) in &sessions {
        remove_session(tx, *id)?;
    }
    Ok(sessions.len())
}

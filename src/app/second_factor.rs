//! What comes after the password? The second factor: giving one at sign-in, adding and removing, recovery codes.
//!
//! Invariants. A code is looked at and used up in one transaction, so of any number of posts with one code one counts. A
//! wrong code is counted where wrong passwords are, before it is looked at; the right password alone clears nothing; see
//! `wrong_codes`. Who
//! adds a first factor stays signed in here only: whoever knew no more than the password is out. Without a factor there are
//! no recovery codes.

use crate::account::factor::{Authenticator, Factor, FactorKind, TypedCode};
use crate::account::half_session::{HalfSession, HalfSessionKey};
use crate::account::recovery_code::{FEW_LEFT, RecoveryCode, RecoveryCodes};
use crate::account::session::Session;
use crate::account::totp::TotpSecret;
use crate::account::user::User;
use crate::app::error::OperationError;
use crate::app::events::Pen;
use crate::app::sign_in::{NewSession, add_session, remove_session, remove_sessions_of};
use crate::app::sign_in_policy::policy;
use crate::app::users::{By, require};
use crate::app::{App, Caller};
use crate::clock::{Timestamp, minutes};
use crate::event::{Event, EventKind};
use crate::id::{FactorId, SessionId, UserId};
use crate::seal::{Purpose, Sealer};
use crate::store::tables::{FACTORS, HALF_SESSIONS, RECOVERY_CODES, SESSIONS, USERS};
use crate::store::{Reads, Scan, StoreError, WriteTx};
use std::time::Duration;
use zeroize::Zeroizing;

/// Factors of one user at most.
pub const MOST_FACTORS: usize = 20;
/// How long an authenticator app may be set up with the same secret.
const ENROLMENT_LIFE: Duration = minutes(15);
/// Half-signed-in browsers of one user at most; the oldest makes room.
const MOST_HALF_SESSIONS: usize = 20;

const WRONG_CODE: &str = "This code is not right, or it was used before. Wait for the next one and try again.";
const OVER: &str = "This page was open too long. Begin again with the new code here.";

/// What a good session is good for.
#[derive(Debug, Clone)]
pub enum Standing {
    /// Everything that its user may do.
    SignedIn(Session, User),
    /// Adding the second factor that its user must have and has not, and nothing else.
    MustAddFactor(Session, User),
}

/// What a user has beside the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factors {
    /// The newest last.
    pub all: Vec<Factor>,
    /// Recovery codes that are left, and when they were made.
    pub recovery: Option<(usize, Timestamp)>,
    /// Whether the user must have one.
    pub demanded: bool,
}

/// An authenticator app that is being set up. Nothing of it is stored: the form carries it.
#[derive(Debug)]
pub struct Enrolment {
    /// For the form; opens for the same user.
    pub sealed: String,
    /// The secret, for who types it.
    pub secret: Zeroizing<String>,
    /// The address, for a QR code.
    pub address: Zeroizing<String>,
}

/// A factor was added.
#[derive(Debug)]
pub struct Added {
    /// The session that takes the place of the one before.
    pub session: SessionId,
    /// Recovery codes, to be shown this once, if it was the first factor.
    pub codes: Vec<RecoveryCode>,
}

/// What a code turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsedCode {
    /// Of an authenticator app.
    Totp,
    /// A recovery code; so many are left.
    Recovery {
        /// How many still count.
        left: usize,
    },
}

impl App {
    /// Whose password was right at the browser that holds this, if the factor can still be given.
    pub fn half_session(&self, key: HalfSessionKey) -> Result<Option<User>, OperationError> {
        let now = self.now();
        self.store.read(|tx| half_session(tx, key, now))
    }

    /// Signs in who gave the password before, by a code; `previous` is the session that the browser had, which ends.
    pub fn finish_sign_in(
        &self,
        key: HalfSessionKey,
        code: TypedCode,
        previous: Option<SessionId>,
        caller: &Caller,
    ) -> Result<(SessionId, UsedCode), OperationError> {
        let now = self.now();
        let over = || OperationError::NotFound("sign-in");
        let user = self.half_session(key)?.ok_or_else(over)?;
        let account = user.name.canonical();
        let this = self.begin_code(user.id, &account, &code, caller, now)?;
        let session = NewSession::of(&user, caller, now, &*self.entropy);
        let (id, address, sealer, pen) = (session.id(), caller.address, self.sealer.clone(), self.pen());
        let proof = self.store.write(move |tx| {
            let user = half_session(tx, key, now)?.ok_or_else(over)?;
            let proof = use_code(tx, &sealer, user.id, &code, now)?;
            tx.remove(HALF_SESSIONS, &(key.user, key.id))?;
            if let Some(previous) = previous {
                remove_session(tx, previous)?;
            }
            let event = Event::of(EventKind::SignedIn).by(user.id).about(user.id).session(id).from(address);
            pen.write(tx, event.note(proof.in_words()))?;
            tx.put(USERS, &user.id, &User { last_signed_in_at: Some(now), ..user })?;
            add_session(tx, session)?;
            Ok(proof)
        });
        let proof = self.end_code(&this, proof, caller)?;
        tracing::info!(user = %user.id, address = caller.address.map(display), ?proof, "signed in with a second factor");
        Ok((id, proof))
    }

    /// What a user has beside the password.
    pub fn factors(&self, user: &User) -> Result<Factors, OperationError> {
        self.store.read(|tx| {
            Ok(Factors {
                all: factors_of(tx, user.id)?,
                recovery: tx.get(RECOVERY_CODES, &user.id)?.map(|codes| (codes.left(), codes.made_at)),
                demanded: policy(tx)?.demands_factor_of(user),
            })
        })
    }

    /// Begins to set up an authenticator app for `user`.
    pub fn begin_authenticator(&self, user: &User) -> Enrolment {
        self.enrolment(user, &TotpSecret::generate(&*self.entropy))
    }

    /// The same again, after a form that was refused; nothing once its time is over.
    pub fn resume_authenticator(&self, user: &User, sealed: &str) -> Option<Enrolment> {
        self.enrolled(user.id, sealed).map(|secret| self.enrolment(user, &secret))
    }

    /// Adds the app that was set up, which has shown `code`. Every other session of the user ends with a first factor, and
    /// this one is replaced.
    pub fn add_authenticator(
        &self,
        session: SessionId,
        user: &User,
        sealed: &str,
        code: &TypedCode,
        caller: &Caller,
    ) -> Result<Added, OperationError> {
        let (now, id) = (self.now(), user.id);
        let secret = self.enrolled(id, sealed).ok_or_else(|| OperationError::invalid(OVER))?;
        let step = match code {
            TypedCode::Totp(code) => secret.step_of(*code, now, None),
            TypedCode::Recovery(_) | TypedCode::Neither => None,
        };
        let step = step.ok_or_else(|| OperationError::invalid(WRONG_CODE))?;
        let app = Authenticator::new(&self.sealer, id, &secret, step);
        let new = self.new_factor(user, session, FactorKind::Authenticator(app), caller);
        self.add_factor(new, move |tx| {
            let is_app = |factor: &Factor| matches!(factor.kind, FactorKind::Authenticator(_));
            if factors_of(tx, id)?.iter().any(is_app) {
                let why = "You have an authenticator app already. Remove it first if you want another.";
                return Err(OperationError::NameTaken(why.to_owned()));
            }
            Ok(())
        })
    }

    /// A factor that is about to be added in the browser with this session.
    pub(super) fn new_factor(&self, user: &User, session: SessionId, kind: FactorKind, caller: &Caller) -> NewFactor {
        let now = self.now();
        let (codes, plain) = RecoveryCodes::generate(now, &*self.entropy);
        NewFactor {
            factor: Factor { id: FactorId::generate(now, &*self.entropy), added_at: now, used_at: None, kind },
            owner: user.id,
            previous: session,
            renewed: NewSession::of(user, caller, now, &*self.entropy),
            codes,
            plain,
            pen: self.pen(),
        }
    }

    /// Adds it, if `allowed` in the same transaction and the session still stands.
    pub(super) fn add_factor(
        &self,
        new: NewFactor,
        allowed: impl FnOnce(&mut WriteTx) -> Result<(), OperationError> + Send + 'static,
    ) -> Result<Added, OperationError> {
        let (owner, session) = (new.owner, new.renewed.id());
        let codes = self.store.write(move |tx| {
            let NewFactor { factor, owner, previous, renewed, codes, plain, pen } = new;
            let before = factors_of(tx, owner)?;
            let stands = tx.get(SESSIONS, &previous)?.is_some_and(|session| session.user == owner);
            if !stands || tx.get(USERS, &owner)?.is_none_or(|user| user.is_disabled()) {
                return Err(OperationError::NotFound("session"));
            }
            allowed(tx)?;
            if before.len() >= MOST_FACTORS {
                let why = format!("You have {MOST_FACTORS} second factors. Remove one first.");
                return Err(OperationError::Invalid(why));
            }
            let note = factor.kind.in_words();
            pen.write(tx, Event::of(EventKind::FactorAdded).by(owner).about(owner).note(note))?;
            tx.insert_new(FACTORS, &(owner, factor.id), &factor)?;
            if before.is_empty() {
                remove_sessions_of(tx, owner)?;
                tx.put(RECOVERY_CODES, &owner, &codes)?;
            } else {
                remove_session(tx, previous)?;
            }
            add_session(tx, renewed)?;
            Ok(if before.is_empty() { plain } else { Vec::new() })
        })?;
        tracing::info!(user = %owner, "second factor added");
        Ok(Added { session, codes })
    }

    /// Removes a factor of a user's. With the last one the recovery codes go.
    pub fn remove_factor(&self, user: UserId, id: FactorId) -> Result<(), OperationError> {
        let pen = self.pen();
        self.store.write(move |tx| {
            let factor = tx.take(FACTORS, &(user, id))?.ok_or(OperationError::NotFound("second factor"))?;
            if !has_factor(tx, user)? {
                tx.remove(RECOVERY_CODES, &user)?;
            }
            let event = Event::of(EventKind::FactorRemoved).by(user).about(user).note(factor.kind.in_words());
            Ok::<_, OperationError>(pen.write(tx, event)?)
        })?;
        tracing::warn!(%user, factor = %id, "second factor removed");
        Ok(())
    }

    /// Removes every factor of somebody who is locked out. They are signed out everywhere, and the password alone lets them
    /// in, to add a factor first where one is demanded.
    pub fn reset_factors(&self, by: By, id: UserId) -> Result<(), OperationError> {
        let pen = self.pen();
        self.store.write(move |tx| {
            require(tx, by)?;
            let user = tx.get(USERS, &id)?.ok_or(OperationError::NotFound("user"))?;
            if !has_factor(tx, id)? {
                return Err(OperationError::Invalid(format!("{} has no second factor.", user.name)));
            }
            remove_factors_of(tx, id)?;
            remove_sessions_of(tx, id)?;
            let event = Event::of(EventKind::FactorRemoved).about(id).note("all there were");
            Ok(pen.write_by_telling(tx, by, event, id)?)
        })?;
        self.forget_wrong_codes(id);
        tracing::warn!(user = %id, ?by, "second factors reset");
        Ok(())
    }

    /// Makes new recovery codes for a user who has a factor; those before are void.
    pub fn renew_recovery_codes(&self, user: UserId) -> Result<Vec<RecoveryCode>, OperationError> {
        let (codes, plain) = RecoveryCodes::generate(self.now(), &*self.entropy);
        let pen = self.pen();
        self.store.write(move |tx| {
            if !has_factor(tx, user)? {
                return Err(OperationError::NotFound("second factor"));
            }
            tx.put(RECOVERY_CODES, &user, &codes)?;
            Ok(pen.write(tx, Event::of(EventKind::RecoveryCodesMade).by(user).about(user))?)
        })?;
        tracing::info!(%user, "recovery codes made");
        Ok(plain)
    }

    fn enrolment(&self, user: &User, secret: &TotpSecret) -> Enrolment {
        let text = secret.to_text();
        let sealed = self.sealer.seal(Purpose::FactorEnrolment, &(user.id, text.as_str()), self.now(), ENROLMENT_LIFE);
        let issuer = format!("Keyward {}", self.options.issuer.origin_host());
        Enrolment { sealed, address: secret.address(&issuer, user.name.as_str()), secret: text }
    }

    fn enrolled(&self, user: UserId, sealed: &str) -> Option<TotpSecret> {
        let opened = self.sealer.open(Purpose::FactorEnrolment, sealed, self.now());
        let (owner, secret): (UserId, String) = opened.ok()?;
        let secret = Zeroizing::new(secret);
        TotpSecret::parse(&secret).filter(|_| owner == user)
    }
}

impl Factors {
    /// Whether an authenticator app is among them.
    pub fn has_authenticator(&self) -> bool {
        self.all.iter().any(|factor| matches!(factor.kind, FactorKind::Authenticator(_)))
    }

    /// How many recovery codes are left, if it is time for new ones.
    pub fn few_codes(&self) -> Option<usize> {
        let left = self.recovery.map_or(0, |(left, _)| left);
        (!self.all.is_empty() && left <= FEW_LEFT).then_some(left)
    }

    /// In a few words, for who looks after the account: "an authenticator app, 8 recovery codes left".
    pub fn in_words(&self) -> Option<String> {
        let mut words: Vec<String> = self.all.iter().map(|factor| factor.kind.in_words().to_owned()).collect();
        if words.is_empty() {
            return None;
        }
        let left = self.recovery.map_or(0, |(left, _)| left);
        words.push(format!("{left} recovery {} left", if left == 1 { "code" } else { "codes" }));
        Some(words.join(", "))
    }
}

/// A factor that is about to be added, with all that comes with it.
pub(super) struct NewFactor {
    factor: Factor,
    owner: UserId,
    previous: SessionId,
    renewed: NewSession,
    codes: RecoveryCodes,
    plain: Vec<RecoveryCode>,
    pen: Pen,
}

impl UsedCode {
    const fn in_words(self) -> &'static str {
        match self {
            Self::Totp => "with a code",
            Self::Recovery { .. } => "with a recovery code",
        }
    }
}

impl Standing {
    /// Of a good session of `user`.
    pub(super) fn of(tx: &impl Reads, session: Session, user: User) -> Result<Self, StoreError> {
        let lacks = policy(tx)?.demands_factor_of(&user) && !has_factor(tx, user.id)?;
        Ok(if lacks { Self::MustAddFactor(session, user) } else { Self::SignedIn(session, user) })
    }

    /// The session.
    pub const fn session(&self) -> &Session {
        match self {
            Self::SignedIn(session, _) | Self::MustAddFactor(session, _) => session,
        }
    }

    /// Its user.
    pub const fn user(&self) -> &User {
        match self {
            Self::SignedIn(_, user) | Self::MustAddFactor(_, user) => user,
        }
    }
}

/// Whether the password alone signs this user in no longer.
pub(super) fn has_factor(tx: &impl Reads, user: UserId) -> Result<bool, StoreError> {
    Ok(!tx.keys(FACTORS, Scan::prefix(&user).limit(1))?.is_empty())
}

pub(super) fn factors_of(tx: &impl Reads, user: UserId) -> Result<Vec<Factor>, StoreError> {
    Ok(tx.scan(FACTORS, Scan::prefix(&user))?.into_iter().map(|(_, factor)| factor).collect())
}

/// Lets go of a user's factors and recovery codes.
pub(super) fn remove_factors_of(tx: &mut WriteTx, user: UserId) -> Result<(), StoreError> {
    for key in tx.keys(FACTORS, Scan::prefix(&user))? {
        tx.remove(FACTORS, &key)?;
    }
    tx.remove(RECOVERY_CODES, &user)?;
    Ok(())
}

/// Notes that somebody's password was right.
pub(super) fn add_half_session(tx: &mut WriteTx, key: HalfSessionKey, now: Timestamp) -> Result<(), StoreError> {
    let others = tx.keys(HALF_SESSIONS, Scan::prefix(&key.user))?;
    for other in others.iter().rev().skip(MOST_HALF_SESSIONS - 1) {
        tx.remove(HALF_SESSIONS, other)?;
    }
    tx.insert_new(HALF_SESSIONS, &(key.user, key.id), &HalfSession { began_at: now })
}

/// Ends every sign-in of a user's whose factor is missing.
pub(super) fn remove_half_sessions_of(tx: &mut WriteTx, user: UserId) -> Result<(), StoreError> {
    for key in tx.keys(HALF_SESSIONS, Scan::prefix(&user))? {
        tx.remove(HALF_SESSIONS, &key)?;
    }
    Ok(())
}

/// Uses a code of the user's up, of whichever factor it is. Nothing is written for one that is wrong.
pub(super) fn use_code(
    tx: &mut WriteTx,
    sealer: &Sealer,
    user: UserId,
    code: &TypedCode,
    now: Timestamp,
) -> Result<UsedCode, OperationError> {
    match code {
        TypedCode::Totp(code) => {
            for factor in factors_of(tx, user)? {
                let FactorKind::Authenticator(app) = &factor.kind else { continue };
                let after = app.after(sealer, user, *code, now).unwrap_or_else(|error| {
                    tracing::error!(%user, factor = %factor.id, %error, "the secret of a factor cannot be opened");
                    None
                });
                if let Some(after) = after {
                    let renewed = Factor { used_at: Some(now), kind: FactorKind::Authenticator(after), ..factor };
                    tx.put(FACTORS, &(user, renewed.id), &renewed)?;
                    return Ok(UsedCode::Totp);
                }
            }
        }
        TypedCode::Recovery(code) if has_factor(tx, user)? => {
            if let Some(rest) = tx.get(RECOVERY_CODES, &user)?.and_then(|codes| codes.without(code)) {
                tx.put(RECOVERY_CODES, &user, &rest)?;
                return Ok(UsedCode::Recovery { left: rest.left() });
            }
        }
        TypedCode::Recovery(_) | TypedCode::Neither => {}
    }
    Err(OperationError::invalid(WRONG_CODE))
}

pub(super) fn half_session(
    tx: &impl Reads,
    key: HalfSessionKey,
    now: Timestamp,
) -> Result<Option<User>, OperationError> {
    let Some(half) = tx.get(HALF_SESSIONS, &(key.user, key.id))? else { return Ok(None) };
    Ok(tx.get(USERS, &key.user)?.filter(|user| half.is_good_for(user, now)))
}

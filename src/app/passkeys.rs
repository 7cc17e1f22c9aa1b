//! Who holds this passkey? Adding one, and signing in with one, alone or after the password. [`crate::app::step_up`] takes
//! one as proof that it is still them.
//!
//! Every question is sealed for one act and one browser, lasts five minutes and is answered once: the answer that counts is
//! written down in the transaction of what it does. A signature cannot be guessed, so nobody waits here: wrong passwords of
//! others keep no owner of a passkey out.

use crate::account::factor::{Factor, FactorKind};
use crate::account::half_session::HalfSessionKey;
use crate::account::passkey::{
    Assurance, Challenge, MAX_CREDENTIAL_ID, MadePasskey, Passkey, PasskeyRefusal, RelyingParty, UsedPasskey,
    parse_passkey_name,
};
use crate::account::session::Session;
use crate::account::user::User;
use crate::app::error::OperationError;
use crate::app::second_factor::{Added, factors_of, half_session};
use crate::app::sign_in::{NewSession, add_session, remove_session};
use crate::app::{App, Caller};
use crate::clock::{Timestamp, minutes};
use crate::entropy::random_bytes;
use crate::event::{Event, EventKind};
use crate::id::{SessionId, UserId};
use crate::seal::Purpose;
use crate::secret::TokenDigest;
use crate::store::tables::{FACTORS, HALF_SESSIONS, USED_CHALLENGES, USERS};
use crate::store::{Reads, WriteTx};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a question may be answered.
pub const QUESTION_LIFE: Duration = minutes(5);

const OVER: &str = "This page was open too long, or the passkey was asked for something else. Try again.";
const WRONG: &str = "This passkey was not accepted. Try again, or sign in another way.";

/// For what a passkey is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PasskeyAct {
    /// To be added.
    Add,
    /// To sign in, alone.
    SignIn,
    /// After the password.
    SecondFactor,
    /// To prove again who is there.
    ProveAgain,
}

/// What an authenticator is asked.
#[derive(Debug, Clone)]
pub struct PasskeyQuestion {
    /// For the form.
    pub sealed: String,
    /// What it has to sign.
    pub challenge: Challenge,
}

/// A good answer, not yet written down.
pub(super) struct Checked {
    factor: Factor,
    after: Passkey,
    question: TokenDigest,
}

impl App {
    /// For whom passkeys are here; none if the public URL has no host name.
    pub fn relying_party(&self) -> Option<RelyingParty> {
        RelyingParty::of(&self.options.issuer)
    }

    /// A question for the browser with this binding.
    pub fn ask_passkey(&self, act: PasskeyAct, binding: &str) -> PasskeyQuestion {
        let challenge = random_bytes::<32>(&*self.entropy);
        let said = (act, binding, URL_SAFE_NO_PAD.encode(challenge));
        let sealed = self.sealer.seal(Purpose::PasskeyQuestion, &said, self.now(), QUESTION_LIFE);
        PasskeyQuestion { sealed, challenge }
    }

    /// What was asked for `act` in a browser with the binding that `is_bound` knows.
    pub(super) fn question(
        &self,
        act: PasskeyAct,
        is_bound: impl FnOnce(&str) -> bool,
        sealed: &str,
    ) -> Result<Challenge, OperationError> {
        let opened = self.sealer.open::<(PasskeyAct, String, String)>(Purpose::PasskeyQuestion, sealed, self.now());
        let (asked, browser, challenge) = opened.map_err(|_| OperationError::invalid(OVER))?;
        let challenge = URL_SAFE_NO_PAD.decode(challenge).ok().and_then(|bytes| bytes.try_into().ok());
        challenge.filter(|_| asked == act && is_bound(&browser)).ok_or_else(|| OperationError::invalid(OVER))
    }

    /// Adds the passkey that was made in the browser with this session.
    pub fn add_passkey(
        &self,
        session: &Session,
        user: &User,
        sealed: &str,
        name: &str,
        made: &MadePasskey,
        caller: &Caller,
    ) -> Result<Added, OperationError> {
        let party = self.relying_party().ok_or(OperationError::NotFound("host name for passkeys"))?;
        let challenge = self.question(PasskeyAct::Add, |name| session.is_called(name), sealed)?;
        let name = parse_passkey_name(name)
            .ok_or_else(|| OperationError::invalid("Give the passkey a name of at most 64 characters."))?;
        let passkey = Passkey::register(made, name, &challenge, &party).map_err(|refusal| {
            tracing::info!(user = %user.id, %refusal, "passkey not added");
            OperationError::invalid("The passkey could not be added. Try again, or use another device.")
        })?;
        let (owner, now, credential) = (user.id, self.now(), passkey.credential.clone());
        let new = self.new_factor(user, session.id, FactorKind::Passkey(passkey), caller);
        let question = TokenDigest::of(&URL_SAFE_NO_PAD.encode(challenge));
        self.add_factor(new, move |tx| {
            let same =
                |factor: &Factor| matches!(&factor.kind, FactorKind::Passkey(own) if own.credential == credential);
            if factors_of(tx, owner)?.iter().any(same) {
                return Err(OperationError::invalid("You have this passkey already."));
            }
            use_up(tx, question, now)
        })
    }

    /// Signs in whoever holds the passkey, which has checked who that is; `previous` is the session that the browser had.
    pub fn sign_in_with_passkey(
        &self,
        binding: &str,
        sealed: &str,
        answer: &UsedPasskey,
        previous: Option<SessionId>,
        caller: &Caller,
    ) -> Result<(SessionId, User), OperationError> {
        let owner = <[u8; 16]>::try_from(answer.owner.as_slice()).map(UserId::from_bytes);
        let owner = owner.map_err(|_| OperationError::invalid(WRONG))?;
        let challenge = self.question(PasskeyAct::SignIn, |browser| browser == binding, sealed)?;
        let (user, checked) = self.check(owner, &challenge, answer, Assurance::Verified, caller)?;
        let (now, address, pen) = (self.now(), caller.address, self.pen());
        let session = NewSession::of(&user, caller, now, &*self.entropy);
        let id = session.id();
        let user = self.store.write(move |tx| {
            let user = checked.take(tx, owner, now)?;
            if let Some(previous) = previous {
                remove_session(tx, previous)?;
            }
            let event = Event::of(EventKind::SignedIn).by(owner).about(owner).session(id).from(address);
            pen.write(tx, event.note("with a passkey"))?;
            let user = User { last_signed_in_at: Some(now), ..user };
            tx.put(USERS, &owner, &user)?;
            add_session(tx, session)?;
            Ok::<_, OperationError>(user)
        })?;
        tracing::info!(user = %owner, address = caller.address.map(display), "signed in with a passkey");
        Ok((id, user))
    }

    /// Signs in who gave the password before, by a passkey; `previous` is the session that the browser had, which ends.
    pub fn finish_sign_in_with_passkey(
        &self,
        key: HalfSessionKey,
        sealed: &str,
        answer: &UsedPasskey,
        previous: Option<SessionId>,
        caller: &Caller,
    ) -> Result<SessionId, OperationError> {
        let over = || OperationError::NotFound("sign-in");
        let user = self.half_session(key)?.ok_or_else(over)?;
        let challenge = self.question(PasskeyAct::SecondFactor, |half| half == key.id.to_string(), sealed)?;
        let (user, checked) = self.check(user.id, &challenge, answer, Assurance::Present, caller)?;
        let (now, owner, address, pen) = (self.now(), user.id, caller.address, self.pen());
        let session = NewSession::of(&user, caller, now, &*self.entropy);
        let id = session.id();
        self.store.write(move |tx| {
            half_session(tx, key, now)?.ok_or_else(over)?;
            let user = checked.take(tx, owner, now)?;
            tx.remove(HALF_SESSIONS, &(key.user, key.id))?;
            if let Some(previous) = previous {
                remove_session(tx, previous)?;
            }
            let event = Event::of(EventKind::SignedIn).by(owner).about(owner).session(id).from(address);
            pen.write(tx, event.note("with a passkey"))?;
            tx.put(USERS, &owner, &User { last_signed_in_at: Some(now), ..user })?;
            add_session(tx, session)
        })?;
        self.end_attempt(&user.name.canonical(), caller);
        tracing::info!(user = %owner, address = caller.address.map(display), "signed in with a passkey as second factor");
        Ok(id)
    }

    /// Looks for the passkey among those of `owner` and checks what it has signed.
    pub(super) fn check(
        &self,
        owner: UserId,
        challenge: &Challenge,
        answer: &UsedPasskey,
        assurance: Assurance,
        caller: &Caller,
    ) -> Result<(User, Checked), OperationError> {
        let party = self.relying_party().ok_or(OperationError::NotFound("host name for passkeys"))?;
        let found = self.store.read(|tx| {
            let user = tx.get(USERS, &owner)?.filter(|user| !user.is_disabled());
            Ok::<_, OperationError>(user.map(|user| factors_of(tx, owner).map(|factors| (user, factors))).transpose()?)
        })?;
        let known = found.as_ref().map(|(user, _)| user.id);
        let checked = found.ok_or(PasskeyRefusal::Unknown).and_then(|(user, factors)| {
            if answer.credential.len() > MAX_CREDENTIAL_ID {
                return Err(PasskeyRefusal::Unreadable);
            }
            let own = factors.into_iter().find_map(|factor| match &factor.kind {
                FactorKind::Passkey(passkey) if passkey.credential == answer.credential => {
                    Some((passkey.clone(), factor))
                }
                _ => None,
            });
            let (passkey, factor) = own.ok_or(PasskeyRefusal::Unknown)?;
            let after = passkey.after(answer, challenge, assurance, &party)?;
            let question = TokenDigest::of(&URL_SAFE_NO_PAD.encode(challenge));
            Ok((user, Checked { factor, after, question }))
        });
        checked.map_err(|refusal| {
            tracing::info!(user = known.map(display), address = caller.address.map(display), %refusal, "passkey refused");
            self.repeats.count(EventKind::FactorFailed, known, caller.address);
            OperationError::invalid(WRONG)
        })
    }
}

impl Checked {
    /// Writes the use down, if nothing has changed since it was checked; returns the owner as they are now.
    pub(super) fn take(self, tx: &mut WriteTx, owner: UserId, now: Timestamp) -> Result<User, OperationError> {
        let changed = || OperationError::invalid(WRONG);
        use_up(tx, self.question, now)?;
        let user = tx.get(USERS, &owner)?.filter(|user| !user.is_disabled()).ok_or_else(changed)?;
        let place = (owner, self.factor.id);
        let current = tx.get(FACTORS, &place)?.filter(|factor| factor.kind == self.factor.kind).ok_or_else(changed)?;
        let changed_factor = Factor { used_at: Some(now), kind: FactorKind::Passkey(self.after), ..current };
        tx.put(FACTORS, &place, &changed_factor)?;
        Ok(user)
    }
}

/// A question is answered once.
fn use_up(tx: &mut WriteTx, question: TokenDigest, now: Timestamp) -> Result<(), OperationError> {
    if tx.contains(USED_CHALLENGES, &question)? {
        return Err(OperationError::invalid(OVER));
    }
    Ok(tx.put(USED_CHALLENGES, &question, &(now + QUESTION_LIFE))?)
}

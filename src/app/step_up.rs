//! Is it still the same person? What hands out power asks again when the last proof is too old: for the password, a code of a
//! second factor, or a passkey that checks who holds it.
//!
//! A proof renews the session under a new id, so that whoever had a copy of the old one gains nothing. Wrong answers are
//! counted together with those at sign-in. A passkey waits for nothing, since a signature cannot be guessed; wrong ones
//! count all the same.

use crate::account::factor::TypedCode;
use crate::account::passkey::{Assurance, UsedPasskey};
use crate::account::session::Session;
use crate::account::user::User;
use crate::app::error::OperationError;
use crate::app::passkeys::{Checked, PasskeyAct};
use crate::app::second_factor::use_code;
use crate::app::sign_in::{NewSession, add_session, remove_session};
use crate::app::{App, Caller};
use crate::event::{Event, EventKind};
use crate::id::SessionId;
use crate::secret::Secret;
use crate::store::Reads;
use crate::store::tables::{SESSIONS, USERS};

/// Why a proof was not taken.
const WRONG: &str = "This is not your password. Check it and try again.";

/// What is given as proof.
#[derive(Debug)]
pub enum Proof {
    /// The password.
    Password(Secret<String>),
    /// A code of a second factor, which is used up by it.
    Code(TypedCode),
    /// What a passkey answered.
    Passkey {
        /// The question, sealed for this session.
        question: String,
        /// The answer.
        answer: Box<UsedPasskey>,
    },
}

/// A proof, as far as it can be looked at before the transaction.
enum Given {
    Password,
    Code(TypedCode),
    Passkey(Box<Checked>),
}

impl App {
    /// Whether who is at this session was proved a short while ago.
    pub fn is_recently_proved(&self, session: &Session) -> bool {
        session.is_recently_proved(self.now(), &self.options.sessions)
    }

    /// Takes what the session's user knows or has as proof that they are still there; returns the session under its new id.
    pub fn prove_again(&self, id: SessionId, proof: Proof, caller: &Caller) -> Result<Session, OperationError> {
        let (now, policy) = (self.now(), self.options.sessions);
        let over = || OperationError::NotFound("session");
        let standing = self.session(id, caller.into())?.ok_or_else(over)?;
        let (session, user) = (standing.session().clone(), standing.user().clone());
        let (user_id, key) = (user.id, user.name.canonical());
        let mut code_try = None;
        let given = match proof {
            Proof::Password(password) => {
                self.begin_attempt(&key, Some(user_id), caller, now)?;
                if !user.password.verify(password.expose()) {
                    tracing::info!(user = %user_id, address = caller.address.map(display), "proof refused");
                    self.repeats.count(EventKind::SignInFailed, Some(user_id), caller.address);
                    return Err(OperationError::invalid(WRONG));
                }
                Given::Password
            }
            Proof::Code(code) => {
                code_try = Some(self.begin_code(user_id, &key, &code, caller, now)?);
                Given::Code(code)
            }
            Proof::Passkey { question, answer } => {
                let challenge = self.question(PasskeyAct::ProveAgain, |name| session.is_called(name), &question)?;
                let checked = self.check(user_id, &challenge, &answer, Assurance::Verified, caller);
                let (_, checked) = checked.inspect_err(|_| self.count_wrong_attempt(&key, caller, now))?;
                Given::Passkey(Box::new(checked))
            }
        };
        let note = if matches!(given, Given::Passkey(_)) { "with a passkey" } else { "" };
        let renewed = NewSession::proved_again(session, now, &*self.entropy);
        let (new_id, sealer, pen) = (renewed.id(), self.sealer.clone(), self.pen());
        let event = Event::of(EventKind::ProvedAgain)
            .by(user_id)
            .about(user_id)
            .session(new_id)
            .from(caller.address)
            .note(note);
        let proved = self.store.write(move |tx| {
            // The password that was checked must still be the one that counts, and the session must not have ended.
            let current = tx.get(USERS, &user_id)?.filter(|current: &User| current.password == user.password);
            let session = tx.get(SESSIONS, &id)?;
            let still = current.zip(session).filter(|(user, session)| session.is_good_for(user, now, &policy));
            if still.is_none() {
                return Err(OperationError::NotFound("session"));
            }
            match given {
                Given::Password => {}
                Given::Code(code) => {
                    use_code(tx, &sealer, user_id, &code, now)?;
                }
                Given::Passkey(checked) => {
                    checked.take(tx, user_id, now)?;
                }
            }
            pen.write(tx, event)?;
            remove_session(tx, id)?;
            add_session(tx, renewed)?;
            tx.get(SESSIONS, &new_id)?.ok_or(OperationError::NotFound("session"))
        });
        let session = match &code_try {
            Some(this) => self.end_code(this, proved, caller)?,
            None => proved.inspect(|_| self.end_attempt(&key, caller))?,
        };
        tracing::info!(user = %user_id, address = caller.address.map(display), "proved again");
        Ok(session)
    }
}

//! How does the first admin come to be? Once, with the one-time secret that the first start prints.
//!
//! The state is a row of the store: without the row (a database that was not made by `serve` on an empty directory) nobody
//! can set up. Making the admin and closing the door are one transaction, so of two racing set-ups one wins.

use crate::account::password::{NewPassword, PasswordHash};
use crate::account::user::{Role, User, Username};
use crate::app::error::OperationError;
use crate::app::sign_in::{NewSession, add_session};
use crate::app::{App, Caller};
use crate::entropy::Entropy;
use crate::event::{Event, EventKind};
use crate::id::{SessionId, UserId};
use crate::secret::{PlainToken, PlainTokenKind, TokenDigest};
use crate::store::Reads;
use crate::store::tables::{SET_UP, SetUp, USER_NAMES, USERS};

impl App {
    /// Opens the door of an instance that has no user yet and returns the secret; an earlier one is void from then on.
    /// `None` once there is an admin.
    pub fn open_set_up(&self) -> Result<Option<PlainToken>, OperationError> {
        let secret = PlainToken::generate(PlainTokenKind::SetUp, &*self.entropy);
        let (digest, now) = (secret.digest(), self.now());
        self.store.write(move |tx| {
            if !matches!(tx.get(SET_UP, &())?, Some(SetUp::Open { .. })) {
                return Ok(None);
            }
            tx.put(SET_UP, &(), &SetUp::Open { secret: digest, issued_at: now })?;
            Ok(Some(secret))
        })
    }

    /// Whether `secret` opens the door.
    pub fn may_set_up(&self, secret: &str) -> Result<bool, OperationError> {
        let presented = TokenDigest::of(secret);
        self.store.read(|tx| Ok(opens(tx.get(SET_UP, &())?.as_ref(), presented)))
    }

    /// Makes the first admin, signs them in and closes the door for ever.
    pub fn set_up(
        &self,
        secret: &str,
        name: &str,
        password: &str,
        caller: &Caller,
    ) -> Result<SessionId, OperationError> {
        let presented = TokenDigest::of(secret);
        if !self.may_set_up(secret)? {
            return Err(OperationError::NotFound("set-up link"));
        }
        let admin = self.new_admin(name, password, NewPassword::hash)?;
        let session = NewSession::of(&admin, caller, self.now(), &*self.entropy);
        let (id, created, pen) = (session.id(), admin.clone(), self.pen());
        let event = Event::of(EventKind::SetUp).by(admin.id).about(admin.id).session(id).from(caller.address);
        self.store.write(move |tx| {
            if !opens(tx.get(SET_UP, &())?.as_ref(), presented) {
                return Err(OperationError::NotFound("set-up link"));
            }
            tx.insert_new(USERS, &created.id, &created)?;
            tx.insert_new(USER_NAMES, &created.name.canonical(), &created.id)?;
            tx.put(SET_UP, &(), &SetUp::Done { by: created.id, at: created.created_at })?;
            pen.write(tx, event)?;
            add_session(tx, session)
        })?;
        self.live.publish_user(&admin);
        tracing::info!(user = %admin.id, "set up: the first admin was made");
        Ok(id)
    }

    /// Makes the first admin without a link: for an instance that lives only as long as its process. The password is
    /// hashed at least cost, so that nobody waits for it.
    pub fn seed_admin(&self, name: &str, password: &str) -> Result<User, OperationError> {
        let admin = self.new_admin(name, password, NewPassword::hash_for_memory)?;
        let (created, pen) = (admin.clone(), self.pen());
        self.store.write(move |tx| {
            if !matches!(tx.get(SET_UP, &())?, Some(SetUp::Open { .. })) {
                return Err(OperationError::NotFound("open set-up"));
            }
            tx.insert_new(USERS, &created.id, &created)?;
            tx.insert_new(USER_NAMES, &created.name.canonical(), &created.id)?;
            tx.put(SET_UP, &(), &SetUp::Done { by: created.id, at: created.created_at })?;
            pen.write(tx, Event::of(EventKind::SetUp).about(created.id))?;
            Ok(())
        })?;
        self.live.publish_user(&admin);
        Ok(admin)
    }

    fn new_admin(&self, name: &str, password: &str, hash: Hash) -> Result<User, OperationError> {
        let name = Username::parse(name).map_err(OperationError::invalid)?;
        let password = NewPassword::parse(password, &name.canonical()).map_err(OperationError::invalid)?;
        let now = self.now();
        Ok(User {
            id: UserId::generate(now, &*self.entropy),
            password: hash(&password, &*self.entropy),
            name,
            role: Role::Admin,
            created_at: now,
            password_set_at: now,
            disabled_at: None,
            groups: Vec::new(),
            last_signed_in_at: None,
        })
    }
}

type Hash = fn(&NewPassword, &dyn Entropy) -> PasswordHash;

fn opens(state: Option<&SetUp>, presented: TokenDigest) -> bool {
    matches!(state, Some(SetUp::Open { secret, .. }) if *secret == presented)
}

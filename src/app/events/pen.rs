//! How does an operation write a line in its own transaction? With a [`Pen`], taken before the transaction begins.
//!
//! The pen knows the time and on whose behalf the operation is done; names of users are looked up in the transaction, so
//! they are those of the moment.

use crate::app::App;
use crate::app::notices::put_notice;
use crate::app::origin::{self, Origin};
use crate::app::users::By;
use crate::clock::Timestamp;
use crate::entropy::{Entropy, random_bytes};
use crate::event::{Actor, Event, FacetMarks, Named};
use crate::id::{EventId, UserId};
use crate::store::tables::{EVENTS, EVENTS_BY, USERS};
use crate::store::{Reads, StoreError, WriteTx};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Gives out the ids of lines: by time, and of one moment in the order of their writing.
#[derive(Debug)]
pub(in crate::app) struct EventIds {
    tail: [u8; 6],
    next: AtomicU32,
}

impl EventIds {
    pub(in crate::app) fn new(entropy: &dyn Entropy) -> Self {
        Self { tail: random_bytes(entropy), next: AtomicU32::new(0) }
    }

    pub(super) fn next(&self, at: Timestamp) -> EventId {
        let mut id = [0; 16];
        id[..6].copy_from_slice(&at.unix_millis().to_be_bytes()[2..]);
        id[6..10].copy_from_slice(&self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        id[10..].copy_from_slice(&self.tail);
        EventId::from_bytes(id)
    }
}

/// Writes the lines of one operation.
#[derive(Debug, Clone)]
pub(in crate::app) struct Pen {
    at: Timestamp,
    origin: Origin,
    ids: Arc<EventIds>,
}

impl App {
    /// A pen for an operation that begins now, on this thread.
    pub(in crate::app) fn pen(&self) -> Pen {
        Pen { at: self.now(), origin: origin::current(), ids: Arc::clone(&self.event_ids) }
    }
}

impl Pen {
    /// Writes a line. Who did it is whoever the operation is done for, unless the line says somebody else.
    pub(in crate::app) fn write(&self, tx: &mut WriteTx, event: Event) -> Result<(), StoreError> {
        self.write_line(tx, event).map(drop)
    }

    fn write_line(&self, tx: &mut WriteTx, mut event: Event) -> Result<EventId, StoreError> {
        if event.by == Actor::Stranger {
            event.by = match self.origin {
                Origin::Keyward => Actor::Keyward,
                Origin::CommandLine => Actor::CommandLine,
                Origin::Request { user: Some(user), .. } => Actor::User(Named::new(user, "")),
                Origin::Request { user: None, .. } => Actor::Stranger,
            };
        }
        if let Origin::Request { address, .. } = self.origin {
            event.address = event.address.or(address);
        }
        self.write_as_told(tx, self.at, event)
    }

    /// Writes a line, and puts it before a user who should know.
    pub(in crate::app) fn write_for(
        &self,
        tx: &mut WriteTx,
        event: Event,
        user: UserId,
    ) -> Result<EventId, StoreError> {
        let id = self.write_line(tx, event)?;
        if let Some(line) = tx.get(EVENTS, &id)? {
            put_notice(tx, user, id, &line)?;
        }
        Ok(id)
    }

    /// Writes a line, and puts it before the user whom it is about if another person did it.
    pub(in crate::app) fn write_telling(&self, tx: &mut WriteTx, event: Event, user: UserId) -> Result<(), StoreError> {
        let id = self.write_line(tx, event)?;
        let Some(line) = tx.get(EVENTS, &id)? else { return Ok(()) };
        let by_another = match &line.by {
            Actor::User(actor) => actor.id != user,
            Actor::CommandLine => true,
            Actor::Stranger | Actor::Keyward => false,
        };
        if by_another { put_notice(tx, user, id, &line) } else { Ok(()) }
    }

    /// Writes a line of what `by` does to an account.
    pub(in crate::app) fn write_by(&self, tx: &mut WriteTx, by: By, event: Event) -> Result<(), StoreError> {
        self.write(tx, done_by(by, event))
    }

    /// The same, and puts it before the account's user if another person did it.
    pub(in crate::app) fn write_by_telling(
        &self,
        tx: &mut WriteTx,
        by: By,
        event: Event,
        user: UserId,
    ) -> Result<(), StoreError> {
        self.write_telling(tx, done_by(by, event), user)
    }

    /// Writes a line of a moment, by whom it says.
    pub(super) fn write_as_told(
        &self,
        tx: &mut WriteTx,
        at: Timestamp,
        mut event: Event,
    ) -> Result<EventId, StoreError> {
        if let Actor::User(user) = &mut event.by {
            name(tx, user)?;
        }
        if let Some(user) = &mut event.user {
            name(tx, user)?;
        }
        let id = self.ids.next(at);
        let facets = event.facets();
        let marks = FacetMarks::of(&facets);
        for facet in facets {
            tx.put(EVENTS_BY, &(facet, id), &marks)?;
        }
        tx.put(EVENTS, &id, &event)?;
        Ok(id)
    }
}

fn done_by(by: By, event: Event) -> Event {
    match by {
        By::Admin(admin) => event.by(admin),
        By::CommandLine => Event { by: Actor::CommandLine, ..event },
    }
}

fn name(tx: &impl Reads, user: &mut Named<UserId>) -> Result<(), StoreError> {
    if user.name.is_empty()
        && let Some(known) = tx.get(USERS, &user.id)?
    {
        known.name.as_str().clone_into(&mut user.name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{GuardedServer, ServerDirectory};
    use crate::account::personal_token::{PersonalTokenPolicy, TokenState};
    use crate::account::session::SessionPolicy;
    use crate::app::events::{EventFilter, EventPlace, EventPolicy};
    use crate::app::personal_tokens::{Made, NewPersonalToken};
    use crate::app::{AppOptions, CredentialPolicy, Parts, RegistrationPolicy};
    use crate::clock::ManualClock;
    use crate::entropy::SeededEntropy;
    use crate::event::EventKind;
    use crate::id::TokenId;
    use crate::keys::RotationPolicy;
    use crate::oauth::issuer::Issuer;
    use crate::oauth::scope::ScopeSet;
    use crate::secret::MasterSecret;
    use crate::store::tables::{SET_UP, SetUp};
    use crate::store::{Disk, Store};
    use crate::token::VerifierOptions;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_400_000);

    fn open(store: Store) -> App {
        let entropy = SeededEntropy::new(1);
        let parts = Parts {
            store,
            clock: Arc::new(ManualClock::at(NOW)),
            master: MasterSecret::generate(&entropy),
            entropy: Arc::new(entropy),
            options: AppOptions {
                issuer: Issuer::parse("http://127.0.0.1:8080").unwrap(),
                credentials: CredentialPolicy::default(),
                personal_tokens: PersonalTokenPolicy::default(),
                sessions: SessionPolicy::default(),
                rotation: RotationPolicy::default(),
                registration: RegistrationPolicy::default(),
                verifier: VerifierOptions::default(),
                dashboard_commands: false,
                events: EventPolicy::default(),
                rate_limits: true,
            },
            servers: ServerDirectory::new(Vec::<GuardedServer>::new()).unwrap(),
        };
        App::open(parts).unwrap()
    }

    fn kinds(app: &App) -> Vec<EventKind> {
        let page = app.events(&EventFilter::default(), EventPlace::Newest, 100).unwrap();
        page.events.into_iter().rev().map(|(_, event)| event.kind).collect()
    }

    #[test]
    fn an_act_whose_line_cannot_be_written_does_not_happen() {
        for failing in 0..40 {
            let disk = Disk::default();
            let store = disk.open();
            let fresh: Result<(), StoreError> = store.write(|tx| tx.put(SET_UP, &(), &SetUp::FRESH));
            fresh.unwrap();
            let app = open(store);
            let owner = app.seed_admin("ada", "four quiet random words").unwrap().id;
            let id = TokenId::from_bytes([3; 16]);
            let (name, scopes) = ("Laptop".to_owned(), ScopeSet::mcp());
            let new = NewPersonalToken { id, name, expires_at: None, servers: None, scopes };
            let Made::Now(_, token) = app.create_personal_token(owner, &new).unwrap() else { panic!("the id is new") };
            let is_good =
                || app.live().verifier().verify(token.expose(), &app.live().keys(), app.live().revoked(), NOW);
            assert_eq!(kinds(&app), [EventKind::SetUp, EventKind::TokenMade]);

            disk.fail_after(failing);
            let done = app.revoke_personal_token(owner, id).is_ok();
            assert_eq!(is_good().is_ok(), !done, "in force if and only if it was answered");
            assert_eq!(kinds(&app).contains(&EventKind::TokenRevoked), done);
            drop(app);

            let app = open(disk.replaced().open());
            let told = kinds(&app).contains(&EventKind::TokenRevoked);
            let is_revoked = app.personal_token(owner, id).unwrap().token.state(NOW) == TokenState::Revoked;
            assert_eq!(told, is_revoked, "the act and its line are both there or neither, {failing}");
            assert!(told || !done);
            if done {
                return;
            }
        }
        panic!("the disk never had room enough");
    }
}

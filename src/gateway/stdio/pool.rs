//! Which children, and which sessions, does one server have? At most so many, and none that nobody needs.
//!
//! Invariants: a child is found by what it serves, never by what a client says alone; a session only by its id *and* its user;
//! whoever finds no room takes that of a child that nobody uses, else is refused.

use crate::access::{ChildMode, ServerName, StdioUpstream};
use crate::clock::Timestamp;
use crate::gateway::stdio::handshake::Hello;
use crate::gateway::stdio::inquiry::Inquiry;
use crate::gateway::stdio::session::{self, Abilities, Session};
use crate::gateway::stdio::slot::{Slot, SlotKey, Unavailable};
use crate::gateway::stdio::suspended::Suspended;
use crate::gateway::stdio::trouble::{Failing, Trouble};
use crate::gateway::stdio::{Host, Place};
use crate::id::UserId;
use crate::mcp::Era;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Most sessions of one server.
const MAX_SESSIONS: usize = 2_000;
/// Most sessions of one user at one server.
const MAX_SESSIONS_OF_USER: usize = 200;
/// A session of which nobody hears for this long ends, if its child is not its own.
const SESSION_IDLE: Duration = Duration::from_hours(1);
/// How long a newcomer waits for the room of a child that is being ended.
const ROOM_PATIENCE: Duration = Duration::from_secs(6);

/// The children and sessions of one server.
#[derive(Debug)]
pub(super) struct Pool {
    host: Arc<Host>,
    server: ServerName,
    upstream: StdioUpstream,
    places: Arc<Semaphore>,
    slots: Mutex<HashMap<SlotKey, Arc<Slot>>>,
    sessions: RwLock<HashMap<Box<str>, Arc<Session>>>,
    /// Failures to start, which are no fault of whom it is started for.
    trouble: Mutex<Trouble>,
    suspended: Arc<Suspended>,
    inquiry: Inquiry,
}

impl Pool {
    pub(super) fn new(host: Arc<Host>, server: ServerName, upstream: StdioUpstream) -> Self {
        let places = Arc::new(Semaphore::new(upstream.max_children));
        let (slots, sessions, trouble) = (Mutex::default(), RwLock::default(), Mutex::default());
        let (suspended, inquiry) = (Arc::default(), Inquiry::default());
        Self { host, server, upstream, places, slots, sessions, trouble, suspended, inquiry }
    }

    /// What all servers share.
    pub(super) const fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// Whose children these are.
    pub(super) const fn server(&self) -> &ServerName {
        &self.server
    }

    /// What is run.
    pub(super) const fn upstream(&self) -> &StdioUpstream {
        &self.upstream
    }

    /// What waits for clients of the modern era.
    pub(super) const fn suspended(&self) -> &Arc<Suspended> {
        &self.suspended
    }

    /// What is known of the eras of its children.
    pub(super) const fn inquiry(&self) -> &Inquiry {
        &self.inquiry
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        self.host.app.now()
    }

    /// The place of the child for clients of `user` of this era without a session of their own, who can be asked for what
    /// `capabilities` (JSON) declare.
    pub(super) fn slot_of_user(&self, user: UserId, era: Era, capabilities: Box<str>) -> Arc<Slot> {
        let (key, era, capabilities) = match self.upstream.mode {
            // Clients of both eras share it, and those of the legacy one lose more in the other.
            ChildMode::Shared => (SlotKey::Shared, Era::Legacy, "{}".into()),
            ChildMode::PerUser | ChildMode::PerSession => {
                (SlotKey::User(user, era, capabilities.clone()), era, capabilities)
            }
        };
        let now = self.now();
        let hello =
            || Hello { capabilities, client_info: super::handshake::CLIENT_INFO.into(), client_confirms: false, era };
        let mut slots = self.slots();
        Arc::clone(slots.entry(key.clone()).or_insert_with(|| Arc::new(Slot::new(key, hello(), now))))
    }

    /// A place of a child for one session.
    pub(super) fn slot_of_session(&self, user: UserId, id: &str, hello: Hello) -> Arc<Slot> {
        let key = SlotKey::Session(user, id.into());
        let slot = Arc::new(Slot::new(key.clone(), hello, self.now()));
        self.slots().insert(key, Arc::clone(&slot));
        slot
    }

    /// Opens a session of `user` whose requests go to `slot`.
    pub(super) fn open_session(&self, id: Box<str>, user: UserId, can: Abilities, slot: Arc<Slot>) -> Arc<Session> {
        self.make_room_for_session(user);
        let session = Arc::new(Session::new(id.clone(), user, can, slot, self.now()));
        session.slot().audience().join(&session);
        self.sessions.write().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&session));
        session
    }

    /// The session `id`, if it is `user`'s.
    pub(super) fn session(&self, id: &str, user: UserId) -> Option<Arc<Session>> {
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(id).filter(|session| session.user() == user)?;
        session.touch(self.now());
        Some(Arc::clone(session))
    }

    /// Ends a session, and its child if it is the session's own.
    pub(super) fn end_session(&self, session: &Session) {
        self.sessions.write().unwrap_or_else(PoisonError::into_inner).remove(session.id());
        session.end();
        let slot = session.slot();
        if let SlotKey::Session(..) = slot.key() {
            self.slots().remove(slot.key());
            self.let_go(slot);
        }
    }

    /// Gives up the place of a session that was never opened.
    pub(super) fn abandon(&self, slot: &Arc<Slot>) {
        self.slots().remove(slot.key());
        self.let_go(slot);
    }

    /// A new id for a session.
    pub(super) fn new_session_id(&self) -> Box<str> {
        session::new_id(self.host.app.entropy())
    }

    fn make_room_for_session(&self, user: UserId) {
        let oldest = {
            let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
            let own = sessions.values().filter(|session| session.user() == user).count();
            let candidates = sessions.values().filter(|session| {
                own >= MAX_SESSIONS_OF_USER && session.user() == user || sessions.len() >= MAX_SESSIONS
            });
            candidates.min_by_key(|session| (session.is_busy(), session.is_listening(), session.last_used())).cloned()
        };
        if let Some(oldest) = oldest {
            self.end_session(&oldest);
        }
    }

    /// Whether a child may be started.
    pub(super) fn may_start(&self, now: Timestamp) -> Result<(), Unavailable> {
        if *self.host.stopping.borrow() {
            return Err(Unavailable::Stopping);
        }
        self.start_trouble().check(now).map_err(Unavailable::Failing)
    }

    /// One was.
    pub(super) fn did_start(&self) {
        self.start_trouble().started();
    }

    /// One could not be.
    pub(super) fn did_not_start(&self, why: String) -> Unavailable {
        let mut trouble = self.start_trouble();
        tracing::warn!(server = self.server.as_str(), "the child does not start: {why}");
        trouble.did_not_start(why, self.now());
        Unavailable::Failed(trouble.state(self.now()).map_or(1, |failing| failing.failures))
    }

    /// What is wrong with starting, if anything is.
    pub(super) fn trouble(&self, now: Timestamp) -> Option<Failing> {
        self.start_trouble().state(now)
    }

    /// A place for one more child, that of `newcomer`.
    pub(super) async fn place(&self, newcomer: &Arc<Slot>) -> Result<Place, Unavailable> {
        let (own, all) = (&self.places, &self.host.places);
        if let Some(place) = Place::take(own, all) {
            return Ok(place);
        }
        let limit = self.upstream.max_children.min(self.host.options.max_children);
        // Where this server has places left, it is those of all that are taken.
        let others = if own.available_permits() > 0 { self.host.pools() } else { Vec::new() };
        let others = others.iter().filter(|pool| pool.server != self.server);
        let unused = others.filter_map(|pool| Some((Some(pool), pool.longest_unused(newcomer)?)));
        let unused = unused.chain(self.longest_unused(newcomer).map(|slot| (None, slot)));
        // What belongs to a session ends that with it.
        let first = unused.min_by_key(|(_, slot)| (matches!(slot.key(), SlotKey::Session(..)), slot.last_used()));
        let Some((of, unused)) = first else { return Err(Unavailable::Full(limit)) };
        let of = of.map_or(self, |pool| &**pool);
        tracing::debug!(server = of.server.as_str(), "an unused child makes room for another");
        of.retire(&unused);
        let waiting = async {
            let own = Arc::clone(own).acquire_owned().await.ok()?;
            let all = Arc::clone(all).acquire_owned().await.ok()?;
            Some(Place::of(own, all))
        };
        tokio::time::timeout(ROOM_PATIENCE, waiting).await.ok().flatten().ok_or(Unavailable::Full(limit))
    }

    /// The slot whose child nobody has used for the longest time, but for that of `newcomer`.
    fn longest_unused(&self, newcomer: &Arc<Slot>) -> Option<Arc<Slot>> {
        let slots = self.slots();
        let candidates = slots.values().filter(|slot| {
            !Arc::ptr_eq(slot, newcomer) && slot.alive().is_some() && slot.is_idle(self.now(), Duration::ZERO)
        });
        candidates.min_by_key(|slot| slot.last_used()).cloned()
    }

    /// Ends what nobody has used for long, and gives up what takes too long.
    pub(super) fn sweep(&self, now: Timestamp) {
        let (idle, patience) = (self.upstream.idle, self.host.options.call_patience);
        let stale: Vec<_> = {
            let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
            let stale = |session: &&Arc<Session>| {
                let own = matches!(session.slot().key(), SlotKey::Session(..));
                let limit = if own { idle } else { SESSION_IDLE };
                let gone = own && session.slot().alive().is_none() && !session.slot().is_starting();
                gone || (now.since(session.last_used()) >= limit && !session.is_busy())
            };
            sessions.values().filter(stale).cloned().collect()
        };
        for session in stale {
            self.end_session(&session);
        }
        self.suspended.sweep(now);
        let slots: Vec<_> = self.slots().values().cloned().collect();
        for slot in slots {
            if let Some(running) = slot.alive() {
                if running.connection().open_calls() > 0 {
                    slot.touch(now);
                }
                running.connection().give_up_old(now, patience);
            }
            if slot.is_idle(now, idle) {
                self.retire(&slot);
            }
        }
        // Held by the table alone: nobody comes back to it but by its key.
        self.slots().retain(|_, slot| {
            Arc::strong_count(slot) > 1
                || slot.latest().is_some()
                || slot.trouble(now).is_some_and(|t| !t.again_in.is_zero())
        });
    }

    /// Ends the child of a slot; a session whose own it is ends with it.
    fn retire(&self, slot: &Arc<Slot>) {
        let owner = {
            let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
            match slot.key() {
                SlotKey::Session(_, id) => sessions.get(id).cloned(),
                _ => None,
            }
        };
        match owner {
            Some(session) => self.end_session(&session),
            None => self.let_go(slot),
        }
    }

    fn let_go(&self, slot: &Slot) {
        if let Some(running) = slot.take() {
            tokio::spawn(running.end(self.host.options.end_patience));
        }
    }

    /// Ends everything. Waits until it is gone.
    pub(super) async fn stop(&self) {
        let sessions: Vec<_> = {
            let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
            sessions.drain().map(|(_, session)| session).collect()
        };
        for session in sessions {
            session.end();
        }
        self.suspended.sweep(Timestamp::FAR_FUTURE);
        let slots: Vec<_> = self.slots().drain().map(|(_, slot)| slot).collect();
        let patience = self.host.options.end_patience;
        let ending: Vec<_> =
            slots.iter().filter_map(|slot| slot.take()).map(|running| tokio::spawn(running.end(patience))).collect();
        for one in ending {
            let _ = one.await;
        }
    }

    /// How many sessions there are.
    pub(super) fn session_count(&self) -> usize {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// All places.
    pub(super) fn all_slots(&self) -> Vec<Arc<Slot>> {
        self.slots().values().cloned().collect()
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<SlotKey, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

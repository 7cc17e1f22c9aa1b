//! What does a client of the legacy era have here between its requests? A session (MCP 2025-11-25, Streamable HTTP, session
//! management): its streams, what the child asks of it, and which of its requests are under way.
//!
//! Invariants: a session belongs to one user and one server, and its id has 256 random bits; what waits for a client is
//! bounded; the lock is never held while anything is awaited or another lock of a child is taken.

use crate::clock::Timestamp;
use crate::entropy::{Entropy, random_bytes};
use crate::gateway::stdio::call::{Ask, Event};
use crate::gateway::stdio::message::{self, Outcome};
use crate::gateway::stdio::object::Object;
use crate::gateway::stdio::slot::Slot;
use crate::id::UserId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Most messages that wait for a client without a stream.
const MAX_BACKLOG: usize = 32;
/// Most messages that wait for a client that reads slowly.
const MAX_UNREAD: usize = 256;
/// Most requests of a child's that wait for one client.
const MAX_ASKS: usize = 32;
/// Most resources that one client watches.
pub(super) const MAX_RESOURCES: usize = 256;
/// What the ids of a child's requests begin with, as a client sees them.
const ASK: &str = "keyward-";

/// What a client can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Abilities {
    /// `sampling/createMessage`.
    pub(super) sampling: bool,
    /// `elicitation/create`.
    pub(super) elicitation: bool,
    /// `roots/list`.
    pub(super) roots: bool,
}

impl Abilities {
    /// What the capabilities of a client declare.
    pub(super) fn of(capabilities: &Object<'_>) -> Self {
        Self {
            sampling: capabilities.declares("sampling"),
            elicitation: capabilities.declares("elicitation"),
            roots: capabilities.declares("roots"),
        }
    }
}

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    id: Box<str>,
    user: UserId,
    can: Abilities,
    slot: Arc<Slot>,
    last_used: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ended: bool,
    listening: Option<mpsc::Sender<Bytes>>,
    /// Responses that may become streams, the latest last.
    responses: Vec<(u64, mpsc::Sender<Event>)>,
    /// The client's ids and ours.
    calls: HashMap<Box<str>, u64>,
    backlog: VecDeque<Bytes>,
    asks: HashMap<u64, Ask>,
    last_ask: u64,
    resources: HashSet<String>,
}

/// A new id for a session: 43 visible characters.
pub(super) fn new_id(entropy: &dyn Entropy) -> Box<str> {
    URL_SAFE_NO_PAD.encode(random_bytes::<32>(entropy)).into()
}

impl Session {
    pub(super) fn new(id: Box<str>, user: UserId, can: Abilities, slot: Arc<Slot>, now: Timestamp) -> Self {
        Self { id, user, can, slot, last_used: AtomicU64::new(now.unix_millis()), state: Mutex::default() }
    }

    /// Its id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Whose it is.
    pub(super) const fn user(&self) -> UserId {
        self.user
    }

    /// What its client can be asked for.
    pub(super) const fn can(&self) -> Abilities {
        self.can
    }

    /// Where its requests go.
    pub(super) const fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    /// Notes that its client was heard of.
    pub(super) fn touch(&self, now: Timestamp) {
        self.last_used.store(now.unix_millis(), Ordering::Relaxed);
    }

    /// When its client was heard of last.
    pub(super) fn last_used(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.last_used.load(Ordering::Relaxed))
    }

    /// Whether anything of it is under way.
    pub(super) fn is_busy(&self) -> bool {
        !self.state().calls.is_empty()
    }

    /// Whether its client holds a stream open.
    pub(super) fn is_listening(&self) -> bool {
        self.state().listening.as_ref().is_some_and(|stream| !stream.is_closed())
    }

    /// A request of its client's is under way; with `response`, the client can be told something meanwhile.
    pub(super) fn begin(&self, client_id: &str, id: u64, response: Option<mpsc::Sender<Event>>) {
        let mut state = self.state();
        state.calls.insert(client_id.into(), id);
        if let Some(response) = response {
            while let Some(message) = state.backlog.pop_front() {
                let _ = response.try_send(Event::Message(message));
            }
            state.responses.push((id, response));
        }
    }

    /// It is no more.
    pub(super) fn finished(&self, client_id: &str, id: u64) {
        let mut state = self.state();
        if state.calls.get(client_id) == Some(&id) {
            state.calls.remove(client_id);
        }
        state.responses.retain(|(known, _)| *known != id);
    }

    /// Our id of the client's request that is under way.
    pub(super) fn call(&self, client_id: &str) -> Option<u64> {
        self.state().calls.get(client_id).copied()
    }

    /// Opens the stream on which the client is told what belongs to no request. An earlier one ends.
    pub(super) fn listen(&self) -> Option<mpsc::Receiver<Bytes>> {
        let mut state = self.state();
        if state.ended {
            return None;
        }
        let (stream, messages) = mpsc::channel(MAX_UNREAD);
        while let Some(message) = state.backlog.pop_front() {
            let _ = stream.try_send(message);
        }
        state.listening = Some(stream);
        Some(messages)
    }

    /// Tells the client something that needs no answer; with `keep`, also later.
    pub(super) fn tell(&self, message: Bytes, keep: bool) {
        let mut state = self.state();
        let unsent = state.listening.as_ref().is_none_or(|stream| stream.try_send(message.clone()).is_err());
        if !unsent {
            return;
        }
        let responses = state.responses.iter().rev();
        let mut told = responses.map(|(_, stream)| stream.try_send(Event::Message(message.clone())));
        if !told.any(|told| told.is_ok()) && keep && !state.ended {
            if state.backlog.len() >= MAX_BACKLOG {
                state.backlog.pop_front();
            }
            state.backlog.push_back(message);
        }
    }

    /// Passes on what the child asks; gives it back if it cannot.
    pub(super) fn ask(&self, ask: Ask) -> Result<(), Ask> {
        let mut state = self.state();
        if state.ended || state.asks.len() >= MAX_ASKS {
            return Err(ask);
        }
        let number = state.last_ask + 1;
        let message =
            Bytes::from(message::request_as(&format!("\"{ASK}{number}\""), ask.method, ask.params.as_deref()));
        let responses = state.responses.iter().rev();
        let mut asked = responses.map(|(_, stream)| stream.try_send(Event::Message(message.clone())));
        let asked = asked.any(|asked| asked.is_ok())
            || state.listening.as_ref().is_some_and(|stream| stream.try_send(message.clone()).is_ok());
        if !asked {
            if state.backlog.len() >= MAX_BACKLOG {
                return Err(ask);
            }
            state.backlog.push_back(message);
        }
        state.last_ask = number;
        state.asks.insert(number, ask);
        Ok(())
    }

    /// What the child asked that the client answers under this id, which is JSON.
    pub(super) fn take_ask(&self, id: &str) -> Option<Ask> {
        let number = id.strip_prefix('"')?.strip_suffix('"')?.strip_prefix(ASK)?.parse().ok()?;
        self.state().asks.remove(&number)
    }

    /// Passes the answer of the client on to the child. Says whether anything was asked.
    pub(super) async fn answer(&self, id: &str, outcome: Outcome<'_>) -> bool {
        let Some(ask) = self.take_ask(id) else { return false };
        if let Some(connection) = ask.connection.upgrade() {
            let _ = connection.answer(&ask.id, outcome).await;
        }
        true
    }

    /// The child has taken back what it asked under `id`.
    pub(super) fn withdraw(&self, id: &str, params: &Object<'_>) {
        let number = {
            let mut state = self.state();
            let number = state.asks.iter().find(|(_, ask)| &*ask.id == id).map(|(number, _)| *number);
            number.inspect(|number| drop(state.asks.remove(number)))
        };
        if let Some(number) = number {
            let mut params = params.clone();
            params.set("requestId", format!("\"{ASK}{number}\""));
            let message = message::notification("notifications/cancelled", Some(&params.to_json()));
            self.tell(message.into(), false);
        }
    }

    /// Notes that the client watches a resource; not if it watches too many.
    pub(super) fn watch(&self, uri: &str) -> bool {
        let mut state = self.state();
        state.resources.contains(uri)
            || (state.resources.len() < MAX_RESOURCES && state.resources.insert(uri.to_owned()))
    }

    /// Notes that it does not any more.
    pub(super) fn unwatch(&self, uri: &str) {
        self.state().resources.remove(uri);
    }

    /// Whether it does.
    pub(super) fn watches(&self, uri: &str) -> bool {
        self.state().resources.contains(uri)
    }

    /// Ends it: its streams end, and the child is told that what it asked will not be answered.
    pub(super) fn end(&self) {
        let (streams, asks) = {
            let mut state = self.state();
            state.ended = true;
            state.backlog.clear();
            ((state.listening.take(), std::mem::take(&mut state.responses)), std::mem::take(&mut state.asks))
        };
        drop(streams);
        for ask in asks.into_values() {
            if let Some(connection) = ask.connection.upgrade() {
                connection.refuse(&ask.id, -32603, "The client has ended its session");
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

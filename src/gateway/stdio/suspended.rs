//! How does a child ask a client of the modern era, which takes no requests? By a result that says `input_required`: the child
//! goes on waiting, its request is kept here, and the client repeats its own with the answer (MCP 2026-07-28, multi round-trip
//! requests).
//!
//! Invariants: what is kept is found only by its `requestState` of 256 random bits, by its own user and for the same method and
//! name; each is taken once, kept for [`LIFE`], and cancelled at the child when nobody comes back.

use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::gateway::stdio::call::Ask;
use crate::gateway::stdio::exchange::{Exchange, modern_result};
use crate::gateway::stdio::object::{Object, quoted};
use crate::gateway::stdio::session;
use crate::id::UserId;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a client has to come back; people fill in forms.
pub(super) const LIFE: Duration = Duration::from_mins(10);
/// Most that one user leaves waiting.
const MAX_OF_USER: usize = 16;
/// Most that are left waiting at one server.
const MAX: usize = 256;
/// What our states begin with; a modern child has its own.
const PREFIX: &str = "keyward.";
/// The key of the one thing that is asked in a round.
pub(super) const KEY: &str = "keyward";

/// What waits for its client.
#[derive(Debug, Default)]
pub(super) struct Suspended(Mutex<HashMap<Box<str>, Kept>>);

/// A request and what its client is asked.
#[derive(Debug)]
struct Kept {
    exchange: Exchange,
    ask: Ask,
    whose: Whose,
    until: Timestamp,
}

/// Whose a request is, and what it asks: what must be the same when it is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whose {
    /// The user.
    pub(super) user: UserId,
    /// What is asked.
    pub(super) method: Box<str>,
    /// The tool, prompt or resource.
    pub(super) name: Box<str>,
}

/// Keeps one request if need be.
#[derive(Debug)]
pub(super) struct Suspender {
    /// Among these.
    pub(super) suspended: Arc<Suspended>,
    /// For whom.
    pub(super) whose: Whose,
    /// The time.
    pub(super) now: Timestamp,
    /// The handle by which it is found again.
    pub(super) state: Box<str>,
}

impl Suspender {
    /// Prepares to keep a request of `whose`.
    pub(super) fn new(suspended: &Arc<Suspended>, whose: Whose, now: Timestamp, entropy: &dyn Entropy) -> Self {
        Self {
            suspended: Arc::clone(suspended),
            whose,
            now,
            state: format!("{PREFIX}{}", session::new_id(entropy)).into(),
        }
    }

    /// Keeps the request and gives back the result that asks the client. Without room the child is refused, and the request
    /// goes on.
    pub(super) fn suspend(self, exchange: Exchange, ask: Ask) -> Result<Bytes, Box<Exchange>> {
        let mut kept = self.suspended.kept();
        let own = kept.values().filter(|kept| kept.whose.user == self.whose.user).count();
        if own >= MAX_OF_USER || kept.len() >= MAX {
            drop(kept);
            exchange.call.connection().refuse(&ask.id, -32603, "Too many requests wait for their clients");
            return Err(Box::new(exchange));
        }
        let body = input_required(&exchange, &ask, &self.state);
        let until = self.now + LIFE;
        kept.insert(self.state, Kept { exchange, ask, whose: self.whose, until });
        Ok(body)
    }
}

/// Why a request cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotResumed {
    /// Nothing is kept under this state for this request.
    Unknown,
    /// The answer to what was asked is missing.
    Unanswered,
}

impl Suspended {
    /// Takes a request up again, and passes on what the client answers.
    pub(super) async fn resume(
        &self,
        state: &str,
        whose: &Whose,
        responses: Option<&Object<'_>>,
        now: Timestamp,
    ) -> Result<Exchange, NotResumed> {
        let (exchange, ask, response) = {
            let mut all = self.kept();
            let known = all.get(state).filter(|kept| kept.whose == *whose && now < kept.until);
            known.ok_or(NotResumed::Unknown)?;
            let response = responses.and_then(|responses| responses.get(KEY)).ok_or(NotResumed::Unanswered)?;
            let Kept { exchange, ask, .. } = all.remove(state).ok_or(NotResumed::Unknown)?;
            (exchange, ask, response)
        };
        let outcome = super::message::Outcome::Result(response);
        // A child that has ended meanwhile ends the request as well.
        let _ = exchange.call.connection().answer(&ask.id, outcome).await;
        Ok(exchange)
    }

    /// Whether a state may be one of ours, by its form.
    pub(super) fn is_ours(state: &str) -> bool {
        state.strip_prefix(PREFIX).is_some_and(|rest| rest.len() == 43)
    }

    /// Cancels what nobody came back for.
    pub(super) fn sweep(&self, now: Timestamp) {
        let stale: Vec<Kept> = {
            let mut kept = self.kept();
            let stale: Vec<Box<str>> =
                kept.iter().filter(|(_, kept)| now >= kept.until).map(|(state, _)| state.clone()).collect();
            stale.iter().filter_map(|state| kept.remove(state)).collect()
        };
        for Kept { exchange, ask, .. } in stale {
            exchange.call.connection().refuse(&ask.id, -32603, "The client did not answer in time");
        }
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Box<str>, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn input_required(exchange: &Exchange, ask: &Ask, state: &str) -> Bytes {
    let mut params = ask.params.as_deref().and_then(Object::read).unwrap_or_default();
    // A channel that this era does not have.
    params.keep(|name| name != "elicitationId");
    let mut request = Object::default();
    request.set("method", quoted(ask.method));
    request.set("params", params.to_json());
    let mut requests = Object::default();
    requests.set(KEY, request.to_json());
    let mut result = Object::default();
    result.set("inputRequests", requests.to_json());
    result.set("requestState", quoted(state));
    modern_result(result, "input_required", &exchange.id, exchange.running.facts(), &[])
}

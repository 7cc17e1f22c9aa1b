//! How do many callers speak over one pair of pipes? Each request gets an id of ours, by which its answer, its progress and
//! what the child asks meanwhile find their way back.
//!
//! Invariants: no caller waits for another; the lock is held for a look into a table, never while anything is awaited; a
//! child's message is never delivered to a user whose request it does not belong to (see [`Audience`]).

use crate::access::ServerName;
use crate::clock::Timestamp;
use crate::gateway::catalogue::Catalogue;
use crate::gateway::stdio::audience::Audience;
use crate::gateway::stdio::call::{Ask, Call, CallError, Event, MAX_EVENTS, Reply};
use crate::gateway::stdio::framing::printable;
use crate::gateway::stdio::message::{self, Outcome, Spoken};
use crate::gateway::stdio::object::Object;
use crate::gateway::stdio::outbox::{NotSent, Outbox};
use crate::gateway::stdio::session::{Abilities, Session};
use bytes::Bytes;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Most requests that one child works on at once.
const MAX_CALLS: usize = 1024;
/// The key under which a modern message says which subscription it belongs to.
pub(super) const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

/// Who has sent a request, as far as it matters to what the child says meanwhile.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// Keyward itself, or somebody who cannot be told anything on the way.
    Nobody,
    /// A client of the legacy era, in its session.
    Session(Arc<Session>),
    /// A client of the modern era, which can be asked for this much.
    Modern(Abilities),
}

/// What a request is besides its method.
#[derive(Debug)]
pub(super) struct Caller {
    /// Who asks.
    pub(super) origin: Origin,
    /// The client's id, as JSON.
    pub(super) id: Box<str>,
    /// The client's progress token, as JSON.
    pub(super) progress: Option<Box<str>>,
    /// Whether it can be told something before the answer.
    pub(super) hears: bool,
    /// Whether it is told what the child logs.
    pub(super) wants_log: bool,
    /// Whether the request ends with whoever waits for it.
    pub(super) cancels: bool,
}

impl Caller {
    /// Keyward itself.
    pub(super) fn keyward() -> Self {
        Self { origin: Origin::Nobody, id: "0".into(), progress: None, hears: false, wants_log: false, cancels: true }
    }
}

/// One child, as its callers see it.
#[derive(Debug)]
pub(super) struct Connection {
    server: ServerName,
    outbox: Outbox,
    audience: Arc<Audience>,
    catalogue: Option<Arc<Catalogue>>,
    max_line: usize,
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    last: u64,
    open: HashMap<u64, OpenCall>,
    ended: Option<Arc<str>>,
}

#[derive(Debug)]
struct OpenCall {
    answer: oneshot::Sender<Result<Reply, CallError>>,
    events: mpsc::Sender<Event>,
    caller: Caller,
    since: Timestamp,
}

impl Connection {
    /// A connection to a child of `server`, whose unasked messages go to `audience`; `catalogue` remembers its tools.
    pub(super) fn new(
        server: ServerName,
        outbox: Outbox,
        audience: Arc<Audience>,
        catalogue: Option<Arc<Catalogue>>,
        max_line: usize,
    ) -> Self {
        Self { server, outbox, audience, catalogue, max_line, calls: Mutex::default() }
    }

    /// Sends a request; `params` is told the id by which the child will know it.
    pub(super) async fn call<'a>(
        self: &Arc<Self>,
        method: &str,
        caller: Caller,
        now: Timestamp,
        params: impl FnOnce(u64) -> Option<Cow<'a, str>>,
    ) -> Result<Call, CallError> {
        let (answer, answered) = oneshot::channel();
        let (events, told) = mpsc::channel(MAX_EVENTS);
        let cancels = caller.cancels;
        let id = {
            let mut calls = self.calls();
            if let Some(how) = &calls.ended {
                return Err(CallError::Ended(Arc::clone(how)));
            }
            if calls.open.len() >= MAX_CALLS {
                return Err(CallError::Busy);
            }
            calls.last += 1;
            let id = calls.last;
            if let Origin::Session(session) = &caller.origin {
                session.begin(&caller.id, id, caller.hears.then(|| events.clone()));
            }
            calls.open.insert(id, OpenCall { answer, events, caller, since: now });
            id
        };
        let line = message::request(id, method, params(id).as_deref());
        // From here on it is taken back if this is abandoned or fails.
        let mut unsent = Unsent(Some((self, id)));
        match self.outbox.send(line).await {
            Ok(()) => {
                unsent.0 = None;
                Ok(Call::new(id, Arc::clone(self), told, answered, cancels))
            }
            Err(NotSent::Stuck) => Err(CallError::Stuck),
            Err(NotSent::Closed) => Err(CallError::Ended(self.how_it_ended())),
        }
    }

    /// Sends a notification, if the child reads.
    pub(super) async fn notify(&self, method: &str, params: Option<&str>) -> Result<(), CallError> {
        self.say(message::notification(method, params)).await
    }

    /// Answers a request of the child's.
    pub(super) async fn answer(&self, id: &str, outcome: Outcome<'_>) -> Result<(), CallError> {
        self.say(message::answer(id, outcome)).await
    }

    /// Tells the child that what it asked for is not to be had; not if it does not read.
    pub(super) fn refuse(&self, id: &str, code: i32, why: &str) {
        let error = message::error_object(code, why);
        let _ = self.outbox.try_send(message::answer(id, Outcome::Error(&error)));
    }

    async fn say(&self, line: Vec<u8>) -> Result<(), CallError> {
        self.outbox.send(line).await.map_err(|problem| match problem {
            NotSent::Stuck => CallError::Stuck,
            NotSent::Closed => CallError::Ended(self.how_it_ended()),
        })
    }

    /// Ends a request of a caller's, and tells the child.
    pub(super) fn cancel(&self, id: u64, reason: &str) {
        if let Some(open) = self.take(id) {
            let params = format!(r#"{{"requestId":{id},"reason":{}}}"#, super::object::quoted(reason));
            let _ = self.outbox.try_send(message::notification("notifications/cancelled", Some(&params)));
            let _ = open.answer.send(Err(CallError::Cancelled));
        }
    }

    /// Gives up a request without a word to the child, which may answer or not.
    pub(super) fn forget(&self, id: u64) {
        self.take(id);
    }

    /// From now on progress of a request is told under another token, which is JSON.
    pub(super) fn change_progress(&self, id: u64, token: Option<&str>) {
        if let Some(open) = self.calls().open.get_mut(&id) {
            open.caller.progress = open.caller.progress.take().and(token.map(Into::into));
        }
    }

    /// Closes the child's input after what was sent before.
    pub(super) fn end_input(&self) {
        self.outbox.end();
    }

    /// How many requests the child works on.
    pub(super) fn open_calls(&self) -> usize {
        self.calls().open.len()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&self) -> Option<Arc<str>> {
        self.calls().ended.clone()
    }

    fn how_it_ended(&self) -> Arc<str> {
        self.ended().unwrap_or_else(|| "it is ending".into())
    }

    /// The child is gone: so is every request.
    pub(super) fn finish(&self, how: &str) {
        let open = {
            let mut calls = self.calls();
            calls.ended = Some(how.into());
            std::mem::take(&mut calls.open)
        };
        for (id, open) in open {
            open.settle(id, Err(CallError::Ended(how.into())));
        }
    }

    /// Gives up the requests that were sent more than `patience` ago.
    pub(super) fn give_up_old(&self, now: Timestamp, patience: Duration) {
        let old: Vec<u64> = {
            let calls = self.calls();
            calls.open.iter().filter(|(_, open)| now.since(open.since) > patience).map(|(id, _)| *id).collect()
        };
        for id in old {
            if let Some(open) = self.take(id) {
                let params = format!(r#"{{"requestId":{id},"reason":"it took too long"}}"#);
                let _ = self.outbox.try_send(message::notification("notifications/cancelled", Some(&params)));
                open.settle(id, Err(CallError::TimedOut));
            }
        }
    }

    /// Takes a line of the child's.
    pub(super) fn hear(self: &Arc<Self>, line: &Bytes) {
        let Ok(text) = std::str::from_utf8(line) else { return self.noise(line) };
        let text = text.trim_ascii();
        if text.is_empty() {
            return;
        }
        if !text.starts_with(['{', '[']) {
            return self.noise(line);
        }
        let messages = message::read_line(text);
        if messages.is_empty() {
            return self.noise(line);
        }
        for json in messages {
            match message::read(json) {
                Some(Spoken::Answer { id, outcome }) => self.on_answer(id, outcome, line),
                Some(Spoken::Request { id, method, params }) => self.on_request(id, &method, params),
                Some(Spoken::Notification { method, params }) => self.on_notification(&method, params),
                None => self.noise(json.as_bytes()),
            }
        }
    }

    /// Takes what is left of a line that was too long.
    pub(super) fn hear_too_long(&self, head: &[u8], tail: &[u8]) {
        let whose = message::id_at_the_ends(head, tail).and_then(|id| Some((id, self.take(id)?)));
        let (server, limit, known) = (self.server.as_str(), self.max_line, whose.is_some());
        tracing::warn!(server, limit, known, "the child wrote a line that is too long; it was skipped");
        if let Some((id, open)) = whose {
            open.settle(id, Err(CallError::TooLong(limit)));
        }
    }

    fn noise(&self, line: &[u8]) {
        // Some programs print a banner. What the log gets of it is bounded by its level.
        tracing::debug!(server = self.server.as_str(), line = printable(line, 200), "the child wrote no message");
    }

    fn on_answer(&self, id: &str, outcome: Outcome<'_>, line: &Bytes) {
        let Some((id, open)) = id.parse().ok().and_then(|id| Some((id, self.take(id)?))) else {
            // Cancelled meanwhile, or never asked.
            return;
        };
        let reply = match outcome {
            Outcome::Result(text) => Reply::Result(line.slice_ref(text.as_bytes())),
            Outcome::Error(text) => Reply::Error(line.slice_ref(text.as_bytes())),
        };
        open.settle(id, Ok(reply));
    }

    fn on_request(self: &Arc<Self>, id: &str, method: &str, params: Option<&str>) {
        let (method, needed): (_, fn(&Abilities) -> bool) = match method {
            "ping" => {
                let _ = self.outbox.try_send(message::answer(id, Outcome::Result("{}")));
                return;
            }
            "sampling/createMessage" => ("sampling/createMessage", |can| can.sampling),
            "elicitation/create" => ("elicitation/create", |can| can.elicitation),
            "roots/list" => ("roots/list", |can| can.roots),
            _ => return self.refuse(id, -32601, "Method not found"),
        };
        if self.audience.is_shared() {
            // Nobody knows for which of its users it asks.
            return self.refuse(id, -32601, "This client cannot be asked: several people share this program");
        }
        let ask = Ask { id: id.into(), method, params: params.map(Into::into), connection: Arc::downgrade(self) };
        let unasked = match self.whom_to_ask(needed) {
            Some((Origin::Session(session), _)) => session.ask(ask),
            Some((Origin::Modern(_), events)) => {
                events.try_send(Event::Ask(ask)).map_err(|error| match error.into_inner() {
                    Event::Ask(ask) => ask,
                    Event::Message(_) => unreachable!("what was sent comes back"),
                })
            }
            _ => match self.audience.only_session().filter(|session| needed(&session.can())) {
                Some(session) => session.ask(ask),
                None => Err(ask),
            },
        };
        if let Err(ask) = unasked {
            self.refuse(&ask.id, -32601, "Method not found: no client that is connected offers this");
        }
    }

    /// The latest request whose sender can be asked: most likely the one that the child works on.
    fn whom_to_ask(&self, needed: fn(&Abilities) -> bool) -> Option<(Origin, mpsc::Sender<Event>)> {
        let calls = self.calls();
        let able = calls.open.iter().filter(|(_, open)| match &open.caller.origin {
            Origin::Nobody => false,
            Origin::Session(session) => needed(&session.can()),
            Origin::Modern(can) => needed(can) && !open.events.is_closed(),
        });
        able.max_by_key(|(id, _)| **id).map(|(_, open)| (open.caller.origin.clone(), open.events.clone()))
    }

    fn on_notification(&self, method: &str, params: Option<&str>) {
        if method == "notifications/tools/list_changed"
            && let Some(catalogue) = &self.catalogue
        {
            catalogue.forget(&self.server);
        }
        match method {
            "notifications/progress" => self.on_progress(params),
            "notifications/cancelled" => {
                let request =
                    params.and_then(Object::read).and_then(|params| Some(params.get("requestId")?.to_owned()));
                if let Some(request) = request {
                    self.audience.withdraw(&request, params);
                }
            }
            _ if self.on_subscription(method, params) => {}
            "notifications/message" => {
                if !self.audience.is_shared() {
                    let message = Bytes::from(message::notification(method, params));
                    let calls = self.calls();
                    for open in calls.open.values().filter(|open| open.caller.wants_log) {
                        let _ = open.events.try_send(Event::Message(message.clone()));
                    }
                    drop(calls);
                    self.audience.tell(method, params);
                }
            }
            _ => self.audience.tell(method, params),
        }
    }

    fn on_progress(&self, params: Option<&str>) {
        let Some(mut params) = params.and_then(Object::read) else { return };
        let Some(id) = params.get("progressToken").and_then(|token| token.parse::<u64>().ok()) else { return };
        let calls = self.calls();
        let Some((open, token)) = calls.open.get(&id).and_then(|open| Some((open, open.caller.progress.as_deref()?)))
        else {
            return;
        };
        params.set("progressToken", token);
        let message = message::notification("notifications/progress", Some(&params.to_json()));
        let _ = open.events.try_send(Event::Message(message.into()));
    }

    /// A modern child's notification on a subscription of a modern client's; its id becomes the client's again.
    fn on_subscription(&self, method: &str, params: Option<&str>) -> bool {
        let Some(mut params) = params.and_then(Object::read) else { return false };
        let Some(meta) = params.get("_meta").map(ToOwned::to_owned) else { return false };
        let Some(mut meta) = Object::read(&meta) else { return false };
        let Some(id) = meta.get(SUBSCRIPTION_ID).and_then(|id| id.parse::<u64>().ok()) else { return false };
        let calls = self.calls();
        if let Some(open) = calls.open.get(&id) {
            meta.set(SUBSCRIPTION_ID, &*open.caller.id);
            let meta = meta.to_json();
            params.set("_meta", meta);
            let _ = open.events.try_send(Event::Message(message::notification(method, Some(&params.to_json())).into()));
        }
        true
    }

    fn take(&self, id: u64) -> Option<OpenCall> {
        let open = self.calls().open.remove(&id)?;
        if let Origin::Session(session) = &open.caller.origin {
            session.finished(&open.caller.id, id);
        }
        Some(open)
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenCall {
    fn settle(self, id: u64, end: Result<Reply, CallError>) {
        if let Origin::Session(session) = &self.caller.origin {
            session.finished(&self.caller.id, id);
        }
        // Whoever asked may have gone.
        let _ = self.answer.send(end);
    }
}

/// A request that waits for room.
struct Unsent<'a>(Option<(&'a Arc<Connection>, u64)>);

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        if let Some((connection, id)) = self.0 {
            connection.take(id);
        }
    }
}

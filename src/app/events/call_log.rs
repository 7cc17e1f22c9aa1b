//! How are calls told without a disk write a call? Whoever has answered one puts it into a bounded queue and goes on; every
//! few seconds the queue becomes lines.
//!
//! Putting takes no lock that anybody holds while writing, and never waits: what finds no room is counted, and the count is a
//! line of its own. Counts of each server are never dropped. A crash loses what was not yet written: some seconds of calls.

use crate::access::ServerName;
use crate::app::App;
use crate::app::error::OperationError;
use crate::app::events::refusals::Refusals;
use crate::app::live::LiveUser;
use crate::clock::{Timestamp, minutes};
use crate::event::{Actor, CallFacts, CallOutcome, Event, EventKind, Named, Refusal, ServerDays, day_of};
use crate::id::{GrantId, TokenId, UserId};
use crate::oauth::client::ClientId;
use crate::store::tables::{CLIENTS, EVENTS, PERSONAL_TOKENS, SERVER_DAYS};
use crate::store::{Reads, StoreError, WriteTx};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What waits to be written at most: with a flush every 5 seconds, 800 calls a second are told one by one.
const CAPACITY: usize = 4_096;
/// Lines of one transaction.
const AT_ONCE: usize = 512;
/// The count of what was dropped is a line once in this time.
const DROPPED_EVERY: Duration = minutes(10);
/// Servers whose counts are kept in memory at once.
const MOST_SERVERS: usize = 10_000;

/// A call that was answered.
#[derive(Debug)]
pub struct Called {
    /// When it came.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub millis: u32,
    /// Whose token it was.
    pub user: (UserId, Arc<LiveUser>),
    /// Which token.
    pub token: TokenId,
    /// The client and the grant, for an access token.
    pub connection: Option<(ClientId, GrantId)>,
    /// The server that was called, by name.
    pub server: ServerName,
    /// The tool's name.
    pub tool: Box<str>,
    /// How it ended.
    pub outcome: CallOutcome,
    /// From where.
    pub address: Option<IpAddr>,
}

#[derive(Debug)]
enum Waiting {
    Call(Called),
    Refusal(Box<Refusal>),
}

/// What waits to be written, and what was counted.
#[derive(Debug)]
pub struct CallLog {
    sender: SyncSender<Waiting>,
    receiver: Mutex<Receiver<Waiting>>,
    dropped: AtomicU64,
    dropped_told_at: AtomicU64,
    servers: Servers,
    /// The last refusals.
    pub refusals: Refusals,
}

struct Servers(papaya::HashMap<String, Arc<ServerCell>>);

impl std::fmt::Debug for Servers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Servers")
    }
}

#[derive(Debug, Default)]
struct ServerCell {
    calls: AtomicU32,
    failures: AtomicU32,
    refusals: AtomicU32,
}

/// What happened at a server since it was written last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServerCounts {
    /// Calls of tools.
    pub calls: u32,
    /// Of these, those that failed.
    pub failures: u32,
    /// Requests with a genuine token that were refused.
    pub refusals: u32,
}

impl Default for CallLog {
    fn default() -> Self {
        let (sender, receiver) = sync_channel(CAPACITY);
        Self {
            sender,
            receiver: Mutex::new(receiver),
            dropped: AtomicU64::new(0),
            dropped_told_at: AtomicU64::new(0),
            servers: Servers(papaya::HashMap::new()),
            refusals: Refusals::default(),
        }
    }
}

impl CallLog {
    /// Takes a call. Never waits.
    pub fn called(&self, call: Called) {
        let failed = u32::from(call.outcome != CallOutcome::Answered);
        self.count(call.server.as_str(), ServerCounts { calls: 1, failures: failed, refusals: 0 });
        self.put(Waiting::Call(call));
    }

    /// Takes a refusal. Never waits.
    pub fn refused(&self, refusal: Refusal) {
        let refusal = refusal.bounded();
        if refusal.owner.is_some() {
            self.count(&refusal.server, ServerCounts { refusals: 1, ..ServerCounts::default() });
        }
        if self.refusals.note(refusal.clone()) {
            self.put(Waiting::Refusal(Box::new(refusal)));
        }
    }

    fn put(&self, waiting: Waiting) {
        if self.sender.try_send(waiting).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn count(&self, server: &str, counts: ServerCounts) {
        let servers = self.servers.0.pin();
        let cell = match servers.get(server) {
            Some(cell) => cell,
            None if servers.len() < MOST_SERVERS => servers.get_or_insert(server.to_owned(), Arc::default()),
            None => return,
        };
        cell.calls.fetch_add(counts.calls, Ordering::Relaxed);
        cell.failures.fetch_add(counts.failures, Ordering::Relaxed);
        cell.refusals.fetch_add(counts.refusals, Ordering::Relaxed);
    }

    /// What was counted of a server and is not written yet.
    pub fn unwritten_of(&self, server: &str) -> ServerCounts {
        self.servers.0.pin().get(server).map(|cell| cell.counts()).unwrap_or_default()
    }

    /// Lets go of the counts of a server that is removed.
    pub fn forget_server(&self, server: &str) {
        self.servers.0.pin().remove(server);
    }

    /// What waits, as much as there was room for.
    fn take(&self) -> Vec<Waiting> {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
        receiver.try_iter().take(CAPACITY).collect()
    }

    /// What found no room since it was told last, if it is time to tell.
    fn take_dropped(&self, now: Timestamp, is_last: bool) -> Option<u32> {
        let told_at = Timestamp::from_unix_millis(self.dropped_told_at.load(Ordering::Relaxed));
        if self.dropped.load(Ordering::Relaxed) == 0
            || !(is_last || now < told_at || now.since(told_at) >= DROPPED_EVERY)
        {
            return None;
        }
        self.dropped_told_at.store(now.unix_millis(), Ordering::Relaxed);
        Some(u32::try_from(self.dropped.swap(0, Ordering::Relaxed)).unwrap_or(u32::MAX))
    }

    fn unwritten_servers(&self) -> Vec<(String, ServerCounts)> {
        let servers = self.servers.0.pin();
        let counted = servers.iter().map(|(name, cell)| (name.clone(), cell.counts()));
        counted.filter(|(_, counts)| *counts != ServerCounts::default()).collect()
    }

    fn written_servers(&self, written: &[(String, ServerCounts)]) {
        let servers = self.servers.0.pin();
        for (name, counts) in written {
            if let Some(cell) = servers.get(name) {
                cell.calls.fetch_sub(counts.calls, Ordering::Relaxed);
                cell.failures.fetch_sub(counts.failures, Ordering::Relaxed);
                cell.refusals.fetch_sub(counts.refusals, Ordering::Relaxed);
            }
        }
    }
}

impl ServerCell {
    fn counts(&self) -> ServerCounts {
        ServerCounts {
            calls: self.calls.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            refusals: self.refusals.load(Ordering::Relaxed),
        }
    }
}

impl App {
    /// Writes the calls, refusals and counts that are only in memory. Each transaction is small, so that nobody waits long
    /// for the writer.
    pub fn flush_events(&self) -> Result<(), OperationError> {
        self.flush_lines(false)?;
        self.flush_servers()
    }

    /// The same at the end of the program: nothing is held back for later.
    pub(in crate::app) fn flush_last_events(&self) -> Result<(), OperationError> {
        self.flush_lines(true)?;
        self.flush_servers()
    }

    fn flush_lines(&self, is_last: bool) -> Result<(), OperationError> {
        let (now, calls) = (self.now(), self.live.calls());
        let waiting = calls.take();
        let mut told: Vec<(Timestamp, Event)> =
            self.repeats.due(now, is_last).into_iter().map(|event| (now, event)).collect();
        if let Some(dropped) = calls.take_dropped(now, is_last) {
            tracing::warn!(dropped, "calls were counted and not logged one by one: there were too many at once");
            let event = Event { by: Actor::Keyward, ..Event::of(EventKind::CallsNotLogged) };
            told.push((now, event.times(dropped)));
        }
        let traffic = u64::try_from(waiting.len()).unwrap_or(u64::MAX);
        let mut waiting = waiting.into_iter();
        loop {
            let some: Vec<Waiting> = waiting.by_ref().take(AT_ONCE).collect();
            let (pen, told) = (self.pen(), std::mem::take(&mut told));
            if some.is_empty() && told.is_empty() {
                break;
            }
            let written = self.store.write(move |tx| {
                for (at, event) in told {
                    pen.write_as_told(tx, at, event)?;
                }
                let mut names = Names::default();
                for one in some {
                    let (at, event) = names.line(tx, one)?;
                    pen.write_as_told(tx, at, event)?;
                }
                Ok::<_, OperationError>(())
            });
            if written.is_err() {
                let lost = u64::try_from(waiting.len()).unwrap_or(u64::MAX);
                calls.dropped.fetch_add(lost, Ordering::Relaxed);
            }
            written?;
        }
        self.note_calls_written(traffic);
        Ok(())
    }

    fn flush_servers(&self) -> Result<(), OperationError> {
        let counted = self.live.calls().unwritten_servers();
        if counted.is_empty() {
            return Ok(());
        }
        let (today, written) = (day_of(self.now()), counted.clone());
        self.store.write(move |tx| {
            for (name, counts) in &counted {
                let mut days = tx.get(SERVER_DAYS, name.as_str())?.unwrap_or_default();
                add(&mut days, today, *counts);
                tx.put(SERVER_DAYS, name.as_str(), &days)?;
            }
            Ok::<_, OperationError>(())
        })?;
        self.live.calls().written_servers(&written);
        Ok(())
    }

    /// Calls, failures and refusals at a server over the last days, what was counted a moment ago included.
    pub fn server_days(&self, server: &str) -> Result<ServerDays, OperationError> {
        let mut days = self.store.read(|tx| tx.get(SERVER_DAYS, server))?.unwrap_or_default();
        add(&mut days, day_of(self.now()), self.live.calls().unwritten_of(server));
        Ok(days)
    }

    /// How many lines the log has.
    pub fn event_count(&self) -> Result<usize, OperationError> {
        self.store.read(|tx| Ok(tx.count(EVENTS, crate::store::Scan::all())?))
    }
}

fn add(days: &mut ServerDays, today: u32, counts: ServerCounts) {
    days.calls.add(today, counts.calls);
    days.failures.add(today, counts.failures);
    days.refusals.add(today, counts.refusals);
}

/// Names that the lines of one transaction need, each looked up once.
#[derive(Default)]
struct Names {
    clients: BTreeMap<String, String>,
    tokens: HashMap<TokenId, String>,
}

impl Names {
    fn line(&mut self, tx: &WriteTx, waiting: Waiting) -> Result<(Timestamp, Event), StoreError> {
        match waiting {
            Waiting::Call(call) => {
                let (user, name) = call.user;
                let user = Named::new(user, &name.name);
                let event = Event::of(EventKind::Called).server(call.server.as_str()).from(call.address);
                let event = match &call.connection {
                    Some((client, grant)) => event
                        .client(client.as_str(), &self.client(tx, client.as_str())?)
                        .grant(*grant)
                        .token(call.token, ""),
                    None => event.token(call.token, &self.token(tx, call.token)?),
                };
                let facts = Some(CallFacts {
                    tool: Named::new((), &call.tool).name,
                    outcome: call.outcome,
                    millis: call.millis,
                });
                Ok((call.at, Event { by: Actor::User(user), call: facts, ..event }))
            }
            Waiting::Refusal(refusal) => {
                let mut event = Event::of(EventKind::Refused).server(&refusal.server).from(refusal.address);
                if let Some(client) = &refusal.client {
                    event = event.client(client, &self.client(tx, client)?);
                }
                if let Some(token) = refusal.token {
                    event = event.token(token, &self.token(tx, token)?);
                }
                let (asked, at) = (refusal.asked_for.unwrap_or_default(), refusal.at);
                let (user, grant, because) = (refusal.owner, refusal.grant, Some(refusal.because));
                Ok((at, Event { user, grant, refused: because, times: 1, ..event }.note(&asked)))
            }
        }
    }

    fn client(&mut self, tx: &WriteTx, id: &str) -> Result<String, StoreError> {
        if let Some(name) = self.clients.get(id) {
            return Ok(name.clone());
        }
        let name = tx.get(CLIENTS, id)?.map(|client| client.display_name().to_owned()).unwrap_or_default();
        self.clients.insert(id.to_owned(), name.clone());
        Ok(name)
    }

    fn token(&mut self, tx: &WriteTx, id: TokenId) -> Result<String, StoreError> {
        if let Some(name) = self.tokens.get(&id) {
            return Ok(name.clone());
        }
        let name = tx.get(PERSONAL_TOKENS, &id)?.map(|token| token.name.to_string()).unwrap_or_default();
        self.tokens.insert(id, name.clone());
        Ok(name)
    }
}

//! Which child serves these callers now? A place for one child after another: started when it is needed, again after a crash,
//! ended when nobody needs it.
//!
//! Invariants: at most one child at a time; those who need it at once wait for one start; a start goes on when whoever needed
//! it has gone; after a failure nobody waits, everybody is told.

use crate::clock::Timestamp;
use crate::gateway::stdio::audience::Audience;
use crate::gateway::stdio::call::Told;
use crate::gateway::stdio::handshake::Hello;
use crate::gateway::stdio::inquiry::Known;
use crate::gateway::stdio::pool::Pool;
use crate::gateway::stdio::running::Running;
use crate::gateway::stdio::trouble::{Failing, Trouble};
use crate::id::UserId;
use crate::mcp::Era;
use axum::http::StatusCode;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;

/// Whom a child serves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum SlotKey {
    /// Everybody.
    Shared,
    /// One user's clients of one era that can be asked for the same: their capabilities, as JSON.
    User(UserId, Era, Box<str>),
    /// One session.
    Session(UserId, Box<str>),
}

impl SlotKey {
    /// The user, if it is one.
    pub(super) const fn user(&self) -> Option<UserId> {
        match self {
            Self::Shared => None,
            Self::User(user, ..) | Self::Session(user, _) => Some(*user),
        }
    }
}

/// Why there is no child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unavailable {
    /// It failed, and is not tried again yet.
    Failing(Failing),
    /// It failed just now; how often in a row, and why.
    Failed(u32),
    /// There are as many children as there may be.
    Full(usize),
    /// It belonged to a session, and is gone.
    SessionLost,
    /// Keyward is stopping.
    Stopping,
}

impl Unavailable {
    /// As what a client is told. Why a program fails is in the log.
    pub(super) fn told(&self) -> Told {
        let (status, message) = match self {
            Self::Failing(Failing { failures, again_in, .. }) => {
                let seconds = again_in.as_secs() + 1;
                let message = format!(
                    "The program behind this server fails: {failures} times in a row. It is tried again in {seconds} seconds; \
                     Keyward's log says why it fails."
                );
                (StatusCode::BAD_GATEWAY, message)
            }
            Self::Failed(failures) => {
                let message = format!(
                    "The program behind this server cannot be started ({failures} times in a row). Keyward's log says why."
                );
                (StatusCode::BAD_GATEWAY, message)
            }
            Self::Full(limit) => {
                let message = format!(
                    "All {limit} programs that may run at once are in use. Try again later, or raise the limit."
                );
                (StatusCode::SERVICE_UNAVAILABLE, message)
            }
            Self::SessionLost => {
                (StatusCode::NOT_FOUND, "The program of this session has ended. Begin a new session.".to_owned())
            }
            Self::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "Keyward is stopping.".to_owned()),
        };
        Told::http(status, message)
    }
}

/// A place for a child.
#[derive(Debug)]
pub(super) struct Slot {
    key: SlotKey,
    hello: Hello,
    audience: Arc<Audience>,
    current: Mutex<Option<Arc<Running>>>,
    trouble: Arc<tokio::sync::Mutex<Trouble>>,
    starts: AtomicU32,
    last_used: AtomicU64,
}

impl Slot {
    pub(super) fn new(key: SlotKey, hello: Hello, now: Timestamp) -> Self {
        let audience = Arc::new(Audience::new(key == SlotKey::Shared));
        let last_used = AtomicU64::new(now.unix_millis());
        let (current, trouble, starts) = (Mutex::default(), Arc::default(), AtomicU32::new(0));
        Self { key, hello, audience, current, trouble, starts, last_used }
    }

    /// Whom it serves.
    pub(super) const fn key(&self) -> &SlotKey {
        &self.key
    }

    /// Who hears what the child says unasked.
    pub(super) const fn audience(&self) -> &Arc<Audience> {
        &self.audience
    }

    /// The child, started if need be.
    pub(super) async fn running(self: &Arc<Self>, pool: &Arc<Pool>) -> Result<Arc<Running>, Unavailable> {
        self.touch(pool.now());
        if let Some(running) = self.alive() {
            return Ok(running);
        }
        let guard = Arc::clone(&self.trouble).lock_owned().await;
        if let Some(running) = self.alive() {
            return Ok(running);
        }
        let (slot, pool) = (Arc::clone(self), Arc::clone(pool));
        // On its own: whoever needs it may go away before a slow program has started.
        let started = tokio::spawn(async move { slot.start(&pool, guard).await });
        started.await.unwrap_or(Err(Unavailable::Stopping))
    }

    async fn start(
        self: Arc<Self>,
        pool: &Arc<Pool>,
        mut trouble: OwnedMutexGuard<Trouble>,
    ) -> Result<Arc<Running>, Unavailable> {
        if let Some(dead) = self.take() {
            if let SlotKey::Session(..) = self.key {
                // Nobody but its session has need of it, and what the session knew is gone.
                *self.current() = Some(dead);
                return Err(Unavailable::SessionLost);
            }
            if let Some(ended) = dead.ended() {
                trouble.ended(ended.how.to_string(), dead.started_at(), ended.at);
            }
        }
        let now = pool.now();
        trouble.check(now).map_err(Unavailable::Failing)?;
        pool.may_start(now)?;
        let is_first = self.hello.era == Era::Modern && pool.inquiry().known() == Known::Nothing;
        let mut started = self.start_child(pool).await?;
        if is_first && started.is_err() && pool.inquiry().known() == Known::Legacy {
            // It has ended when it was asked something, as programs of the legacy era may; or else it does not run at all.
            started = self.start_child(pool).await?;
            if started.is_err() {
                pool.inquiry().learn(Known::Nothing);
            }
        }
        match started {
            Ok(running) => {
                pool.did_start();
                self.starts.fetch_add(1, Ordering::Relaxed);
                let running = Arc::new(running);
                *self.current() = Some(Arc::clone(&running));
                self.touch(pool.now());
                Ok(running)
            }
            Err(why) => Err(pool.did_not_start(why)),
        }
    }

    async fn start_child(self: &Arc<Self>, pool: &Arc<Pool>) -> Result<Result<Running, String>, Unavailable> {
        let place = pool.place(self).await?;
        let (host, server, upstream) = (pool.host(), pool.server(), pool.upstream());
        Ok(Running::start(host, server, upstream, &self.hello, &self.audience, pool.inquiry(), place).await)
    }

    /// The child, if there is one and it lives.
    pub(super) fn alive(&self) -> Option<Arc<Running>> {
        self.current().clone().filter(|running| running.connection().ended().is_none())
    }

    /// The child that there is or was.
    pub(super) fn latest(&self) -> Option<Arc<Running>> {
        self.current().clone()
    }

    /// Takes the child out, so that its end is no failure.
    pub(super) fn take(&self) -> Option<Arc<Running>> {
        self.current().take()
    }

    /// How often a child was started here.
    pub(super) fn starts(&self) -> u32 {
        self.starts.load(Ordering::Relaxed)
    }

    /// What is wrong, if it can be told at once.
    pub(super) fn trouble(&self, now: Timestamp) -> Option<Failing> {
        self.trouble.try_lock().ok()?.state(now)
    }

    /// Whether a child is being started.
    pub(super) fn is_starting(&self) -> bool {
        self.trouble.try_lock().is_err()
    }

    /// Notes that it is needed.
    pub(super) fn touch(&self, now: Timestamp) {
        self.last_used.store(now.unix_millis(), Ordering::Relaxed);
    }

    /// When it was needed last.
    pub(super) fn last_used(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.last_used.load(Ordering::Relaxed))
    }

    /// Whether nobody has needed its child for this long, and nobody waits for anything of it.
    pub(super) fn is_idle(&self, now: Timestamp, idle: Duration) -> bool {
        now.since(self.last_used()) >= idle
            && !self.is_starting()
            && !self.audience.has_subscribers()
            && self.alive().is_none_or(|running| running.connection().open_calls() == 0)
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Option<Arc<Running>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

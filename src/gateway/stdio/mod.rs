//! How does a program that is an MCP server on its standard input and output become one that many clients reach over HTTP?
//!
//! A request finds its server's `pool`, there the `slot` of whom it serves, and in it the child that runs now. Clients of
//! both eras of the protocol are served, whichever era the child speaks.
//!
//! | File | Question |
//! | --- | --- |
//! | [`supervisor`] | What makes sure that nothing outlives Keyward? |
//! | `child` | How does a command become a process? |
//! | `framing` | Where does a message of a child end? |
//! | `object` | How is one member of a JSON object changed while all others stay as they were written? |
//! | `message` | What does a child say, and how is it spoken to? |
//! | `outbox` | How do messages get in without anybody waiting for whoever else speaks? |
//! | `call` | What becomes of one request? |
//! | `connection` | How do many callers speak over one pair of pipes? |
//! | `audience` | Who hears what a child says without having been asked? |
//! | `session` | What does a client of the legacy era have here between its requests? |
//! | `inquiry` | Is a child asked whether it speaks the modern era, before it is greeted in the legacy one? |
//! | `handshake` | Which era does a child speak, and what does it offer? |
//! | `running` | What belongs to one running child? |
//! | `trouble` | May a child be started again now, after it failed? |
//! | `slot` | Which child serves these callers now? |
//! | `pool` | Which children, and which sessions, does one server have? |
//! | `stream` | How does an answer reach the client? |
//! | `exchange` | How does one request of a client go through a child and back? |
//! | `suspended` | How does a child ask a client of the modern era? |
//! | `legacy`, `modern` | How is a client of that era served? |
//! | `subscription` | How is a client of the modern era told of changes? |
//! | `endpoint` | Which of them answers a request? |
//! | `probe` | Does a program answer as an MCP server? |
//! | `view` | What can an admin see of the children? |

pub mod supervisor;
mod child;
mod framing;
mod object;
mod message;
mod outbox;
mod call;
mod connection;
mod audience;
mod session;
mod inquiry;
mod handshake;
mod running;
mod trouble;
mod slot;
mod pool;
mod stream;
mod exchange;
mod suspended;
mod legacy;
mod modern;
mod subscription;
mod endpoint;
mod probe;
mod view;

pub use crate::wire::server_insight::{ChildState, ChildView};
pub use view::ChildrenView;

pub(in crate::gateway) use framing::printable;

use crate::access::{ServerKind, ServerName, StdioUpstream};
use crate::app::App;
use crate::gateway::catalogue::Catalogue;
use pool::Pool;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// How often the children are looked at that nobody uses.
const SWEEP: Duration = Duration::from_secs(1);

/// What holds for the children of all servers.
#[derive(Debug, Clone)]
pub struct StdioOptions {
    /// The program that supervises each child: Keyward.
    pub launcher: PathBuf,
    /// Most children of all servers together.
    pub max_children: usize,
    /// Longest message of a child, in bytes.
    pub max_line: usize,
    /// Most bytes that wait for a child to read them.
    pub max_queue: usize,
    /// How long a child may take to start and to answer its greeting. Some are downloaded first.
    pub start_patience: Duration,
    /// How long a request waits for a child that does not read.
    pub patience: Duration,
    /// How long a request may take.
    pub call_patience: Duration,
    /// How long a child may take to end, before it is killed; longer than its supervisor takes.
    pub end_patience: Duration,
}

impl Default for StdioOptions {
    fn default() -> Self {
        Self {
            launcher: supervisor::own_program(),
            max_children: 64,
            max_line: 16 * 1024 * 1024,
            max_queue: 8 * 1024 * 1024,
            start_patience: Duration::from_mins(1),
            patience: Duration::from_secs(30),
            call_patience: Duration::from_mins(30),
            end_patience: 2 * supervisor::PATIENCE + Duration::from_secs(1),
        }
    }
}

/// The servers that are programs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StdioServers {
    host: Arc<Host>,
    pools: Arc<Pools>,
    is_swept: Arc<AtomicBool>,
}

type Pools = RwLock<HashMap<ServerName, Arc<Pool>>>;

/// What all of them share.
#[derive(Debug)]
struct Host {
    app: Arc<App>,
    options: StdioOptions,
    places: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
    /// Those of all servers, which hold this.
    pools: Weak<Pools>,
    /// What is forgotten when a child says that its tools have changed, whether or not anybody listens.
    catalogue: OnceLock<Arc<Catalogue>>,
}

impl Host {
    /// The children of every server.
    fn pools(&self) -> Vec<Arc<Pool>> {
        let Some(pools) = self.pools.upgrade() else { return Vec::new() };
        pools.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// A child's place among the children of its server and among all.
#[derive(Debug)]
struct Place {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Place {
    fn take(own: &Arc<Semaphore>, all: &Arc<Semaphore>) -> Option<Self> {
        let own = Arc::clone(own).try_acquire_owned().ok()?;
        Some(Self::of(own, Arc::clone(all).try_acquire_owned().ok()?))
    }

    const fn of(own: OwnedSemaphorePermit, all: OwnedSemaphorePermit) -> Self {
        Self { _own: own, _all: all }
    }
}

impl StdioServers {
    /// No children yet.
    pub fn new(app: Arc<App>, options: StdioOptions) -> Self {
        let places = Arc::new(Semaphore::new(options.max_children));
        let (stopping, pools) = (watch::Sender::new(false), Arc::<Pools>::default());
        let (of_all, catalogue) = (Arc::downgrade(&pools), OnceLock::new());
        let host = Host { app, options, places, stopping, pools: of_all, catalogue };
        Self { host: Arc::new(host), pools, is_swept: Arc::default() }
    }

    /// Has what `catalogue` remembers of a server forgotten when its child says that its tools have changed. Once only.
    pub(in crate::gateway) fn tell_of_changes(&self, catalogue: &Arc<Catalogue>) {
        let _ = self.host.catalogue.set(Arc::clone(catalogue));
    }

    /// Nothing new from now on; streams that wait for news end, so that nobody waits for them.
    pub fn begin_stop(&self) {
        self.host.stopping.send_replace(true);
    }

    /// Ends every child. Waits until all are gone.
    pub async fn stop(&self) {
        self.begin_stop();
        let pools: Vec<_> = {
            let mut pools = self.pools.write().unwrap_or_else(PoisonError::into_inner);
            pools.drain().map(|(_, pool)| pool).collect()
        };
        let ending: Vec<_> = pools.into_iter().map(|pool| tokio::spawn(async move { pool.stop().await })).collect();
        for one in ending {
            let _ = one.await;
        }
    }

    /// The children of a server that is `upstream` now. What it was before ends.
    fn pool(&self, server: &ServerName, upstream: &StdioUpstream) -> Arc<Pool> {
        let found = self.pools.read().unwrap_or_else(PoisonError::into_inner).get(server).cloned();
        if let Some(pool) = found.filter(|pool| pool.upstream().is_same_program(upstream)) {
            return pool;
        }
        let pool = Arc::new(Pool::new(Arc::clone(&self.host), server.clone(), upstream.clone()));
        let before = {
            let mut pools = self.pools.write().unwrap_or_else(PoisonError::into_inner);
            match pools.get(server) {
                Some(known) if known.upstream().is_same_program(upstream) => return Arc::clone(known),
                _ => pools.insert(server.clone(), Arc::clone(&pool)),
            }
        };
        if let Some(before) = before {
            tokio::spawn(async move { before.stop().await });
        }
        if !self.is_swept.swap(true, Ordering::Relaxed) {
            self.sweep_until_dropped();
        }
        pool
    }

    fn sweep_until_dropped(&self) {
        let (pools, host) = (Arc::downgrade(&self.pools), Arc::downgrade(&self.host));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                let (Some(pools), Some(host)) = (pools.upgrade(), host.upgrade()) else { return };
                let all: Vec<_> = pools.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
                let servers = host.app.live().servers();
                for pool in all {
                    // A server that was switched off, removed or changed has no use for its children.
                    let upstream = servers.by_name(pool.server()).map(|server| &server.kind);
                    match upstream {
                        Some(ServerKind::Stdio(now)) if pool.upstream().is_same_program(now) => {
                            pool.sweep(host.app.now());
                        }
                        _ => Self::forget(&pools, &pool),
                    }
                }
            }
        });
    }
}

impl StdioServers {
    /// Ends the children of a server that is no longer there.
    fn forget(pools: &Pools, pool: &Arc<Pool>) {
        let mut pools = pools.write().unwrap_or_else(PoisonError::into_inner);
        if pools.get(pool.server()).is_some_and(|known| Arc::ptr_eq(known, pool)) {
            pools.remove(pool.server());
        }
        let pool = Arc::clone(pool);
        tokio::spawn(async move { pool.stop().await });
    }
}

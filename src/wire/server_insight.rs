//! What do pages show of the guarded servers that only the gateway knows? Seen through [`ServerInsight`], so that the modules
//! of pages and of the gateway do not know each other.
//!
//! Everything in these types is ready to be shown as text: names that servers gave, and sentences of ours. Nothing else of
//! what a server said is in them, so that a test of a connection shows nobody what an address inside answers.

use crate::access::{ChildMode, Effect, GuardedServer, ServerName};
use crate::clock::Timestamp;
use crate::id::UserId;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Most tools of one server that are remembered and shown.
pub const MAX_TOOLS: usize = 300;

/// What the gateway knows.
pub trait ServerInsight: fmt::Debug + Send + Sync {
    /// The tools that a server told when it was asked last: to `user`, or to anybody.
    fn tools(&self, server: &GuardedServer, user: Option<UserId>) -> Option<Arc<ToolsHeard>>;

    /// The programs of a server that is one. Reads `/proc`: not for every request.
    fn children(&self, server: &ServerName) -> Vec<ChildView>;

    /// Greets a server that need not be guarded yet, as the gateway would, and asks for its tools.
    fn test(&self, server: Arc<GuardedServer>, by: Tester) -> Testing<'_>;
}

/// A test that goes on.
pub type Testing<'a> = Pin<Box<dyn Future<Output = Result<Greeting, TestFailure>> + Send + 'a>>;

/// Who tests, and for how long.
#[derive(Debug, Clone)]
pub struct Tester {
    /// An admin.
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// How long they wait at most.
    pub patience: Duration,
}

/// What a server told of its tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolsHeard {
    /// When.
    pub at: Timestamp,
    /// Whether these are all.
    pub whole: bool,
    /// The tools, in the server's order.
    pub tools: Vec<HeardTool>,
}

/// What a server told of one tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeardTool {
    /// Its name.
    pub name: String,
    /// Its name for people, if that is known.
    pub title: Option<String>,
    /// Whether it changes nothing.
    pub effect: Effect,
    /// Its other annotations, if they are known: whether it may destroy something, whether doing it twice is doing it once,
    /// whether it reaches out into the world.
    pub hints: Hints,
}

/// Annotations of a tool (MCP 2026-07-28, tools); hints, which nobody has checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hints {
    /// `destructiveHint`.
    pub destructive: Option<bool>,
    /// `idempotentHint`.
    pub idempotent: Option<bool>,
    /// `openWorldHint`.
    pub open_world: Option<bool>,
}

/// How a server greeted us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// What it calls itself.
    pub name: String,
    /// Its own version; may be empty.
    pub version: String,
    /// The revision of the protocol that it speaks with us.
    pub revision: String,
    /// Its tools; none if it says that it has none to offer.
    pub tools: Option<ToolsHeard>,
}

/// Why a server could not be greeted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestFailure {
    /// What happened, in a sentence.
    pub happened: String,
    /// What to do next, in a sentence or two.
    pub advice: String,
}

impl TestFailure {
    /// A failure in two texts.
    pub fn new(happened: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { happened: happened.into(), advice: advice.into() }
    }
}

/// One child of a server that is a program, or the place of one.
#[derive(Debug, Clone)]
pub struct ChildView {
    /// Its server.
    pub server: ServerName,
    /// Who shares it.
    pub mode: ChildMode,
    /// Whom it serves; nobody in particular if all share it.
    pub user: Option<UserId>,
    /// How it is.
    pub state: ChildState,
    /// How often it was started again.
    pub restarts: u32,
    /// When anybody needed it last.
    pub last_used: Timestamp,
    /// What it said last on standard error.
    pub last_complaint: Option<String>,
}

/// How a child is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChildState {
    /// It is being started.
    Starting,
    /// It runs.
    Running {
        /// Its process group.
        pid: u32,
        /// Since when.
        since: Timestamp,
        /// Memory of the whole group in bytes, and its processes, where the system tells.
        memory: Option<(u64, usize)>,
        /// Requests it works on.
        calls: usize,
    },
    /// It fails.
    Failing {
        /// How often in a row.
        failures: u32,
        /// Why.
        why: String,
        /// When it may be tried again.
        again_in: Duration,
    },
    /// Nobody needs it.
    Stopped,
}

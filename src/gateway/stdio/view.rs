//! What can an admin see of the children? Who is served by which, in which state, how large it is, and what it said last.

use crate::gateway::stdio::StdioServers;
use crate::gateway::stdio::child::memory_of;
use crate::gateway::stdio::pool::Pool;
use crate::gateway::stdio::slot::Slot;
use crate::wire::server_insight::{ChildState, ChildView};
use std::sync::PoisonError;

/// The children of all servers at one moment.
#[derive(Debug, Clone)]
pub struct ChildrenView {
    /// Each of them, by server and age.
    pub children: Vec<ChildView>,
    /// How many run.
    pub running: usize,
    /// How many may run.
    pub limit: usize,
    /// Open sessions of legacy clients.
    pub sessions: usize,
}

impl StdioServers {
    /// The children now. Reads `/proc`: not for every request.
    pub fn view(&self) -> ChildrenView {
        let pools: Vec<_> = self.pools.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let mut children: Vec<_> =
            pools.iter().flat_map(|pool| pool.all_slots().into_iter().map(|slot| child(pool, &slot))).collect();
        children.sort_by(|a, b| a.server.cmp(&b.server).then(a.user.cmp(&b.user)));
        let limit = self.host.options.max_children;
        let running = limit.saturating_sub(self.host.places.available_permits());
        let sessions = pools.iter().map(|pool| pool.session_count()).sum();
        ChildrenView { children, running, limit, sessions }
    }
}

fn child(pool: &Pool, slot: &Slot) -> ChildView {
    let now = pool.now();
    let latest = slot.latest();
    let failing = slot.trouble(now).or_else(|| pool.trouble(now));
    let state = match (slot.alive(), failing) {
        (Some(running), _) => ChildState::Running {
            pid: running.pid(),
            since: running.started_at(),
            memory: memory_of(running.pid()),
            calls: running.connection().open_calls(),
        },
        (None, _) if slot.is_starting() => ChildState::Starting,
        (None, Some(failing)) => {
            ChildState::Failing { failures: failing.failures, why: failing.why, again_in: failing.again_in }
        }
        (None, None) => ChildState::Stopped,
    };
    ChildView {
        server: pool.server().clone(),
        mode: pool.upstream().mode,
        user: slot.key().user(),
        state,
        restarts: slot.starts().saturating_sub(1),
        last_used: slot.last_used(),
        last_complaint: latest.map(|running| running.complaint().into_string()).filter(|said| !said.is_empty()),
    }
}

//! Where do jobs wait for the writer? In a bounded queue that hands over everything that waits, as one group.
//!
//! Nobody waits for ever: a full queue refuses after [`WAIT_FOR_ROOM`], a closed one at once.

use super::error::Unavailable;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many items may wait.
pub(super) const CAPACITY: usize = 1024;
/// How many are handed over at once.
pub(super) const MAX_GROUP: usize = 256;
/// How long a caller waits for a full queue.
pub(super) const WAIT_FOR_ROOM: Duration = Duration::from_secs(5);

pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    emptied: Condvar,
}

struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        let state = State { waiting: VecDeque::new(), closed: false };
        Self { state: Mutex::new(state), filled: Condvar::new(), emptied: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one at the end.
    pub(super) fn push(&self, item: T) -> Result<(), Unavailable> {
        let (mut state, _) = self
            .emptied
            .wait_timeout_while(self.state(), WAIT_FOR_ROOM, |state| !state.closed && state.waiting.len() >= CAPACITY)
            .unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Err(Unavailable::Closed);
        }
        if state.waiting.len() >= CAPACITY {
            return Err(Unavailable::Busy);
        }
        state.waiting.push_back(item);
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Waits for work and takes all of it, up to [`MAX_GROUP`]; `None` once the queue is closed and empty.
    pub(super) fn take_group(&self) -> Option<Vec<T>> {
        let mut state = self
            .filled
            .wait_while(self.state(), |state| !state.closed && state.waiting.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        let count = state.waiting.len().min(MAX_GROUP);
        let group: Vec<_> = state.waiting.drain(..count).collect();
        drop(state);
        self.emptied.notify_all();
        (!group.is_empty()).then_some(group)
    }

    /// Takes nothing more; what waits is still handed over.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.filled.notify_all();
        self.emptied.notify_all();
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.state().waiting.len()
    }

    /// Throws away what waits.
    pub(super) fn clear(&self) {
        let waiting = std::mem::take(&mut self.state().waiting);
        drop(waiting);
    }
}

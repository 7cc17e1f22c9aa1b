//! Where do jobs wait for the writer? In a bounded queue that hands over everything that waits, as one group.
//!
//! Nobody waits for ever: a full queue refuses after its patience, a closed one at once.

use super::error::Unavailable;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    emptied: Condvar,
    limits: Limits,
}

/// How much a queue takes.
pub(super) struct Limits {
    /// How many items may wait.
    pub(super) capacity: usize,
    /// How many are handed over at once.
    pub(super) group: usize,
    /// How long a caller waits for a full queue.
    pub(super) patience: Duration,
}

struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
}

impl<T> Queue<T> {
    pub(super) fn new(limits: Limits) -> Self {
        let state = State { waiting: VecDeque::new(), closed: false };
        Self { state: Mutex::new(state), filled: Condvar::new(), emptied: Condvar::new(), limits }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one at the end.
    pub(super) fn push(&self, item: T) -> Result<(), Unavailable> {
        let Limits { capacity, patience, .. } = self.limits;
        let (mut state, _) = self
            .emptied
            .wait_timeout_while(self.state(), patience, |state| !state.closed && state.waiting.len() >= capacity)
            .unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Err(Unavailable::Closed);
        }
        if state.waiting.len() >= capacity {
            return Err(Unavailable::Busy);
        }
        state.waiting.push_back(item);
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Waits for work and takes all of it, up to a group; `None` once the queue is closed and empty.
    pub(super) fn take_group(&self) -> Option<Vec<T>> {
        let mut state = self
            .filled
            .wait_while(self.state(), |state| !state.closed && state.waiting.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        let count = state.waiting.len().min(self.limits.group);
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

    /// Whether everything is refused.
    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn queue(patience: Duration) -> Queue<u8> {
        Queue::new(Limits { capacity: 3, group: 2, patience })
    }

    #[test]
    fn what_waits_is_handed_over_in_order_and_in_groups() {
        let queue = queue(Duration::ZERO);
        for item in 1..=3 {
            queue.push(item).unwrap();
        }
        assert_eq!(queue.push(4), Err(Unavailable::Busy));
        assert_eq!(queue.take_group(), Some(vec![1, 2]));
        queue.push(5).unwrap();
        queue.close();
        assert_eq!(queue.push(6), Err(Unavailable::Closed));
        assert_eq!(queue.take_group(), Some(vec![3, 5]));
        assert_eq!(queue.take_group(), None);
    }

    #[test]
    fn a_full_queue_is_waited_for_until_there_is_room_or_it_closes() {
        let queue = Arc::new(queue(Duration::from_mins(1)));
        (1..=3).for_each(|item| queue.push(item).unwrap());
        let pushing: Vec<_> = (4..=6)
            .map(|item| {
                let queue = Arc::clone(&queue);
                std::thread::spawn(move || queue.push(item))
            })
            .collect();
        assert_eq!(queue.take_group(), Some(vec![1, 2]));
        while queue.len() < 3 {
            std::thread::yield_now();
        }
        queue.close();
        let refused = pushing.into_iter().map(|thread| thread.join().unwrap()).filter(Result::is_err);
        assert_eq!(refused.count(), 1);
    }
}

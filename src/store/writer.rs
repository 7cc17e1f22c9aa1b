//! Who changes the database? One thread, which runs the jobs that wait as one group and commits them together.
//!
//! 1. A job that fails or panics leaves nothing behind and harms no neighbour; the jobs after it see what the jobs
//!    before it wrote.
//! 2. Nobody is answered before the group is on the disk (two-phase commit, durability immediate). If the commit fails,
//!    every job of the group is told so: also one that was refused, for it may have been refused over a row that now
//!    never was.
//! 3. After a failure nothing more is written until a restart; reads go on.

use super::Shared;
use super::error::{StoreError, Unavailable};
use super::overlay::{Change, Changes};
use super::queue::Limits;
use super::transaction::{ByteTable, ReadTx, WriteTx};
use redb::{Database, ReadableDatabase};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// What may wait, and for how long.
pub(super) const LIMITS: Limits = Limits { capacity: 1024, group: 256, patience: Duration::from_secs(5) };
/// How long a caller waits for its job to begin.
const WAIT_FOR_TURN: Duration = Duration::from_secs(5);
/// How long a caller then waits for the disk.
const WAIT_FOR_DISK: Duration = Duration::from_secs(30);
/// Enough for jobs, which call into the engine and a decoder; only touched pages take memory.
pub(super) const STACK_BYTES: usize = 512 * 1024;

const WAITING: u8 = 0;
const BEGUN: u8 = 1;
const GIVEN_UP: u8 = 2;

/// A job of any type, as the queue holds it.
pub(super) trait Job: Send {
    /// Runs it, unless its caller has gone; whether its changes are to be kept.
    fn run(&mut self, tx: &mut WriteTx) -> bool;

    /// Tells the caller.
    fn answer(self: Box<Self>, group: Result<(), StoreError>);
}

/// Where a caller waits for its answer.
pub(super) struct Ticket<T> {
    answer: Receiver<Result<T, StoreError>>,
    turn: Arc<AtomicU8>,
}

struct TypedJob<F, T> {
    work: Option<F>,
    result: Result<T, StoreError>,
    turn: Arc<AtomicU8>,
    caller: SyncSender<Result<T, StoreError>>,
}

/// A job, and where to wait for its answer. `work` says itself whether it wants to be kept.
pub(super) fn job<T, E>(
    work: impl FnOnce(&mut WriteTx) -> Result<T, E> + Send + 'static,
) -> (Box<dyn Job>, Ticket<Result<T, E>>)
where
    T: Send + 'static,
    E: Send + 'static,
{
    let (caller, answer) = sync_channel(1);
    let turn = Arc::new(AtomicU8::new(WAITING));
    let job = TypedJob { work: Some(work), result: Err(StoreError::Panicked), turn: turn.clone(), caller };
    (Box::new(job), Ticket { answer, turn })
}

impl<F, T, E> Job for TypedJob<F, Result<T, E>>
where
    F: FnOnce(&mut WriteTx) -> Result<T, E> + Send,
    T: Send,
    E: Send,
{
    fn run(&mut self, tx: &mut WriteTx) -> bool {
        let mine = self.turn.compare_exchange(WAITING, BEGUN, Ordering::AcqRel, Ordering::Acquire).is_ok();
        let Some(work) = self.work.take().filter(|_| mine) else { return false };
        let result = work(tx);
        let keep = result.is_ok();
        self.result = Ok(result);
        keep
    }

    fn answer(self: Box<Self>, group: Result<(), StoreError>) {
        // The caller may have stopped waiting; then there is nobody to tell.
        let _ = self.caller.send(group.and(self.result));
    }
}

impl<T> Ticket<T> {
    /// Waits for the answer, but never for ever: a job that does not begin in time is never run.
    pub(super) fn wait(self) -> Result<T, StoreError> {
        self.wait_for(WAIT_FOR_TURN, WAIT_FOR_DISK)
    }

    fn wait_for(self, turn: Duration, disk: Duration) -> Result<T, StoreError> {
        let patience = |time| match self.answer.recv_timeout(time) {
            Ok(answer) => Ok(answer),
            Err(RecvTimeoutError::Timeout) => Err(()),
            Err(RecvTimeoutError::Disconnected) => Ok(Err(Unavailable::Closed.into())),
        };
        if let Ok(answer) = patience(turn) {
            return answer;
        }
        if self.turn.compare_exchange(WAITING, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            return Err(Unavailable::Busy.into());
        }
        patience(disk).unwrap_or(Err(Unavailable::Failed.into()))
    }
}

/// The thread: group after group until the queue is closed.
pub(super) fn run(shared: &Shared) {
    /// Whatever ends the thread, nobody is left waiting.
    struct LeaveNobody<'a>(&'a Shared);
    impl Drop for LeaveNobody<'_> {
        fn drop(&mut self) {
            self.0.queue.close();
            self.0.queue.clear();
        }
    }

    let _guard = LeaveNobody(shared);
    while let Some(group) = shared.queue.take_group() {
        run_group(shared, group);
    }
}

fn run_group(shared: &Shared, mut group: Vec<Box<dyn Job>>) {
    let outcome = if shared.has_failed() {
        Err(Unavailable::Failed.into())
    } else {
        run_jobs(shared, &mut group).and_then(|changes| {
            if changes.is_empty() {
                return Ok(());
            }
            let committed = catch_unwind(AssertUnwindSafe(|| commit(shared, changes)));
            match committed {
                Ok(Ok(())) => {
                    shared.count_commit();
                    Ok(())
                }
                Ok(Err(detail)) => Err(shared.fail(&detail)),
                Err(_) => Err(shared.fail("the engine panicked")),
            }
        })
    };
    shared.count_jobs(group.len());
    for job in group {
        let outcome = outcome.clone();
        // A value of a caller that has gone is dropped here, by code that is not ours.
        let _ = catch_unwind(AssertUnwindSafe(|| job.answer(outcome)));
    }
}

fn run_jobs(shared: &Shared, group: &mut [Box<dyn Job>]) -> Result<BTreeMap<&'static str, Changes>, StoreError> {
    let mut tx = WriteTx::new(shared.snapshot()?);
    for job in group {
        let kept = catch_unwind(AssertUnwindSafe(|| job.run(&mut tx)));
        if matches!(kept, Ok(true)) { tx.keep() } else { tx.roll_back() }
    }
    // Consumes the snapshot too: a live one would keep the pages that the commit frees.
    Ok(tx.into_changes())
}

pub(super) fn commit(shared: &Shared, tables: BTreeMap<&'static str, Changes>) -> Result<(), String> {
    let begun = shared.database().as_ref().map(Database::begin_write);
    let mut tx = begun.ok_or("the database is closed")?.map_err(|error| error.to_string())?;
    tx.set_two_phase_commit(true);
    for (name, changes) in tables {
        let mut table = tx.open_table(ByteTable::new(name)).map_err(|error| error.to_string())?;
        for (key, change) in changes {
            match change {
                Change::Written(value) => table.insert(key.as_slice(), value.as_slice()),
                Change::Removed => table.remove(key.as_slice()),
            }
            .map_err(|error| error.to_string())?;
        }
    }
    tx.commit().map_err(|error| error.to_string())
}

impl Shared {
    /// The database as it is now.
    pub(super) fn snapshot(&self) -> Result<ReadTx, StoreError> {
        let database = self.database();
        let database = database.as_ref().ok_or(Unavailable::Closed)?;
        database.begin_read().map(ReadTx::new).map_err(StoreError::engine)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;

    const BRIEFLY: Duration = Duration::from_millis(1);

    #[test]
    fn a_job_whose_caller_has_gone_is_never_run() {
        let (mut job, ticket) = job(|_| -> Result<(), StoreError> { panic!("it was given up") });
        assert_eq!(ticket.wait_for(BRIEFLY, BRIEFLY), Err(Unavailable::Busy.into()));
        let mut tx = WriteTx::new(Store::in_memory().0.shared.snapshot().unwrap());
        assert!(!job.run(&mut tx));
        job.answer(Ok(()));
    }

    #[test]
    fn a_job_that_has_begun_is_waited_for_and_then_its_outcome_is_not_known() {
        let (mut job, ticket) = job(|_| Ok::<_, StoreError>(7));
        let mut tx = WriteTx::new(Store::in_memory().0.shared.snapshot().unwrap());
        assert!(job.run(&mut tx));
        assert_eq!(ticket.wait_for(BRIEFLY, BRIEFLY), Err(Unavailable::Failed.into()));
        job.answer(Ok(()));
    }

    #[test]
    fn a_writer_that_dies_leaves_nobody_waiting() {
        let (job, ticket) = job(|_| Ok::<_, StoreError>(7));
        drop(job);
        assert_eq!(ticket.wait(), Err(Unavailable::Closed.into()));
    }
}

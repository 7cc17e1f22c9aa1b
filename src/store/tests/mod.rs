//! Behaviour of the store as a whole; each file's own details are tested beside it.

mod directory;
mod faults;
mod records;

pub(crate) use faults::Disk;

use super::*;
use crate::clock::Timestamp;
use crate::id::{InstanceId, UserId};
use crate::secret::TokenDigest;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Barrier;

const NOTES: Table<(UserId, u64), String> = Table::new("test_notes");
const NAMES: Table<String, u64> = Table::new("test_names");

fn user(n: u8) -> UserId {
    UserId::from_bytes([n; 16])
}

fn put(store: &Store, n: u8, at: u64, text: &str) -> Result<(), StoreError> {
    let text = text.to_owned();
    store.write(move |tx| tx.put(NOTES, &(user(n), at), &text))
}

fn notes(store: &Store, scan: Scan<(UserId, u64)>) -> Vec<String> {
    store.read(|tx| tx.scan(NOTES, scan)).unwrap().into_iter().map(|(_, text)| text).collect()
}

#[test]
fn what_was_written_is_read_and_what_was_not_is_not() {
    let store = Store::in_memory();
    assert_eq!(store.read(|tx| tx.get(NOTES, &(user(1), 1))), Ok(None), "a table that was never written to");
    put(&store, 1, 1, "one").unwrap();
    assert_eq!(store.read(|tx| tx.get(NOTES, &(user(1), 1))), Ok(Some("one".to_owned())));
    assert_eq!(store.read(|tx| tx.contains(NOTES, &(user(1), 2))), Ok(false));

    let again = store.write(|tx| tx.insert_new(NOTES, &(user(1), 1), &"two".to_owned()));
    assert_eq!(again, Err(StoreError::AlreadyExists { table: "test_notes" }));
    assert_eq!(store.write(|tx| tx.change(NOTES, &(user(1), 1), |text| text.push('!'))), Ok(Some(())));
    assert_eq!(store.write(|tx| tx.change(NOTES, &(user(1), 9), |text| text.push('!'))), Ok(None));
    assert_eq!(store.write(|tx| tx.take(NOTES, &(user(1), 1))), Ok(Some("one!".to_owned())));
    assert_eq!(store.write(|tx| tx.remove(NOTES, &(user(1), 1))), Ok(false));
    assert_eq!(store.read(|tx| tx.count(NOTES, Scan::all())), Ok(0));
}

#[test]
fn text_keys_are_looked_up_without_a_copy_and_have_a_longest() {
    let store = Store::in_memory();
    store.write(|tx| tx.put(NAMES, "anna", &7)).unwrap();
    assert_eq!(store.read(|tx| tx.get(NAMES, "anna")), Ok(Some(7)));
    let long = "x".repeat(MAX_KEY_BYTES);
    let too_long = long.clone();
    let refused = store.write(move |tx| tx.put(NAMES, &too_long, &1));
    assert_eq!(refused, Err(StoreError::KeyTooLong { table: "test_names", bytes: MAX_KEY_BYTES + 1 }));
    assert_eq!(store.read(|tx| tx.get(NAMES, &long)), Ok(None));
}

#[test]
fn the_bytes_of_what_the_installation_is_are_frozen() {
    let meta = tables::Meta {
        instance: InstanceId::from_bytes([1; 16]),
        created_at: Timestamp::from_unix_millis(70_000),
        master_check: [2; 32],
    };
    let golden = [&[1][..], &[1; 16], &[0xfc, 0x70, 0x11, 1, 0], &[2; 32]].concat();
    assert_eq!(encode_record(&meta).unwrap(), golden);
    assert_eq!(decode_record::<tables::Meta>(&golden).unwrap(), meta);

    let open = tables::SetUp::Open { secret: TokenDigest::from_bytes([3; 32]), issued_at: Timestamp::EPOCH };
    assert_eq!(encode_record(&open).unwrap(), [&[1, 0][..], &[3; 32], &[0]].concat());
    let done = tables::SetUp::Done { by: user(4), at: Timestamp::EPOCH };
    assert_eq!(encode_record(&done).unwrap(), [&[1, 1][..], &[4; 16], &[0]].concat());
    assert_eq!(encode_record(&FORMAT).unwrap(), [1, 1], "for ever: every program reads which program is needed");
}

#[test]
fn scans_take_a_prefix_a_range_a_cursor_a_direction_and_a_limit() {
    let store = Store::in_memory();
    for (n, at) in [(1, 5), (2, 1), (2, 2), (2, 3), (2, 4), (3, 0)] {
        put(&store, n, at, &format!("{n}.{at}")).unwrap();
    }
    let of_two = || Scan::prefix(&user(2));
    assert_eq!(notes(&store, of_two()), ["2.1", "2.2", "2.3", "2.4"]);
    assert_eq!(notes(&store, of_two().backwards().limit(2)), ["2.4", "2.3"]);
    assert_eq!(notes(&store, of_two().backwards().after(&(user(2), 3)).limit(5)), ["2.2", "2.1"]);
    assert_eq!(notes(&store, of_two().after(&(user(2), 3))), ["2.4"]);
    assert_eq!(notes(&store, Scan::all().until(&user(2))), ["1.5"]);
    assert_eq!(notes(&store, Scan::all().from(&(user(2), 4))), ["2.4", "3.0"]);
    assert_eq!(notes(&store, of_two().until(&(user(2), 2))), ["2.1"]);
    assert_eq!(notes(&store, of_two().from(&user(3))), [""; 0]);
    assert_eq!(notes(&store, Scan::all().limit(0)), [""; 0]);
    assert_eq!(store.read(|tx| tx.keys(NOTES, of_two().limit(1))), Ok(vec![(user(2), 1)]));
    assert_eq!(store.read(|tx| tx.count(NOTES, of_two())), Ok(4));
}

#[test]
fn a_job_sees_its_own_writes_and_a_failed_one_leaves_nothing() {
    let store = Store::in_memory();
    put(&store, 1, 1, "kept").unwrap();
    let failed: Result<(), StoreError> = store.write(|tx| {
        tx.put(NOTES, &(user(1), 2), &"lost".to_owned())?;
        tx.put(NOTES, &(user(1), 1), &"changed".to_owned())?;
        assert_eq!(tx.scan(NOTES, Scan::all())?.len(), 2);
        assert!(tx.remove(NOTES, &(user(1), 1))?);
        assert_eq!(tx.keys(NOTES, Scan::all())?, [(user(1), 2)]);
        Err(StoreError::Panicked)
    });
    assert_eq!(failed, Err(StoreError::Panicked));
    assert_eq!(notes(&store, Scan::all()), ["kept"]);
    assert_eq!(store.counts().commits, 1, "nothing to commit");
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let store = Store::in_memory();
    put(&store, 1, 1, "before").unwrap();
    store
        .read(|tx| {
            put(&store, 1, 1, "after")?;
            assert_eq!(tx.get(NOTES, &(user(1), 1))?.as_deref(), Some("before"));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert_eq!(notes(&store, Scan::all()), ["after"]);
}

/// Holds the writer in a job until `then` has filled the queue, so that what `then` starts is one group.
fn while_the_writer_is_busy<R>(store: &Store, then: impl FnOnce() -> R) -> R {
    let barrier = Arc::new(Barrier::new(2));
    let (job_barrier, job_store) = (Arc::clone(&barrier), store.clone());
    let busy = std::thread::spawn(move || {
        job_store.write(move |_| {
            job_barrier.wait();
            job_barrier.wait();
            Ok::<_, StoreError>(())
        })
    });
    barrier.wait();
    let result = then();
    barrier.wait();
    busy.join().unwrap().unwrap();
    result
}

/// Queues jobs in order; each is waited for by its own thread.
fn queue<T: Send + 'static>(
    store: &Store,
    jobs: Vec<impl FnOnce(&mut WriteTx) -> Result<T, StoreError> + Send + 'static>,
) -> Vec<JoinHandle<Result<T, StoreError>>> {
    let mut waiting = Vec::new();
    for job in jobs {
        let before = store.0.shared.queue.len();
        let for_job = store.clone();
        waiting.push(std::thread::spawn(move || for_job.write(job)));
        while store.0.shared.queue.len() == before {
            std::thread::yield_now();
        }
    }
    waiting
}

#[test]
fn a_panicking_job_harms_no_neighbour_of_its_group() {
    type Step = Box<dyn FnOnce(&mut WriteTx) -> Result<usize, StoreError> + Send>;
    let store = Store::in_memory();
    let jobs: Vec<Step> = vec![
        Box::new(|tx| tx.put(NOTES, &(user(1), 1), &"first".to_owned()).map(|()| 0)),
        Box::new(|tx| {
            tx.put(NOTES, &(user(1), 1), &"overwritten".to_owned())?;
            tx.put(NOTES, &(user(1), 2), &"lost".to_owned())?;
            panic!("a bug in a job");
        }),
        Box::new(|tx| {
            let seen = tx.scan(NOTES, Scan::all())?;
            tx.put(NOTES, &(user(1), 3), &"third".to_owned())?;
            Ok(seen.len())
        }),
    ];
    let waiting = while_the_writer_is_busy(&store, || queue(&store, jobs));
    let answers: Vec<_> = waiting.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(answers, [Ok(0), Err(StoreError::Panicked), Ok(1)]);
    assert_eq!(notes(&store, Scan::all()), ["first", "third"]);
    assert_eq!(store.counts(), StoreCounts { commits: 1, jobs: 4 });
    put(&store, 1, 4, "still writing").unwrap();
}

#[test]
fn concurrent_writers_share_commits_and_none_is_lost() {
    let store = Store::in_memory();
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let store = store.clone();
            std::thread::spawn(move || (0..100).try_for_each(|at| put(&store, n, at, "x")))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
    let counts = store.counts();
    assert_eq!(store.read(|tx| tx.count(NOTES, Scan::all())), Ok(800));
    assert_eq!(counts.jobs, 800);
    assert!(counts.commits < 800, "{counts:?}");
}

#[test]
fn only_one_of_many_takes_a_row_that_can_be_taken_once() {
    let store = Store::in_memory();
    put(&store, 1, 1, "code").unwrap();
    let threads: Vec<_> = (0..50)
        .map(|_| {
            let store = store.clone();
            std::thread::spawn(move || store.write(|tx| tx.take(NOTES, &(user(1), 1))))
        })
        .collect();
    let taken = threads.into_iter().filter_map(|thread| thread.join().unwrap().unwrap()).count();
    assert_eq!(taken, 1);
}

#[test]
fn a_write_inside_a_write_is_refused_instead_of_waiting_for_ever() {
    let store = Store::in_memory();
    let inner = store.clone();
    let result: Result<(), StoreError> = store.write(move |_| put(&inner, 1, 1, "never"));
    assert_eq!(result, Err(StoreError::NestedWrite));
}

#[test]
fn closing_finishes_what_waits_and_ends_everything_else() {
    let store = Store::in_memory();
    let jobs: Vec<_> =
        (0..20).map(|at| move |tx: &mut WriteTx| tx.put(NOTES, &(user(1), at), &String::new())).collect();
    let waiting = while_the_writer_is_busy(&store, || queue(&store, jobs));
    store.close().unwrap();
    assert!(waiting.into_iter().all(|thread| thread.join().unwrap().is_ok()));
    let closed = StoreError::Unavailable(Unavailable::Closed);
    assert_eq!(put(&store, 1, 1, "late"), Err(closed.clone()));
    assert_eq!(store.read(|tx| tx.get(NOTES, &(user(1), 1))), Err(closed));
    store.close().unwrap();
}

#[test]
fn a_job_may_hold_the_last_handle() {
    let store = Store::in_memory();
    let (send, dropped) = std::sync::mpsc::channel();
    let held = store.clone();
    std::thread::spawn(move || {
        let _ = store.write(move |_| {
            send.send(()).unwrap();
            drop(held);
            Ok::<_, StoreError>(())
        });
    });
    dropped.recv().unwrap();
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u64, u8),
    Remove(u8, u64),
    Scan { prefix: Option<u8>, after: Option<(u8, u64)>, backwards: bool, limit: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u8, 0..6_u64, any::<u8>()).prop_map(|(n, at, value)| Step::Put(n, at, value)),
        2 => (0..4_u8, 0..6_u64).prop_map(|(n, at)| Step::Remove(n, at)),
        3 => (
            proptest::option::of(0..4_u8),
            proptest::option::of((0..4_u8, 0..6_u64)),
            any::<bool>(),
            prop_oneof![Just(usize::MAX), 0..5_usize],
        )
            .prop_map(|(prefix, after, backwards, limit)| Step::Scan { prefix, after, backwards, limit }),
    ]
}

type Model = BTreeMap<(u8, u64), u8>;

fn model_scan(model: &Model, step: &Step) -> Vec<((u8, u64), u8)> {
    let Step::Scan { prefix, after, backwards, limit } = step else { return Vec::new() };
    let wanted = |(key, _): &(&(u8, u64), &u8)| {
        prefix.is_none_or(|n| key.0 == n)
            && after.is_none_or(|after| if *backwards { **key < after } else { **key > after })
    };
    let rows = model.iter().filter(wanted).map(|(key, value)| (*key, *value));
    if *backwards { rows.rev().take(*limit).collect() } else { rows.take(*limit).collect() }
}

fn store_scan(tx: &impl Reads, step: &Step) -> Vec<((u8, u64), u8)> {
    let Step::Scan { prefix, after, backwards, limit } = step else { return Vec::new() };
    let mut scan = prefix.map_or_else(Scan::all, |n| Scan::prefix(&user(n))).limit(*limit);
    if let Some((n, at)) = after {
        scan = scan.after(&(user(*n), *at));
    }
    if *backwards {
        scan = scan.backwards();
    }
    let rows = tx.scan(NOTES, scan).unwrap();
    rows.into_iter().map(|((user, at), text)| ((user.as_bytes()[0], at), text.parse().unwrap())).collect()
}

/// Does the steps to both, comparing what each sees on the way.
fn run_steps(steps: &[Step], tx: &mut WriteTx, model: &mut Model) -> Result<(), StoreError> {
    for step in steps {
        match step {
            Step::Put(n, at, value) => {
                model.insert((*n, *at), *value);
                tx.put(NOTES, &(user(*n), *at), &value.to_string())?;
            }
            Step::Remove(n, at) => {
                let existed = model.remove(&(*n, *at)).is_some();
                assert_eq!(tx.remove(NOTES, &(user(*n), *at))?, existed);
            }
            Step::Scan { .. } => assert_eq!(store_scan(tx, step), model_scan(model, step)),
        }
    }
    Ok(())
}

fn assert_same(tx: &impl Reads, model: &Model) {
    for backwards in [false, true] {
        let all = Step::Scan { prefix: None, after: None, backwards, limit: usize::MAX };
        assert_eq!(store_scan(tx, &all), model_scan(model, &all));
    }
}

fn jobs() -> impl Strategy<Value = Vec<(Vec<Step>, bool)>> {
    proptest::collection::vec((proptest::collection::vec(step(), 0..12), any::<bool>()), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Jobs of random steps, some of which fail at their end, each in a group of its own.
    #[test]
    fn the_store_behaves_as_an_ordered_map_with_transactions(jobs in jobs()) {
        let store = Store::in_memory();
        let mut model = Model::new();
        for (steps, fails) in jobs {
            let mut inside = model.clone();
            let outcome = store.write(move |tx| {
                run_steps(&steps, tx, &mut inside)?;
                if fails { Err(StoreError::NestedWrite) } else { Ok(inside) }
            });
            match outcome {
                Ok(inside) => model = inside,
                Err(error) => prop_assert_eq!(error, StoreError::NestedWrite),
            }
            assert_same(&store.0.shared.snapshot().unwrap(), &model);
        }
    }

    /// The same jobs in one group, over rows that were there before.
    #[test]
    fn jobs_of_one_group_see_those_before_them_that_did_not_fail(first in jobs(), group in jobs()) {
        let store = Store::in_memory();
        let mut model = Model::new();
        let mut tx = WriteTx::new(store.0.shared.snapshot().unwrap());
        for (jobs, last) in [(first, false), (group, true)] {
            for (steps, fails) in jobs {
                let mut inside = model.clone();
                run_steps(&steps, &mut tx, &mut inside).unwrap();
                if fails {
                    tx.roll_back();
                } else {
                    tx.keep();
                    model = inside;
                }
                assert_same(&tx, &model);
            }
            if !last {
                writer::commit(&store.0.shared, tx.into_changes()).unwrap();
                tx = WriteTx::new(store.0.shared.snapshot().unwrap());
                assert_same(&tx, &model);
            }
        }
    }
}

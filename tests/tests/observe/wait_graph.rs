//! What waits for what: holders of locks by name, rings of waits as deadlocks, while the rest of the program runs; and no
//! ring where something can still go on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread as os,
    time::Duration,
};

use goroutines::{
    Builder, JoinHandle, chan,
    debug::{Certainty, Cycle, Dump, Edge, WaitReason, wait_graph},
    go, grow,
    sync::{Mutex, Once, RwLock},
    thread, yield_now,
};
use goroutines_tests::{start, until};

type Lock = Arc<Mutex<()>>;

fn lock() -> Lock {
    Arc::new(Mutex::new(()))
}

/// Whether goroutines can be held in their waits.
fn can_hold() -> bool {
    Dump::new().take().summary().stacks_read
}

/// The edge of the goroutine with this number, once it waits for `reason`.
#[track_caller]
fn edge_of(id: u64, reason: WaitReason) -> Edge {
    let mut found = None;
    until(&format!("goroutine {id} waits: {reason}"), || {
        let is_it = |edge: &&Edge| edge.from.id == id && edge.reason == reason;
        found = wait_graph().edges().iter().find(is_it).cloned();
        found.is_some()
    });
    found.expect("until has returned")
}

/// The ring with this goroutine, once there is one.
#[track_caller]
fn ring_of(id: u64) -> Cycle {
    let mut found = None;
    until(&format!("goroutine {id} is in a ring"), || {
        let is_in = |cycle: &&Cycle| cycle.edges.iter().any(|edge| edge.from.id == id);
        found = wait_graph().cycles().iter().find(is_in).cloned();
        found.is_some()
    });
    found.expect("until has returned")
}

/// Whether one of these goroutines is in a ring.
fn is_any_in_a_ring(ids: &[u64]) -> bool {
    wait_graph()
        .cycles()
        .iter()
        .flat_map(|cycle| &cycle.edges)
        .any(|edge| ids.contains(&edge.from.id))
}

/// A goroutine that takes `first`, and `second` when `both` is dropped.
fn takes_both(first: Lock, second: Lock, ready: chan::Sender<()>, both: chan::Receiver<()>) -> u64 {
    let takes = go(move || {
        let _first = first.lock();
        ready.send(()).expect("the test listens");
        assert!(both.recv().is_err());
        drop(second.lock());
    });
    takes.id()
}

/// A goroutine that runs until it is told.
fn busy() -> (Arc<AtomicBool>, JoinHandle<()>) {
    let stop = Arc::new(AtomicBool::new(false));
    let until = stop.clone();
    // Relaxed: a flag that publishes nothing.
    let runs = go(move || {
        while !until.load(Ordering::Relaxed) {
            yield_now()
        }
    });
    (stop, runs)
}

#[test]
fn a_ring_of_two_locks_is_found_while_other_goroutines_run() {
    start(2);
    let (stop, runs) = busy();
    let (one, other) = (lock(), lock());
    let (ready, is_ready) = chan::bounded(2);
    let (begin, both) = chan::bounded(0);
    let ids = [
        takes_both(one.clone(), other.clone(), ready.clone(), both.clone()),
        takes_both(other, one.clone(), ready, both),
    ];
    for _ in ids {
        is_ready.recv().expect("it takes its first");
    }
    drop(begin);
    let waits = go(move || drop(one.lock()));
    edge_of(waits.id(), WaitReason::MutexLock);
    let ring = ring_of(ids[0]);
    assert_eq!(ring.edges.len(), 2, "{ring}");
    assert!(ring.edges.iter().all(|edge| ids.contains(&edge.from.id)));
    assert_eq!(ring.is_certain, can_hold(), "{ring}");
    assert_eq!(ring.others, 1, "{ring}");
    let dump = Dump::new().take();
    let mut text = Vec::new();
    dump.write_text(&mut text).expect("a vector takes all");
    let text = String::from_utf8(text).expect("it is text");
    let start = if ring.is_certain {
        "deadlock: "
    } else {
        "probably a deadlock: "
    };
    let (first, second) = (&ring.edges[0], &ring.edges[1]);
    let line = format!(
        "{start}goroutine {} -> mutex {:#x} -> goroutine {} -> mutex {:#x} -> goroutine {}; 1 other waits for them",
        first.from.id, first.object, second.from.id, second.object, first.from.id
    );
    assert!(text.lines().any(|one| one == line), "no {line}\n{text}");
    let held = format!(
        "mutex {:#x}, held by goroutine {} (exact)",
        first.object, second.from.id
    );
    assert!(text.contains(&held), "no {held}\n{text}");
    let mut json = Vec::new();
    dump.write_json(&mut json).expect("a vector takes all");
    let json = String::from_utf8(json).expect("it is text");
    for part in [
        format!(
            r#"{{"goroutine": {}, "thread": 0, "reason": "mutex lock", "object": "{:#x}"}}"#,
            first.from.id, first.object
        ),
        format!(r#""held_by": "goroutine {} (exact)""#, second.from.id),
    ] {
        assert!(json.contains(&part), "no {part}\n{json}");
    }
    // Relaxed: as above. The ring stays for ever.
    stop.store(true, Ordering::Relaxed);
    runs.join().expect("it does not panic");
}

#[test]
fn a_ring_of_a_lock_and_joins_may_go_through_a_plain_thread() {
    start(2);
    let lock = lock();
    let (tell, told) = chan::bounded(1);
    let (started, starts) = chan::bounded::<JoinHandle<()>>(1);
    let locks = lock.clone();
    drop(os::spawn(move || {
        let _held = locks.lock();
        tell.send(()).expect("the test listens");
        let waits: JoinHandle<()> = starts.recv().expect("the test sends it");
        waits.join().expect("it does not panic");
    }));
    told.recv().expect("it says so");
    let waits = go(move || drop(lock.lock()));
    let id = waits.id();
    let edge = edge_of(id, WaitReason::MutexLock);
    assert_eq!(edge.certainty, Certainty::Exact);
    let holder = edge.to.expect("it is known");
    assert_eq!(holder.id, 0);
    assert_ne!(holder.thread, 0);
    started.send(waits).expect("it listens");
    let ring = ring_of(id);
    assert_eq!(ring.edges.len(), 2, "{ring}");
    assert!(
        ring.edges
            .iter()
            .any(|edge| edge.from.thread == holder.thread)
    );
    assert_eq!(ring.is_certain, can_hold(), "{ring}");
}

#[test]
fn a_plain_thread_that_waits_for_a_lock_of_another_is_looked_at() {
    start(2);
    let lock = lock();
    let locks = lock.clone();
    let (holds, ends) = chan::bounded::<()>(0);
    let (tell, told) = chan::bounded(1);
    let holder = os::spawn(move || {
        let _held = locks.lock();
        tell.send(()).expect("the test listens");
        assert!(ends.recv().is_err());
    });
    told.recv().expect("it says so");
    let waits = os::spawn(move || drop(lock.lock()));
    let mut found = None;
    until("a thread waits for a lock", || {
        let is_it = |edge: &&Edge| edge.from.thread != 0 && edge.reason == WaitReason::MutexLock;
        found = wait_graph().edges().iter().find(is_it).cloned();
        found.is_some()
    });
    let to = found.and_then(|edge| edge.to).expect("it is known");
    assert!(to.id == 0 && to.thread != 0, "{to:?}");
    drop(holds);
    holder.join().expect("it ends");
    waits.join().expect("it ends");
}

#[test]
fn the_holder_of_a_lock_is_named_and_is_no_deadlock() {
    start(2);
    let locks = Arc::new((Mutex::new(()), RwLock::new(()), Once::new()));
    let (begun, begins) = chan::bounded(1);
    let (end, ends) = chan::bounded::<()>(0);
    let holds = locks.clone();
    let holder = go(move || {
        let _mutex = holds.0.lock();
        let _written = holds.1.write();
        holds.2.call_once(|| {
            begun.send(()).expect("the test listens");
            assert!(ends.recv().is_err());
        });
    });
    begins.recv().expect("it has begun");
    let clone = || locks.clone();
    let (mutex, read, write, once) = (clone(), clone(), clone(), clone());
    let waiting = [
        (WaitReason::MutexLock, go(move || drop(mutex.0.lock()))),
        (WaitReason::RwLockRead, go(move || drop(read.1.read()))),
        (WaitReason::RwLockWrite, go(move || drop(write.1.write()))),
        (WaitReason::Once, go(move || once.2.call_once(|| ()))),
    ];
    for (reason, waits) in &waiting {
        let edge = edge_of(waits.id(), *reason);
        let to = edge.to.as_ref().expect("it is known");
        assert_eq!(
            (to.id, edge.certainty),
            (holder.id(), Certainty::Exact),
            "{edge}"
        );
        assert!(!edge.has_way_out, "{edge}");
    }
    assert!(!is_any_in_a_ring(&[holder.id(), waiting[0].1.id()]));
    drop(end);
    holder.join().expect("it does not panic");
    for (_, waits) in waiting {
        waits.join().expect("it does not panic");
    }
}

#[test]
fn a_holder_is_found_on_a_segment_of_its_stack_and_on_a_copied_one() {
    start(2);
    let held = |wrap: fn(Box<dyn FnOnce() + Send>) -> JoinHandle<()>| {
        let lock = lock();
        let (begun, begins) = chan::bounded(1);
        let (end, ends) = chan::bounded::<()>(0);
        let locks = lock.clone();
        let holder = wrap(Box::new(move || {
            let _held = locks.lock();
            begun.send(()).expect("the test listens");
            assert!(ends.recv().is_err());
        }));
        begins.recv().expect("it has begun");
        let waits = go(move || drop(lock.lock()));
        let edge = edge_of(waits.id(), WaitReason::MutexLock);
        let to = edge.to.as_ref().map(|to| to.id);
        let id = holder.id();
        drop(end);
        holder.join().expect("it does not panic");
        waits.join().expect("it does not panic");
        (edge, to == Some(id))
    };
    if can_hold() {
        let (edge, is_it) = held(|body| go(|| grow(32 << 20, body)));
        assert!(is_it && edge.certainty == Certainty::Exact, "{edge}");
    }
    let (edge, is_it) = held(|body| {
        // SAFETY: the goroutine lends nothing of its stack.
        let copied = unsafe { Builder::new().copy_stack() };
        copied.spawn(body).expect("a goroutine")
    });
    // Release builds know the place alone, which goroutines that shared the window may have had as well.
    let sure = if cfg!(debug_assertions) {
        Certainty::Exact
    } else {
        Certainty::Probable
    };
    assert!(is_it && edge.certainty == sure, "{edge}");
}

#[test]
fn a_wait_with_a_deadline_is_part_of_no_deadlock() {
    start(2);
    let (one, other) = (lock(), lock());
    let (ready, is_ready) = chan::bounded(2);
    let (begin, both) = chan::bounded(0);
    let id = takes_both(one.clone(), other.clone(), ready.clone(), both.clone());
    let impatient = go(move || {
        let _other = other.lock();
        ready.send(()).expect("the test listens");
        assert!(both.recv().is_err());
        assert!(one.try_lock_for(Duration::from_secs(600)).is_err());
    });
    for _ in 0..2 {
        is_ready.recv().expect("it takes its first");
    }
    drop(begin);
    assert!(!edge_of(id, WaitReason::MutexLock).has_way_out);
    let edge = edge_of(impatient.id(), WaitReason::MutexLock);
    assert!(edge.has_way_out, "{edge}");
    assert_eq!(edge.to.map(|to| to.id), Some(id));
    assert!(!is_any_in_a_ring(&[id, impatient.id()]));
}

#[test]
fn goroutines_that_lock_in_one_order_are_never_in_a_ring() {
    start(2);
    let (one, other) = (lock(), lock());
    let stop = Arc::new(AtomicBool::new(false));
    let workers: Vec<JoinHandle<()>> = (0..8)
        .map(|_| {
            let (one, other, stop) = (one.clone(), other.clone(), stop.clone());
            go(move || {
                // Relaxed: a flag that publishes nothing.
                while !stop.load(Ordering::Relaxed) {
                    let held = one.lock().expect("not poisoned");
                    let inner = other.clone();
                    go(move || drop(inner.lock())).join().expect("it ends");
                    drop(other.lock());
                    yield_now();
                    drop(held);
                }
            })
        })
        .collect();
    let ids: Vec<u64> = workers.iter().map(JoinHandle::id).collect();
    for _ in 0..100 {
        assert!(!is_any_in_a_ring(&ids));
        thread::sleep(Duration::from_millis(1));
    }
    // Relaxed: as above.
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.join().expect("it does not panic");
    }
}

#[test]
fn the_caller_of_a_join_waits_for_the_goroutine_that_runs_the_second_closure() {
    start(2);
    let (tx, rx) = chan::bounded::<u64>(1);
    let (end, ends) = chan::bounded::<()>(0);
    let caller = go(move || {
        let (begun, begins) = chan::bounded::<u64>(1);
        goroutines::join(
            || tx.send(begins.recv().unwrap()).unwrap(),
            || {
                begun.send(goroutines_sched::current().id()).unwrap();
                assert!(ends.recv().is_err());
            },
        );
    });
    let other = rx.recv().unwrap();
    let edge = edge_of(caller.id(), WaitReason::Join);
    assert_eq!(edge.to.map(|to| to.id), Some(other));
    assert_eq!(edge.certainty, Certainty::Exact);
    drop(end);
    caller.join().unwrap();
}

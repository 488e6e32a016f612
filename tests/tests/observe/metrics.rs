//! What the scheduler says of itself is what happened.

use std::{thread, time::Duration};

use goroutines::{Metrics, blocking, chan, go, gomaxprocs, metrics, yield_now};
use goroutines_tests::{alone, until_metrics};

/// Waits until nothing runs, and no thread is about to look for work: two snapshots a moment apart are the same.
fn at_rest() -> Metrics {
    until_metrics(|m| {
        thread::sleep(Duration::from_millis(1));
        let later = metrics();
        m.goroutines == 0
            && (m.idle_procs, later.idle_procs) == (2, 2)
            && (m.runs, m.wakes, m.spins) == (later.runs, later.wakes, later.spins)
    })
}

#[test]
fn goroutines_are_counted_from_their_start_to_their_end() {
    let _alone = alone(2);
    let before = until_metrics(|m| m.goroutines == 0);
    let (tx, rx) = chan::bounded::<()>(0);
    let waiting: Vec<_> = (0..100)
        .map(|i| {
            let rx = rx.clone();
            let waits = move || rx.recv().unwrap_err();
            // Made by a plain thread, and by a goroutine.
            if i % 2 == 0 {
                go(waits)
            } else {
                go(move || go(waits)).join().unwrap()
            }
        })
        .collect();
    let meanwhile = metrics();
    assert_eq!(meanwhile.goroutines, 100, "{meanwhile:#?}");
    assert_eq!(meanwhile.spawned - before.spawned, 150);
    drop(tx);
    for one in waiting {
        one.join().unwrap();
    }
    // One that panics and one that is not joined end as well.
    go(|| std::panic::resume_unwind(Box::new(())))
        .join()
        .unwrap_err();
    drop(go(|| ()));
    until_metrics(|m| m.goroutines == 0 && m.spawned == before.spawned + 152);
}

#[test]
fn every_round_of_a_goroutine_is_counted_and_nothing_else() {
    let _alone = alone(2);
    let before = at_rest();
    go(|| (0..1000).for_each(|_| yield_now())).join().unwrap();
    let after = at_rest();
    assert_eq!(after.runs - before.runs, 1001, "{before:#?} {after:#?}");
    assert_eq!(after.procs.iter().map(|p| p.runs).sum::<u64>(), after.runs);
    assert!(after.wakes > before.wakes, "its P rested");
}

#[test]
fn queues_and_overflows_are_seen() {
    let _alone = alone(2);
    let before = until_metrics(|m| m.idle_procs == 2);
    // Thieves may be so quick that the queue never fills.
    for _ in 0..200 {
        go(|| {
            let all: Vec<_> = (0..5_000).map(|_| go(|| ())).collect();
            let seen = metrics();
            let queued = seen.global_queue + seen.procs.iter().map(|p| p.queue).sum::<usize>();
            assert!(queued <= 5_000, "{seen:#?}");
            for one in all {
                one.join().unwrap();
            }
        })
        .join()
        .unwrap();
        if metrics().overflows > before.overflows {
            break;
        }
    }
    let after = until_metrics(|m| m.idle_procs == 2 && m.goroutines == 0);
    assert!(after.overflows > before.overflows, "{after:#?}");
    assert_eq!(after.global_queue, 0);
    assert!(after.procs.iter().all(|p| p.queue == 0));
}

#[test]
fn a_blocking_call_shows_as_a_retaken_p_and_a_thread() {
    let _alone = alone(2);
    let before = until_metrics(|m| m.idle_procs == 2);
    // Each P gets a goroutine that blocks, while others wait for it.
    let all: Vec<_> = (0..6)
        .map(|_| go(|| blocking(|| thread::sleep(Duration::from_millis(50)))))
        .collect();
    all.into_iter().for_each(|g| g.join().unwrap());
    let after = until_metrics(|m| m.idle_procs == 2);
    assert!(after.retakes > before.retakes, "{after:#?}");
    assert!(after.handoffs > before.handoffs, "{after:#?}");
    assert!(after.threads >= 3 && after.threads as u64 <= after.threads_started);
    until_metrics(|m| m.idle_threads == m.threads && m.spinning_threads == 0);
}

#[test]
fn the_shape_of_the_process_is_told() {
    let _alone = alone(2);
    let now = until_metrics(|m| m.idle_procs == 2);
    assert_eq!((now.gomaxprocs, now.procs.len(), gomaxprocs()), (2, 2, 2));
    assert!(now.monitor_looks > 0);
}

#[test]
fn the_monitor_of_an_idle_program_does_not_look_around() {
    let _alone = alone(2);
    go(yield_now).join().unwrap();
    let rests = (0..200).any(|_| {
        let before = until_metrics(|m| m.idle_procs == 2).monitor_looks;
        thread::sleep(Duration::from_millis(50));
        metrics().monitor_looks == before
    });
    assert!(rests, "{:#?}", metrics());
}

#[test]
fn migrations_are_counted_with_what_was_sent_back_among_them() {
    let _alone = alone(2);
    let now = until_metrics(|m| m.idle_procs == 2);
    let stats = goroutines_sched::migration_stats();
    assert_eq!(
        (now.migrations_checked, now.sent_back),
        (stats.scanned, stats.sent_back)
    );
    assert!(now.sent_back <= now.migrations_checked, "{now:#?}");
}

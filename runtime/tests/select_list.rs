//! What `Select` promises beyond what `select!` does. Four Ps.

mod common;

use std::{
    panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use common::{On, settle};
use goroutines::{
    chan::{
        ReadyTimeoutError, Receiver, RecvError, Select, SelectTimeoutError, SendError, Sender,
        TryReadyError, TrySelectError, bounded, never, unbounded,
    },
    go,
};

const SHORT: Duration = Duration::from_millis(5);

fn start() {
    common::start(4);
}

/// What a panic says.
fn panics<R>(f: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else {
        unreachable!("it did not panic");
    };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload
            .downcast::<&str>()
            .map_or_else(|_| String::new(), |t| t.to_string()),
    }
}

#[test]
fn lists_of_any_length_choose_and_wait() {
    start();
    for count in [1, 2, 8, 9, 40, 100] {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| bounded(0)).unzip();
        let source = go(move || {
            for (at, tx) in senders.iter().enumerate() {
                tx.send(at).unwrap();
            }
            senders
        });
        let mut select = Select::new();
        for (at, rx) in receivers.iter().enumerate() {
            assert_eq!(select.recv(rx), at);
        }
        for (at, rx) in receivers.iter().enumerate() {
            let chosen = select.select();
            assert_eq!(chosen.index(), at);
            assert_eq!(chosen.recv(rx), Ok(at));
        }
        let senders = source.join().unwrap();
        assert_eq!(select.try_select().unwrap_err(), TrySelectError);
        drop(senders);
        let chosen = select.clone().select();
        let at = chosen.index();
        assert_eq!(chosen.recv(&receivers[at]), Err(RecvError));
    }
}

#[test]
fn indices_stay_when_operations_are_removed() {
    start();
    let (tx, rx) = unbounded();
    let nothing: Vec<Receiver<i32>> = (0..12).map(|_| never()).collect();
    let mut select = Select::new();
    for rx in &nothing {
        select.recv(rx);
    }
    let receive = select.recv(&rx);
    (3..9).for_each(|index| select.remove(index));
    let send = select.send(&tx);
    assert_eq!((receive, send), (12, 13));
    assert_eq!(select.ready(), send);
    select.select().send(&tx, 5).unwrap();
    select.remove(send);
    let chosen = select.select();
    assert_eq!(chosen.index(), receive);
    assert_eq!(chosen.recv(&rx), Ok(5));
}

#[test]
fn a_deadline_ends_the_wait() {
    start();
    for on in [On::Goroutine, On::Thread] {
        let waited = on.spawn(|| {
            let (_tx, rx) = bounded::<i32>(0);
            let begin = Instant::now();
            let mut select = Select::new();
            assert_eq!(
                select.select_timeout(SHORT).unwrap_err(),
                SelectTimeoutError
            );
            assert_eq!(select.ready_timeout(SHORT), Err(ReadyTimeoutError));
            select.recv(&rx);
            select.recv(&rx);
            assert_eq!(
                select.select_timeout(SHORT).unwrap_err(),
                SelectTimeoutError
            );
            assert_eq!(select.ready_timeout(SHORT), Err(ReadyTimeoutError));
            let past = Instant::now();
            assert_eq!(
                select.select_deadline(past).unwrap_err(),
                SelectTimeoutError
            );
            assert_eq!(select.ready_deadline(past), Err(ReadyTimeoutError));
            assert_eq!(select.try_ready(), Err(TryReadyError));
            begin.elapsed()
        });
        assert!(waited.join() >= 4 * SHORT);
    }
}

#[test]
fn what_cannot_be_is_said() {
    let (tx, rx) = unbounded::<i32>();
    assert_eq!(
        panics(|| drop(Select::new().select())),
        "no operations have been added to `Select`"
    );
    assert_eq!(
        panics(|| Select::new().ready()),
        "no operations have been added to `Select`"
    );
    assert_eq!(
        panics(|| Select::new().remove(3)),
        "index out of bounds; 3 >= 0"
    );
    assert_eq!(
        panics(|| {
            let mut select = Select::new();
            select.recv(&rx);
            select.remove(0);
            select.remove(0);
        }),
        "no operation with this index"
    );
    let mut select = Select::new();
    select.send(&tx);
    assert_eq!(
        panics(|| drop(select.select())),
        "dropped `SelectedOperation` without completing the operation"
    );
    assert_eq!(
        panics(|| select.select().send(&tx.clone(), 1)),
        "passed a sender that wasn't selected"
    );
    assert_eq!(
        panics(|| select.select().recv(&rx)),
        "passed a receiver that wasn't selected"
    );
    assert_eq!(rx.len(), 0);
}

#[test]
fn an_operation_that_is_dropped_leaves_no_counterpart_waiting() {
    start();
    for capacity in [0, 1] {
        let (tx, rx) = bounded(capacity);
        let receiver = go(move || rx.recv());
        settle();
        let mut select = Select::new();
        select.send(&tx);
        panics(|| drop(select.select()));
        settle();
        assert!(!receiver.is_finished(), "there is no message yet");
        select.select().send(&tx, 1).unwrap();
        assert_eq!(receiver.join().unwrap(), Ok(1));
        assert_eq!(select.select().send(&tx, 2), Err(SendError(2)));
    }
}

#[test]
fn a_select_that_watches_is_told_of_every_counterpart() {
    start();
    type Act = fn(Sender<u32>, Receiver<u32>);
    let acts: [(usize, Act); 5] = [
        (0, |tx, _| tx.send(1).unwrap()),
        (0, |tx, _| {
            let mut select = Select::new();
            select.send(&tx);
            select.select().send(&tx, 1).unwrap();
        }),
        (0, |tx, _| assert!(tx.close())),
        (1, |_, rx| assert_eq!(rx.recv(), Ok(0))),
        (1, |_, rx| {
            let mut select = Select::new();
            select.recv(&rx);
            select.select().recv(&rx).unwrap();
        }),
    ];
    for (expected, act) in acts {
        for on in [On::Goroutine, On::Thread] {
            // One in which nothing can be received, one in which nothing can be sent.
            let (empty, full) = (bounded(0), bounded(0));
            let other = if expected == 0 {
                empty.clone()
            } else {
                full.clone()
            };
            let watchers: Vec<_> = (0..3)
                .map(|_| {
                    let (rx, tx) = (empty.1.clone(), full.0.clone());
                    on.spawn(move || {
                        let mut select = Select::new();
                        select.recv(&rx);
                        select.send(&tx);
                        select.ready()
                    })
                })
                .collect();
            settle();
            assert!(watchers.iter().all(|watcher| !watcher.is_finished()));
            let actor = on.spawn(move || act(other.0, other.1));
            for watcher in watchers {
                assert_eq!(watcher.join(), expected);
            }
            // The actor still waits, unless it has closed the channel: watching takes nothing.
            let _ = if expected == 0 {
                empty.1.recv().map(drop)
            } else {
                full.0.send(0).map_err(|_| RecvError)
            };
            actor.join();
        }
    }
}

#[test]
fn watchers_and_takers_get_all_messages() {
    start();
    const MESSAGES: u32 = 2000;
    let (tx, rx) = bounded(2);
    let takers: Vec<_> = (0..8)
        .map(|_| {
            let rx = rx.clone();
            go(move || {
                let mut select = Select::new();
                select.recv(&rx);
                select.recv(&rx);
                let mut sum = 0;
                loop {
                    select.ready();
                    match rx.try_recv() {
                        Ok(n) => sum += n,
                        Err(error) if error.is_empty() => {}
                        Err(_) => return sum,
                    }
                }
            })
        })
        .collect();
    for n in 1..=MESSAGES {
        let mut select = Select::new_biased();
        select.send(&tx);
        while tx.is_full() {
            select.ready();
        }
        select.select().send(&tx, n).unwrap();
    }
    drop(tx);
    let sum: u32 = takers.into_iter().map(|taker| taker.join().unwrap()).sum();
    assert_eq!(sum, MESSAGES * (MESSAGES + 1) / 2);
}

#[test]
fn lists_and_errors_look_as_they_should() {
    fn check<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}
    check::<Select<'_>>();
    let (tx, _rx) = unbounded::<i32>();
    let mut select = Select::default();
    select.send(&tx);
    assert_eq!(format!("{select:?}"), "Select { .. }");
    let chosen = select.select();
    assert_eq!(format!("{chosen:?}"), "SelectedOperation { .. }");
    chosen.send(&tx, 1).unwrap();
    assert_eq!(
        format!("{TrySelectError:?} {TrySelectError}"),
        "TrySelectError all operations in select would block"
    );
    assert_eq!(
        format!("{SelectTimeoutError:?} {SelectTimeoutError}"),
        "SelectTimeoutError timed out waiting on select"
    );
    assert_eq!(
        format!("{TryReadyError:?} {ReadyTimeoutError:?}"),
        "TryReadyError ReadyTimeoutError"
    );
}

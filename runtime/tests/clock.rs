//! What `after`, `at`, `tick` and `never` promise, and what `close` does. Two Ps.

mod common;

use std::{
    thread,
    time::{Duration, Instant},
};

use common::{On, PAIRS, settle};
use goroutines::{
    Builder,
    chan::{
        RecvError, RecvTimeoutError, SendError, TryRecvError, after, at, bounded, never, select,
        tick, unbounded,
    },
    go,
};

const SHORT: Duration = Duration::from_millis(5);

fn start() {
    common::start(2);
}

#[test]
fn one_message_comes_when_it_is_due() {
    start();
    for on in [On::Goroutine, On::Thread] {
        on.spawn(|| {
            let when = Instant::now() + SHORT;
            let rx = at(when);
            assert_eq!((rx.capacity(), rx.len(), rx.is_full()), (Some(1), 0, false));
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
            assert_eq!(
                rx.recv_deadline(when - SHORT),
                Err(RecvTimeoutError::Timeout)
            );
            assert_eq!(rx.recv(), Ok(when));
            assert!(Instant::now() >= when);
            assert_eq!(
                rx.recv_timeout(SHORT),
                Err(RecvTimeoutError::Timeout),
                "only one"
            );

            let past = at(when);
            assert_eq!(
                (past.len(), past.is_empty(), past.is_full()),
                (1, false, true)
            );
            assert_eq!(past.clone().try_recv(), Ok(when));
            assert!(past.is_empty(), "clones share the message");
        })
        .join();
    }
}

#[test]
fn what_never_comes_is_never() {
    start();
    let rx = after(Duration::MAX);
    assert!(rx.same_channel(&never()) && tick(Duration::MAX).same_channel(&rx));
    assert!(!rx.same_channel(&after(SHORT)));
    assert_eq!((rx.capacity(), rx.len(), rx.is_full()), (Some(0), 0, true));
    assert_eq!(rx.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
    assert_eq!(rx.try_iter().next(), None);
}

#[test]
fn of_several_waiters_for_one_message_one_gets_it() {
    start();
    let rx = after(SHORT);
    let waiting: Vec<_> = (0..10)
        .map(|i| {
            let rx = rx.clone();
            let on = if i % 2 == 0 {
                On::Goroutine
            } else {
                On::Thread
            };
            on.spawn(move || rx.recv_timeout(10 * SHORT).is_ok())
        })
        .collect();
    assert_eq!(
        waiting
            .into_iter()
            .filter(|_| true)
            .map(|w| w.join())
            .filter(|&got| got)
            .count(),
        1
    );
}

#[test]
fn ticks_do_not_drift_and_do_not_pile_up() {
    start();
    let begin = Instant::now();
    let rx = tick(SHORT);
    assert!(rx.same_channel(&rx.clone()) && !rx.same_channel(&tick(SHORT)));
    let first = rx.recv().unwrap();
    assert!(first >= begin + SHORT);
    let mut due = first;
    for late in [0, 0, 3, 0, 12, 0, 0, 1] {
        thread::sleep(SHORT * late);
        // However long ago: one message waits, and the next is due in the future, on the beat.
        assert!(rx.len() <= 1);
        let next = rx.recv().unwrap();
        assert!(next > due);
        assert_eq!(
            (next - first).as_nanos() % SHORT.as_nanos(),
            0,
            "on the beat"
        );
        due = next;
    }
    let always = tick(Duration::ZERO);
    assert!(always.try_recv().unwrap() <= always.recv().unwrap());
    assert_eq!(always.iter().take(3).count(), 3);
}

#[test]
fn clones_of_a_ticker_share_its_ticks() {
    start();
    let rx = tick(Duration::from_millis(2));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let rx = rx.clone();
            // SAFETY: nothing on the stack of this goroutine is reached by others while it is parked.
            let builder = unsafe { Builder::new().copy_stack() };
            builder
                .spawn(move || rx.iter().take(10).collect::<Vec<_>>())
                .unwrap()
        })
        .collect();
    let mut all: Vec<_> = workers
        .into_iter()
        .flat_map(|w| w.join().unwrap())
        .collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 40, "each tick went to one of them");
}

#[test]
fn a_clock_is_a_case() {
    start();
    let (tx, rx) = bounded::<i32>(0);
    let ticker = tick(SHORT);
    let end = after(10 * SHORT + SHORT / 2);
    let mut ticks = 0;
    loop {
        select! {
            recv(rx) -> _ => unreachable!(),
            send(tx, 1) -> _ => unreachable!(),
            recv(ticker) -> due => { due.unwrap(); ticks += 1 }
            recv(end) -> _ => break,
        }
    }
    assert!((1..=10).contains(&ticks), "{ticks}");
    // The earlier of a deadline and a clock ends the wait.
    let begin = Instant::now();
    select! {
        recv(after(Duration::from_secs(60))) -> _ => unreachable!(),
        recv(rx) -> _ => unreachable!(),
        default(SHORT) => assert!(begin.elapsed() >= SHORT),
    }
}

#[test]
fn close_wakes_all_waiters_and_keeps_what_is_buffered() {
    start();
    for (senders, receivers) in PAIRS {
        let (tx, rx) = bounded(2);
        tx.send(1).unwrap();
        tx.send(2).unwrap();
        let sender = senders.spawn({
            let tx = tx.clone();
            move || tx.send(3)
        });
        let (idle_tx, idle) = bounded::<i32>(0);
        let receiver = receivers.spawn(move || idle.recv());
        let chooser = receivers.spawn({
            let (tx, idle_tx) = (tx.clone(), idle_tx.clone());
            move || select! { send(tx, 4) -> res => res, recv(never::<()>()) -> _ => { drop(idle_tx); Ok(()) } }
        });
        settle();
        assert!(!tx.is_closed() && !rx.is_closed());
        assert!(tx.close() && idle_tx.close());
        assert!(!rx.close() && tx.is_closed() && rx.is_closed());
        assert_eq!(sender.join(), Err(SendError(3)));
        assert_eq!(chooser.join(), Err(SendError(4)));
        assert_eq!(receiver.join(), Err(RecvError));
        assert_eq!(tx.send(5), Err(SendError(5)));
        assert!(tx.try_send(5).unwrap_err().is_disconnected());
        assert_eq!(rx.iter().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    }
}

#[test]
fn a_clock_that_is_closed_stops() {
    start();
    let rx = tick(Duration::from_millis(50));
    let waiting = go({
        let rx = rx.clone();
        move || rx.recv()
    });
    settle();
    assert!(rx.close());
    assert_eq!(waiting.join().unwrap(), Err(RecvError));
    assert_eq!(rx.recv(), Err(RecvError));
    let due = at(Instant::now());
    due.close();
    assert!(
        due.recv().is_ok() && due.recv().is_err(),
        "what is due stays"
    );
    let nothing = never::<i32>();
    assert!(nothing.close() && nothing.recv().is_err());
}

#[test]
fn gone_is_closed() {
    let (tx, rx) = unbounded::<i32>();
    drop(rx);
    assert!(tx.is_closed() && !tx.close());
    let (tx, rx) = unbounded::<i32>();
    drop(tx);
    assert!(rx.is_closed() && !rx.close());
}

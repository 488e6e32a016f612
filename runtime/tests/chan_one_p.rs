//! Channels and locks when all goroutines share one P.

mod common;

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use common::{On, settle};
use goroutines::{
    chan::{RecvTimeoutError, bounded, unbounded},
    go,
    sync::{Mutex, WaitGroup},
    yield_now,
};

fn start() {
    common::start(1);
}

/// How long a waiter loses a mutex to others before it is handed over.
const PATIENCE: Duration = Duration::from_millis(1);

/// Runs `f` as a goroutine: with one P no other goroutine runs until it waits.
fn alone(f: impl FnOnce() + Send + 'static) {
    start();
    go(f).join().unwrap();
}

#[test]
fn a_buffered_send_does_not_give_the_turn_away() {
    alone(|| {
        let received = Arc::new(AtomicU32::new(0));
        let (tx, rx) = bounded(3);
        let count = Arc::clone(&received);
        let other = go(move || {
            for _ in &rx {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        yield_now();
        // The first goes to the waiting receiver, the others into the buffer.
        for _ in 0..4 {
            tx.send(()).unwrap();
            assert_eq!(received.load(Ordering::SeqCst), 0);
        }
        tx.send(()).unwrap();
        assert!(received.load(Ordering::SeqCst) > 0, "the fifth had to wait");
        drop(tx);
        other.join().unwrap();
        assert_eq!(received.load(Ordering::SeqCst), 5);
    });
}

#[test]
fn a_rendezvous_send_returns_only_after_the_receiver_came() {
    alone(|| {
        let (tx, rx) = bounded(0);
        let (log_tx, log) = unbounded();
        let sender_log = log_tx.clone();
        let sender = go(move || {
            for i in 0..3 {
                sender_log.send(("sends", i)).unwrap();
                tx.send(i).unwrap();
                sender_log.send(("sent", i)).unwrap();
            }
        });
        yield_now();
        for i in 0..3 {
            log_tx.send(("receives", i)).unwrap();
            assert_eq!(rx.recv(), Ok(i));
        }
        sender.join().unwrap();
        let log: Vec<_> = log.try_iter().collect();
        let at = |entry| log.iter().position(|&one| one == entry).unwrap();
        for i in 0..3 {
            assert!(at(("sends", i)) < at(("sent", i)));
            assert!(at(("receives", i)) < at(("sent", i)));
        }
    });
}

#[test]
fn waiters_are_served_in_their_order() {
    alone(|| {
        for (tx, rx) in [bounded(0), bounded(1), unbounded()] {
            let receivers: Vec<_> = (0..5)
                .map(|_| {
                    let rx = rx.clone();
                    let receiver = go(move || rx.recv());
                    yield_now();
                    receiver
                })
                .collect();
            (0..5).for_each(|msg| tx.send(msg).unwrap());
            let got = receivers.into_iter().map(|one| one.join().unwrap());
            assert!(got.eq((0..5).map(Ok)));
        }
        for (tx, rx) in [bounded(0), bounded(1), bounded(2)] {
            for msg in 0..5 {
                let tx = tx.clone();
                go(move || tx.send(msg).unwrap());
                yield_now();
            }
            drop(tx);
            assert!(rx.iter().eq(0..5));
        }
    });
}

#[test]
fn a_waiter_that_timed_out_is_skipped_and_the_next_is_served() {
    alone(|| {
        let (tx, rx) = bounded(0);
        let waiting: Vec<_> = (0..6)
            .map(|i| {
                let rx = rx.clone();
                let waiting = go(move || match i % 2 {
                    0 => rx.recv_timeout(Duration::from_millis(2)).ok(),
                    _ => rx.recv().ok(),
                });
                yield_now();
                waiting
            })
            .collect();
        goroutines::sleep(Duration::from_millis(20));
        (1..4).for_each(|msg| tx.send(msg).unwrap());
        assert!(tx.try_send(9).unwrap_err().is_full());
        let got: Vec<_> = waiting.into_iter().map(|one| one.join().unwrap()).collect();
        assert_eq!(got, [None, Some(1), None, Some(2), None, Some(3)]);
    });
}

#[test]
fn a_pair_on_runnext_does_not_starve_the_others() {
    alone(|| {
        let (a, b) = bounded::<()>(0);
        let (c, d) = bounded::<()>(0);
        let done = Arc::new(AtomicU32::new(0));
        let flag = Arc::clone(&done);
        let pong = go(move || while b.recv().is_ok() && c.send(()).is_ok() {});
        let other = go(move || flag.store(1, Ordering::SeqCst));
        while done.load(Ordering::SeqCst) == 0 {
            a.send(()).unwrap();
            d.recv().unwrap();
        }
        drop(a);
        pong.join().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn threads_feed_goroutines_and_back() {
    start();
    for capacity in [0, 1, 64] {
        let (tx, rx) = bounded(capacity);
        let (back_tx, back) = bounded(capacity);
        let echo = go(move || rx.iter().for_each(|n: u64| back_tx.send(n * 2).unwrap()));
        let feeder = On::Thread.spawn(move || (0..500).for_each(|n| tx.send(n).unwrap()));
        assert!(back.iter().eq((0..500).map(|n| n * 2)));
        feeder.join();
        echo.join().unwrap();
    }
}

#[test]
fn a_timeout_fires_while_others_keep_the_p_busy() {
    alone(|| {
        let stop = Arc::new(AtomicU32::new(0));
        let flag = Arc::clone(&stop);
        let busy = go(move || {
            while flag.load(Ordering::SeqCst) == 0 {
                yield_now();
            }
        });
        let (tx, rx) = bounded::<u8>(0);
        let late = rx.recv_timeout(Duration::from_millis(3));
        assert_eq!(late, Err(RecvTimeoutError::Timeout));
        assert!(
            tx.send_timeout(1, Duration::from_millis(3))
                .unwrap_err()
                .is_timeout()
        );
        stop.store(1, Ordering::SeqCst);
        busy.join().unwrap();
    });
}

#[test]
fn a_mutex_held_over_a_yield_is_passed_in_turn() {
    alone(|| {
        let mutex = Arc::new(Mutex::new(Vec::new()));
        let handles: Vec<_> = (0..5)
            .map(|i| {
                let mutex = Arc::clone(&mutex);
                go(move || {
                    let mut guard = mutex.lock().unwrap();
                    guard.push(i);
                    yield_now();
                    guard.push(i);
                })
            })
            .collect();
        handles.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(*mutex.lock().unwrap(), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
    });
}

#[test]
fn a_goroutine_that_locks_again_and_again_does_not_starve_a_waiter() {
    alone(|| {
        let mutex = Arc::new(Mutex::new(false));
        let same = Arc::clone(&mutex);
        let guard = mutex.lock().unwrap();
        let waiter = go(move || *same.lock().unwrap() = true);
        yield_now();
        drop(guard);
        // Takes the lock again at once each time, and gives the P away only while holding it. After a
        // millisecond the waiter finds out, when it is passed over, and is handed the lock at the next unlock.
        let (began, mut rounds) = (Instant::now(), 0);
        loop {
            let guard = mutex.lock().unwrap();
            if *guard {
                break;
            }
            rounds += u32::from(began.elapsed() > PATIENCE);
            assert!(rounds < 5, "the waiter was passed over {rounds} times");
            yield_now();
            drop(guard);
        }
        waiter.join().unwrap();
    });
}

#[test]
fn a_waiter_that_lost_the_lock_keeps_its_place() {
    alone(|| {
        let mutex = Arc::new(Mutex::new(Vec::new()));
        let guard = mutex.lock().unwrap();
        let waiters: Vec<_> = (0..3)
            .map(|i| {
                let mutex = Arc::clone(&mutex);
                let waiter = go(move || mutex.lock().unwrap().push(i));
                yield_now();
                waiter
            })
            .collect();
        drop(guard);
        // Each time the first waiter is woken, and finds the lock taken; it is not passed over for the
        // others.
        let (began, mut rounds) = (Instant::now(), 0);
        loop {
            let guard = mutex.lock().unwrap();
            if !guard.is_empty() {
                break;
            }
            rounds += u32::from(began.elapsed() > PATIENCE);
            yield_now();
            drop(guard);
        }
        assert!(rounds < 5, "{rounds} rounds");
        waiters.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(*mutex.lock().unwrap(), [0, 1, 2]);
    });
}

#[test]
fn a_wait_group_wakes_all_waiters() {
    alone(|| {
        let group = WaitGroup::new();
        let waiting: Vec<_> = (0..5)
            .map(|_| {
                let group = group.clone();
                go(move || group.wait())
            })
            .collect();
        yield_now();
        assert!(waiting.iter().all(|one| !one.is_finished()));
        drop(group);
        waiting.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn a_message_need_not_be_send_within_one_goroutine() {
    alone(|| {
        let (tx, rx) = unbounded();
        tx.send(std::rc::Rc::new(Cell::new(1))).unwrap();
        assert_eq!(rx.recv().unwrap().get(), 1);
    });
}

#[test]
fn an_unwinding_goroutine_waits_without_holding_the_only_p() {
    start();
    struct Farewell(goroutines::chan::Receiver<u8>);
    impl Drop for Farewell {
        fn drop(&mut self) {
            assert_eq!(self.0.recv(), Ok(1));
        }
    }
    let (tx, rx) = bounded(0);
    let failed = go(move || {
        let _farewell = Farewell(rx);
        panic!("as planned");
    });
    settle();
    go(move || tx.send(1).unwrap()).join().unwrap();
    assert!(failed.join().is_err());
}

//! The `runnext` of a P whose goroutine computes on runs on another P that is idle, and runs once.

use std::{
    hint,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use goroutines::{chan, go, metrics};
use goroutines_tests::{start, until};

/// How long a sender computes at most.
const LONGEST: Duration = Duration::from_secs(10);

/// Sends, and computes until the receiver has run or [`LONGEST`] is over. Returns how long that took.
fn until_it_runs_elsewhere() -> Duration {
    let (tx, rx) = chan::bounded(1);
    let ran = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ran);
    let waiter = go(move || {
        rx.recv().unwrap();
        // Release: partner is the load in the sender.
        seen.store(true, Ordering::Release);
    });
    let sender = go(move || {
        goroutines::sleep(Duration::from_millis(1)); // the waiter waits by then
        let start = Instant::now();
        tx.send(()).unwrap();
        while !ran.load(Ordering::Acquire) && start.elapsed() < LONGEST {
            hint::spin_loop();
        }
        start.elapsed()
    });
    let took = sender.join().unwrap();
    waiter.join().unwrap();
    took
}

#[test]
fn a_lone_runnext_does_not_wait_for_a_time_slice() {
    start(4);
    if metrics().gomaxprocs == 1 {
        return;
    }
    let mut quick = 0;
    // The slice after which a P is taken away is 5 ms. On a busy machine the thread that takes over may have to wait
    // for its CPU, but not each time.
    until("five run before a slice ends", || {
        let took = until_it_runs_elsewhere();
        assert!(took < LONGEST, "it does not run elsewhere");
        quick += u32::from(took < Duration::from_micros(4500));
        quick == 5
    });
}

#[test]
fn messages_of_a_sender_that_computes_on_arrive_once_each() {
    start(4);
    let (tx, rx) = chan::bounded::<u64>(0);
    let sum = Arc::new(AtomicU64::new(0));
    let receivers: Vec<_> = (0..3)
        .map(|_| {
            let (rx, sum) = (rx.clone(), Arc::clone(&sum));
            go(move || {
                let mut count = 0;
                for n in rx.iter() {
                    // Relaxed: read after the joins.
                    sum.fetch_add(n, Ordering::Relaxed);
                    count += 1;
                }
                count
            })
        })
        .collect();
    drop(rx);
    let senders: Vec<_> = (0..2)
        .map(|_| {
            let tx = tx.clone();
            go(move || {
                for n in 0..300_u64 {
                    tx.send(n).unwrap();
                    // Sometimes shorter, sometimes longer than it takes until another P takes the receiver.
                    let end = Instant::now() + Duration::from_micros(n % 7 * 40);
                    while Instant::now() < end {
                        hint::spin_loop();
                    }
                }
            })
        })
        .collect();
    drop(tx);
    senders.into_iter().for_each(|s| s.join().unwrap());
    let count: u64 = receivers.into_iter().map(|r| r.join().unwrap()).sum();
    assert_eq!(count, 600);
    // Relaxed: the joins order it.
    assert_eq!(sum.load(Ordering::Relaxed), 2 * (0..300).sum::<u64>());
}

//! A goroutine that computes without end does not hold up what was made ready beside it, as long as
//! another P has time.

use std::{
    hint,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use goroutines::{chan, go, sleep};
use goroutines_tests::start;

#[test]
fn a_goroutine_made_ready_by_a_hog_runs_elsewhere() {
    start(4); // both tests at once take two Ps for their hogs
    for _ in 0..3 {
        let (tx, rx) = chan::bounded(0);
        let seen = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&seen);
        let waiter = go(move || {
            rx.recv().unwrap();
            // Release: partner is the load in the hog.
            flag.store(true, Ordering::Release);
        });
        let hog = go(move || {
            tx.send(()).unwrap();
            // The waiter is the next to run here, and nothing else runs here meanwhile.
            while !seen.load(Ordering::Acquire) {
                hint::spin_loop();
            }
        });
        hog.join().unwrap();
        waiter.join().unwrap();
    }
}

#[test]
fn a_timer_on_the_p_of_a_hog_fires_elsewhere() {
    start(4); // both tests at once take two Ps for their hogs
    let woke = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&woke);
    let hog = go(move || {
        let sleeper = go(move || {
            sleep(Duration::from_millis(5));
            // Release: partner is the load below.
            flag.store(true, Ordering::Release);
        });
        goroutines::yield_now();
        while !woke.load(Ordering::Acquire) {
            hint::spin_loop();
        }
        sleeper.join().unwrap();
    });
    hog.join().unwrap();
}

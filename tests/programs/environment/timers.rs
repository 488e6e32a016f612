//! Timers of a P whose M is blocked fire in time.

use std::{
    thread,
    time::{Duration, Instant},
};

use goroutines::{JoinHandle, chan, go, set_gomaxprocs, sleep};

use crate::start;

/// On the only P: a goroutine that sleeps, and then one that blocks its thread for longer, without saying so. Returns
/// when that does; the handle is the sleeper's.
fn a_sleeper_before_a_blocker() -> JoinHandle<Duration> {
    start(1);
    let (tx, rx) = chan::bounded(0);
    let sleeper = go(|| {
        let start = Instant::now();
        sleep(Duration::from_millis(400));
        start.elapsed()
    });
    drop(go(move || {
        tx.send(()).unwrap();
        thread::sleep(Duration::from_secs(30));
    }));
    rx.recv().unwrap();
    sleeper
}

fn report(sleeper: JoinHandle<Duration>) {
    let slept = sleeper.join().unwrap();
    match slept < Duration::from_secs(15) {
        true => println!("in time"),
        false => println!("slept for {slept:?}"),
    }
}

/// The P is taken, and no other goroutine has a use for it.
pub(crate) fn timer_of_a_p_that_is_taken() {
    report(a_sleeper_before_a_blocker());
}

/// The P is one of those that leave; when that is over, nothing runs.
pub(crate) fn timer_of_a_p_that_leaves() {
    let sleeper = a_sleeper_before_a_blocker();
    set_gomaxprocs(2);
    report(sleeper);
}

//! A locked goroutine that has lost its P, and then sleeps, wakes in time.

use std::{sync::mpsc, time::Duration};

use goroutines::{chan, go, lock_os_thread, sleep};
use goroutines_tests::{compute, start};

#[test]
fn the_sleep_of_a_locked_goroutine_that_has_lost_its_p_ends() {
    start(1);
    let (done, is_done) = mpsc::channel();
    let (tx, rx) = chan::unbounded::<u8>();
    go(move || {
        lock_os_thread();
        go(|| compute(Duration::from_millis(60)));
        // The P is taken meanwhile; the call after it finds that out, and no idle one.
        compute(Duration::from_millis(30));
        tx.send(1).unwrap();
        // By now the P is idle, and all threads sleep.
        compute(Duration::from_millis(400));
        sleep(Duration::from_millis(20));
        done.send(()).unwrap();
    });
    let end = is_done.recv_timeout(Duration::from_secs(30));
    end.expect("a sleep of 20 ms ends within 30 s");
    drop(rx);
}

//! A program in which all goroutines wait uses no CPU time and has no periodic wake-ups. The only test of its
//! process: both are the process's.

use std::{thread, time::Duration};

use goroutines::{blocking, chan, go, sleep};
use goroutines_tests::start;

/// CPU time in microseconds, and how often threads of this process went to sleep.
fn used() -> (i64, i64) {
    // SAFETY: all zeroes is a valid rusage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a live rusage for the call to fill.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    let micros = |t: libc::timeval| t.tv_sec * 1_000_000 + t.tv_usec;
    (
        micros(usage.ru_utime) + micros(usage.ru_stime),
        usage.ru_nvcsw,
    )
}

/// What the process uses in half a second, once everything has settled. On a machine with much else to do that
/// takes longer; what wakes up periodically never settles.
fn settle_and_measure(what: &str) {
    let mut seen = Vec::new();
    for _ in 0..6 {
        thread::sleep(Duration::from_millis(300));
        let before = used();
        thread::sleep(Duration::from_millis(500));
        let after = used();
        let (cpu, sleeps) = (after.0 - before.0, after.1 - before.1);
        if cpu < 5_000 && sleeps < 20 {
            return;
        }
        seen.push(format!("{cpu} us of CPU time and {sleeps} wake-ups"));
    }
    panic!("{what}: in 500 ms {}", seen.join(", then "));
}

#[test]
fn a_program_that_waits_uses_no_cpu() {
    start(8);
    settle_and_measure("nothing was started");

    let (gate, closed) = chan::bounded::<()>(0);
    for _ in 0..100 {
        let closed = closed.clone();
        go(move || closed.recv().is_err());
    }
    settle_and_measure("goroutines wait in a channel");

    for _ in 0..100 {
        go(|| sleep(Duration::from_secs(3600)));
    }
    settle_and_measure("goroutines sleep");

    for _ in 0..3 {
        go(|| blocking(|| thread::sleep(Duration::from_secs(3600))));
    }
    settle_and_measure("goroutines are in blocking calls");

    for _ in 0..3 {
        go(|| thread::sleep(Duration::from_secs(3600)));
    }
    settle_and_measure("goroutines block without saying so");
    drop(gate);
}

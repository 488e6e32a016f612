//! A goroutine that keeps std's handle of its thread behind a pointer goes back there, as one that has it on its stack.

use std::{
    hint::black_box,
    thread::{self, Thread},
};

use goroutines::{Config, go, metrics, yield_now};
use goroutines_tests::{start_with, until};

/// A handle of this thread where `std::thread::scope` keeps it: in an allocation.
#[inline(never)]
fn boxed() -> Box<(usize, Thread)> {
    Box::new((7, thread::current()))
}

/// Returns how often a goroutine resumed on another thread than the one whose handle it keeps.
fn times_elsewhere() -> u64 {
    let mut times = 0;
    for _ in 0..100 {
        let kept = black_box(boxed());
        yield_now();
        times += u64::from(kept.1.id() != thread::current().id());
    }
    times
}

#[test]
fn a_goroutine_resumes_on_the_thread_whose_handle_it_keeps_in_an_allocation() {
    start_with(Config::new().procs(4).force_migration(true));
    let all: Vec<_> = (0..16).map(|_| go(times_elsewhere)).collect();
    let times: u64 = all.into_iter().map(|each| each.join().unwrap()).sum();
    let metrics = metrics();
    // A thread that is blocked is not waited for without end.
    assert!(times <= metrics.sent_back_expired, "{times}: {metrics:?}");
    let alone = metrics.gomaxprocs == 1;
    assert!(
        alone || metrics.sent_back > 0,
        "none was taken by another thread: {metrics:?}"
    );
}

/// The kernel's number of the calling thread: asking for it leaves no handle in a frame.
fn id() -> libc::pid_t {
    // SAFETY: takes nothing and always succeeds.
    unsafe { libc::gettid() }
}

#[test]
fn a_goroutine_that_keeps_no_handle_any_more_changes_threads() {
    start_with(Config::new().procs(4).force_migration(true));
    if metrics().gomaxprocs == 1 {
        return;
    }
    drop(go(boxed).join().unwrap());
    let changes = || {
        let first = id();
        until("it is on another thread", || {
            yield_now();
            id() != first
        });
    };
    go(changes).join().unwrap();
}

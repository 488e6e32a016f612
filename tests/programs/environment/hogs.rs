//! The thread that reports hogs may have to wait; no other thread does.

use std::{
    hint, io, mem, ptr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use goroutines::{Config, HogReport, chan, go, sleep};

use crate::try_start;

const SHORT: Duration = Duration::from_millis(20);

/// Spins until `flag` is raised, without a call into the runtime.
fn spin_until(flag: &AtomicBool) {
    // Relaxed: only to end.
    while !flag.load(Ordering::Relaxed) {
        hint::spin_loop();
    }
}

/// A goroutine that makes no call until another one has run, which needs the only P: for that, the thread that watches over
/// the Ps must not hang itself.
fn others_run_beside_a_hog() {
    let flag = Arc::new(AtomicBool::new(false));
    let hog = go({
        let flag = Arc::clone(&flag);
        move || spin_until(&flag)
    });
    // Longer than it takes until the hog is told of.
    sleep(5 * SHORT);
    // Relaxed: only to end.
    let other = go(move || flag.store(true, Ordering::Relaxed));
    other.join().unwrap();
    hog.join().unwrap();
}

pub(crate) fn stderr_is_locked_by_a_parked_goroutine() {
    try_start(Config::new().procs(1).hog_after(SHORT)).unwrap();
    let (tx, rx) = chan::bounded::<()>(0);
    let (locked_tx, locked_rx) = chan::bounded(0);
    let holder = go(move || {
        let _stderr = io::stderr().lock();
        locked_tx.send(()).unwrap();
        rx.recv().unwrap_err();
    });
    locked_rx.recv().unwrap();
    go(others_run_beside_a_hog).join().unwrap();
    drop(tx);
    holder.join().unwrap();
    println!("went on");
}

static HELD: Mutex<()> = Mutex::new(());

pub(crate) fn the_hook_waits() {
    fn hook(_: &HogReport) {
        drop(HELD.lock().unwrap_or_else(PoisonError::into_inner));
    }
    let held = HELD.lock().unwrap();
    try_start(Config::new().procs(1).hog_after(SHORT).on_hog(hook)).unwrap();
    for _ in 0..3 {
        go(others_run_beside_a_hog).join().unwrap();
    }
    drop(held);
    println!("went on");
}

/// Forty goroutines block in calls outside of `blocking`, on threads that do not answer the question for their frames.
pub(crate) fn threads_do_not_answer() {
    let config = Config::new().procs(2).hog_after(SHORT).hog_stacks(true);
    try_start(config.on_hog(|_| ())).unwrap();
    let mute = || {
        // SAFETY: the set is whole and live through the calls.
        unsafe {
            let mut set: libc::sigset_t = mem::zeroed();
            libc::sigaddset(&raw mut set, libc::SIGURG);
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut());
        }
        thread::sleep(Duration::from_secs(6));
    };
    let _all: Vec<_> = (0..40).map(|_| go(mute)).collect();
    let start = Instant::now();
    let mut longest = Duration::ZERO;
    while start.elapsed() < Duration::from_secs(5) {
        // Both Ps are held by goroutines that make no calls until a third has run.
        let flag = Arc::new(AtomicBool::new(false));
        let since = Instant::now();
        let hogs = [0; 2].map(|_| {
            let flag = Arc::clone(&flag);
            go(move || spin_until(&flag))
        });
        sleep(SHORT / 10);
        // Relaxed: only to end.
        go(move || flag.store(true, Ordering::Relaxed))
            .join()
            .unwrap();
        longest = longest.max(since.elapsed());
        for hog in hogs {
            hog.join().unwrap();
        }
    }
    match longest < Duration::from_secs(2) {
        true => println!("went on"),
        false => println!("stood still for {longest:?}"),
    }
}

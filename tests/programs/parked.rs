//! Parks goroutines in each way that a debugger must see through, and aborts: for tests/observe/gdb.rs.

use std::{
    hint, process,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use goroutines::{
    Builder, Config,
    chan::{self, select},
    go, grow, sleep,
    sync::Mutex,
};
use goroutines_sched::{GRef, WaitReason, current};
use goroutines_tests::until;

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);

/// Held by the main thread.
static LOCK: Mutex<u32> = Mutex::new(0);

/// Whether the one that computes runs.
static COMPUTES: AtomicBool = AtomicBool::new(false);

/// Goroutines with copy stacks: more than there are windows.
const COPIED: usize = 80;

fn main() {
    let config = Config::new().procs(2).stack_size(128 << 10);
    // SAFETY: the program keeps no thread-local storage over a call that can park.
    unsafe { config.start() }.expect("the runtime starts");
    let held = LOCK.lock().unwrap();
    let (tell, told) = chan::unbounded();
    let wait = |name: &str, reason, f: fn()| {
        let tell = tell.clone();
        let named = Builder::new().name(name.to_owned());
        let spawned = named.spawn(move || {
            tell.send((current(), reason)).unwrap();
            f();
        });
        drop(spawned.unwrap());
    };
    wait("receiver", WaitReason::ChanReceive, waits_for_a_message);
    wait("locker", WaitReason::MutexLock, waits_for_a_lock);
    wait("selector", WaitReason::Select, waits_in_a_select);
    wait("sleeper", WaitReason::Sleep, sleeps_for_long);
    wait("deep", WaitReason::ChanReceive, below_the_segment);
    for _ in 0..3 {
        wait("alike", WaitReason::Sleep, sleeps_as_others_do);
    }
    for i in 0..COPIED {
        let tell = tell.clone();
        let name = format!("copied {i}");
        // SAFETY: nobody else has an address of what lies on these stacks.
        let builder = unsafe { Builder::new().name(name).copy_stack() };
        let spawned = builder.spawn(move || {
            tell.send((current(), WaitReason::ChanReceive)).unwrap();
            waits_copied_out();
        });
        drop(spawned.unwrap());
    }
    let all: Vec<(GRef, WaitReason)> = told.iter().take(8 + COPIED).collect();
    let park = || {
        all.iter()
            .all(|(g, reason)| g.wait_reason() == Some(*reason))
    };
    until("all are parked", park);
    go(computes);
    // Relaxed: only whether it runs.
    until("it computes", || COMPUTES.load(Ordering::Relaxed));
    stops_here();
    drop(held);
}

// What each function does last is its own: the compiler makes one function of two that do the same.

#[inline(never)]
fn stops_here() {
    println!("parked");
    process::abort();
}

#[inline(never)]
fn waits_for_a_message() {
    let (_tx, rx) = chan::bounded::<u32>(0);
    let received = rx.recv();
    hint::black_box(received).unwrap();
}

#[inline(never)]
fn waits_for_a_lock() {
    let locked = LOCK.lock();
    hint::black_box(locked.is_ok());
}

#[inline(never)]
fn waits_in_a_select() {
    let (_a, from_a) = chan::bounded::<u32>(0);
    let (_b, from_b) = chan::bounded::<u32>(0);
    select! {
        recv(from_a) -> got => hint::black_box(got.is_ok()),
        recv(from_b) -> got => hint::black_box(got.is_ok()),
    };
}

#[inline(never)]
fn sleeps_for_long() {
    sleep(LONG);
    hint::black_box(1);
}

#[inline(never)]
fn sleeps_as_others_do() {
    sleep(LONG);
    hint::black_box(2);
}

/// The red zone is more than the goroutine's stack.
#[inline(never)]
fn below_the_segment() {
    grow(512 << 10, on_the_segment);
    hint::black_box(3);
}

#[inline(never)]
fn on_the_segment() {
    waits_for_a_message();
    hint::black_box(4);
}

#[inline(never)]
fn waits_copied_out() {
    waits_for_a_message();
    hint::black_box(5);
}

#[inline(never)]
fn computes() {
    COMPUTES.store(true, Ordering::Relaxed); // Relaxed: as above.
    loop {
        hint::spin_loop();
    }
}

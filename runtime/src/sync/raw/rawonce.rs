//! A closure runs once, and other callers wait for it meanwhile: what `Once`, `OnceLock` and
//! `LazyLock` are built on.
//!
//! ```text
//!                 call: the first                 it returned
//!   INCOMPLETE ───────────────────► RUNNING ─────────────────────► COMPLETE, for ever
//!                                    ▲   │ it panicked
//!               call_once_force      │   ▼
//!                                  POISONED ──► call_once, wait: panic
//! ```
//!
//! The state is changed under the lock only; COMPLETE is also read without it, so that all later calls
//! cost one load.
//!
//! ```text
//! a call                                         a wait
//! O1 COMPLETE: done                              W1 COMPLETE: done
//! O2 lock; RUNNING: wait as in W3, then O1       W2 lock; COMPLETE: unlock, done
//! O3 RUNNING, by me; unlock                      W3 into the queue; park, the commit unlocks
//! O4 run the closure                             W4 woken: W1
//! O5 lock; COMPLETE or POISONED; take the
//!    whole queue; unlock
//! O6 make all of it ready
//! ```
//!
//! No waiter is left asleep: a waiter enters the queue with the lock while O5 is still to come,
//! and its node can be taken only with the lock, which its commit gives up once its context is saved.
//!
//! The closure runs without the lock: it may park, and others park meanwhile. While it runs, `runner`
//! names its goroutine: a caller that finds itself there would wait for itself, and panics.

use std::cell::UnsafeCell;

use super::{
    door::{AtomicU32, ByteLock, GRef, Ordering, Owner, WaitReason, current},
    sleeper::{Sleeper, take_all, wake_all},
    waitq::{Place, Queue},
};

const INCOMPLETE: u32 = 0;
const POISONED: u32 = 1;
const RUNNING: u32 = 2;
const COMPLETE: u32 = 3;

pub(crate) struct RawOnce {
    state: AtomicU32,
    lock: ByteLock,
    /// The goroutine or thread that runs the closure, while RUNNING. Changed under `lock`.
    runner: Owner,
    /// Under `lock`.
    waiters: UnsafeCell<Queue<Sleeper>>,
}

/// What to do when an earlier closure has panicked.
#[derive(Clone, Copy)]
pub(crate) enum OnPoison {
    /// Run the closure, or continue to wait.
    Ignore,
    /// Panic in the name of this type.
    Panic(&'static str),
}

/// What a call finds.
enum Found {
    Complete,
    /// The caller runs the closure; true if it was poisoned.
    Mine(bool),
}

// SAFETY: `waiters` is only touched under `lock`; what it carries is Send.
unsafe impl Sync for RawOnce {}
// SAFETY: the queue is empty while the `RawOnce` is not borrowed, so nothing is moved that a waiter points to.
unsafe impl Send for RawOnce {}

impl RawOnce {
    /// Nothing has happened yet.
    #[cfg(not(goroutines_loom))]
    #[inline]
    pub(crate) const fn new() -> RawOnce {
        RawOnce::in_state(INCOMPLETE)
    }

    /// It has happened already.
    #[cfg(not(goroutines_loom))]
    #[inline]
    pub(crate) const fn completed() -> RawOnce {
        RawOnce::in_state(COMPLETE)
    }

    #[cfg(not(goroutines_loom))]
    const fn in_state(state: u32) -> RawOnce {
        RawOnce {
            state: AtomicU32::new(state),
            lock: ByteLock::new(),
            runner: Owner::new(),
            waiters: UnsafeCell::new(Queue::new()),
        }
    }

    #[cfg(goroutines_loom)]
    pub(crate) fn new() -> RawOnce {
        RawOnce {
            state: AtomicU32::new(INCOMPLETE),
            lock: ByteLock::new(),
            runner: Owner::new(),
            waiters: UnsafeCell::new(Queue::new()),
        }
    }

    #[inline(always)]
    pub(crate) fn is_completed(&self) -> bool {
        // Acquire: partner is the Release in `finish`; what the closure wrote is visible.
        self.state.load(Ordering::Acquire) == COMPLETE
    }

    /// O1. The closure is told whether an earlier one has panicked.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn run<F: FnOnce(bool)>(&self, on_poison: OnPoison, f: F) {
        if !self.is_completed() {
            let mut f = Some(f);
            self.run_slow(on_poison, &mut |poisoned| {
                if let Some(f) = f.take() {
                    f(poisoned);
                }
            });
        }
    }

    /// O2 to O6. Not generic, and apart from the fast path.
    #[cold]
    #[inline(never)]
    #[track_caller]
    fn run_slow(&self, on_poison: OnPoison, f: &mut dyn FnMut(bool)) {
        let Found::Mine(poisoned) = self.begin(on_poison) else {
            return;
        };
        let mut running = Running {
            once: self,
            ends_as: POISONED,
        };
        f(poisoned);
        running.ends_as = COMPLETE;
    }

    /// A closure that panics, without a panic: under loom all threads share one count of panics.
    #[cfg(goroutines_loom)]
    pub(crate) fn fail(&self) {
        if let Found::Mine(_) = self.begin(OnPoison::Ignore) {
            self.finish(POISONED);
        }
    }

    /// O2 and O3.
    #[track_caller]
    fn begin(&self, on_poison: OnPoison) -> Found {
        let g = current();
        loop {
            self.lock.lock();
            // Relaxed: changed only under the lock.
            let state = self.state.load(Ordering::Relaxed);
            match (state, on_poison) {
                (RUNNING, _) => self.wait_locked(g),
                (COMPLETE, _) => {
                    // SAFETY: locked above.
                    unsafe { self.lock.unlock() };
                    return Found::Complete;
                }
                (POISONED, OnPoison::Panic(name)) => self.unlock_and_panic(name),
                _ => {
                    // Relaxed: as above.
                    self.state.store(RUNNING, Ordering::Relaxed);
                    self.runner.give(g);
                    // SAFETY: locked above.
                    unsafe { self.lock.unlock() };
                    return Found::Mine(state == POISONED);
                }
            }
        }
    }

    /// W1 to W4.
    #[track_caller]
    pub(crate) fn wait(&self, on_poison: OnPoison) {
        while !self.is_completed() {
            self.lock.lock();
            // Relaxed: changed only under the lock.
            match (self.state.load(Ordering::Relaxed), on_poison) {
                // SAFETY: locked above.
                (COMPLETE, _) => unsafe { self.lock.unlock() },
                (POISONED, OnPoison::Panic(name)) => self.unlock_and_panic(name),
                _ => self.wait_locked(current()),
            }
        }
    }

    /// W3, for the caller `g`, which has locked. Returns without the lock.
    #[track_caller]
    fn wait_locked(&self, g: GRef) {
        let sleeper = Sleeper::new(g, None);
        let node = Place::of(g, sleeper);
        if self.runner.is(g) {
            // SAFETY: locked by the caller.
            unsafe { self.lock.unlock() };
            waits_for_itself();
        }
        // SAFETY: the lock is held; the node stays here until it was taken out, in O5, which wakes us. The
        // sleeper was made for this wait.
        unsafe {
            (*self.waiters.get()).push_back(&node);
            sleeper.sleep(WaitReason::Once.on(&self.runner), None, &self.lock);
        }
    }

    #[cold]
    #[track_caller]
    fn unlock_and_panic(&self, name: &str) -> ! {
        // SAFETY: the caller has locked.
        unsafe { self.lock.unlock() };
        panic!("{name} instance has previously been poisoned");
    }

    /// O5 and O6.
    fn finish(&self, state: u32) {
        self.lock.lock();
        // Release: partner is the Acquire in `is_completed`.
        self.state.store(state, Ordering::Release);
        self.runner.clear();
        let mut all = Queue::new();
        // SAFETY: the lock is held.
        take_all(unsafe { &mut *self.waiters.get() }, &mut all);
        // SAFETY: locked above; what was taken is woken this once.
        unsafe {
            self.lock.unlock();
            wake_all(all);
        }
    }
}

/// The closure is running, until this is dropped: when it has returned, or unwinds.
struct Running<'a> {
    once: &'a RawOnce,
    ends_as: u32,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.once.finish(self.ends_as);
    }
}

#[cold]
#[track_caller]
fn waits_for_itself() -> ! {
    panic!(
        "goroutines::sync: a closure that runs once asks for its own completion and would wait for itself \
         for ever; it must not use the Once, OnceLock or LazyLock that runs it"
    );
}

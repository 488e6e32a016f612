//! `Once`: something happens once, and whoever comes meanwhile waits for it.
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
//! who calls                                      who waits
//! O1 COMPLETE: done                              W1 COMPLETE: done
//! O2 lock; RUNNING: wait as in W3, then O1       W2 lock; COMPLETE: unlock, done
//! O3 RUNNING, by me; unlock                      W3 into the queue; park, the commit unlocks
//! O4 run the closure                             W4 woken: W1
//! O5 lock; COMPLETE or POISONED; take the
//!    whole queue; unlock
//! O6 make all of it ready
//! ```
//!
//! Nobody is left asleep: whoever is in the queue came there with the lock while O5 was still to come,
//! and its node can be taken only with the lock, which it gives free once its context is saved.
//!
//! The closure runs without the lock: it may park, and others park meanwhile. While it runs, the state
//! says who runs it: who finds itself there would wait for itself.

use std::{
    cell::UnsafeCell,
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
};

use super::{
    door::{AtomicU32, ByteLock, GRef, Ordering, current},
    oncestate::OnceState,
    sleeper::{Sleeper, take_all, wake_all},
    waitq::{Place, Queue},
};

const INCOMPLETE: u32 = 0;
const POISONED: u32 = 1;
const RUNNING: u32 = 2;
const COMPLETE: u32 = 3;

/// Runs a closure once, whoever asks for it first: shaped as [`std::sync::Once`].
///
/// The closure may park (sleep, receive from a channel): others that call meanwhile park as well.
///
/// For a value that is made once there are [`OnceLock`](super::OnceLock) and
/// [`LazyLock`](super::LazyLock).
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::sync::Once;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// static PREPARED: Once = Once::new();
/// static TIMES: AtomicU32 = AtomicU32::new(0);
///
/// let handles: Vec<_> = (0..10)
///     .map(|_| {
///         goroutines::go(|| PREPARED.call_once(|| drop(TIMES.fetch_add(1, Ordering::Relaxed))))
///     })
///     .collect();
/// handles.into_iter().for_each(|handle| handle.join().unwrap());
/// assert_eq!(TIMES.load(Ordering::Relaxed), 1);
/// ```
pub struct Once {
    state: AtomicU32,
    lock: ByteLock,
    /// Under `lock`.
    inner: UnsafeCell<Inner>,
}

struct Inner {
    waiters: Queue<Sleeper>,
    /// Who runs the closure, while RUNNING.
    runner: Option<GRef>,
}

/// What to do when an earlier closure has panicked.
#[derive(Clone, Copy)]
pub(super) enum OnPoison {
    /// Run the closure, go on waiting.
    Ignore,
    /// Panic in the name of this type.
    Panic(&'static str),
}

/// What a call finds.
enum Found {
    Complete,
    /// It is the caller's to run the closure; was it poisoned?
    Mine(bool),
}

// SAFETY: `inner` is only touched under `lock`; what it carries is Send.
unsafe impl Sync for Once {}
// SAFETY: as above; the queue is empty while nobody borrows the Once.
unsafe impl Send for Once {}

// A closure that panicked is remembered.
impl UnwindSafe for Once {}
impl RefUnwindSafe for Once {}

impl Once {
    /// Nothing has happened yet.
    #[allow(clippy::new_without_default, reason = "std's has none")]
    #[cfg(not(loom))]
    #[inline]
    #[must_use]
    pub const fn new() -> Once {
        Once::in_state(INCOMPLETE)
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Once {
        Once {
            state: AtomicU32::new(INCOMPLETE),
            lock: ByteLock::new(),
            inner: UnsafeCell::new(Inner {
                waiters: Queue::new(),
                runner: None,
            }),
        }
    }

    /// It has happened already.
    #[cfg(not(loom))]
    #[inline]
    pub(super) const fn completed() -> Once {
        Once::in_state(COMPLETE)
    }

    #[cfg(not(loom))]
    const fn in_state(state: u32) -> Once {
        Once {
            state: AtomicU32::new(state),
            lock: ByteLock::new(),
            inner: UnsafeCell::new(Inner {
                waiters: Queue::new(),
                runner: None,
            }),
        }
    }

    /// Runs `f` if no closure was run here yet; waits while another one is running. Afterwards a closure
    /// has run to its end, and what it wrote is visible to the caller.
    ///
    /// # Parks
    ///
    /// While another caller's closure runs: only the goroutine. A plain OS thread sleeps.
    ///
    /// # Panics
    ///
    /// When `f` does, which poisons the `Once`, and when it is poisoned: a closure has panicked earlier.
    ///
    /// When the closure calls this for the `Once` that runs it: it would wait for itself. That is noticed
    /// only on the goroutine or thread that runs the closure; a closure that waits for another goroutine
    /// that waits for the `Once` waits for ever.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::sync::Once;
    ///
    /// let (once, mut times) = (Once::new(), 0);
    /// once.call_once(|| times += 1);
    /// once.call_once(|| times += 1);
    /// assert_eq!(times, 1);
    /// ```
    #[inline]
    #[track_caller]
    pub fn call_once<F: FnOnce()>(&self, f: F) {
        self.run(OnPoison::Panic("Once"), |_| f());
    }

    /// As [`call_once`](Once::call_once), but runs `f` also when earlier closures have panicked. If `f`
    /// returns, the `Once` is not poisoned any more.
    ///
    /// # Parks
    ///
    /// As [`call_once`](Once::call_once).
    ///
    /// # Panics
    ///
    /// When `f` does, and when the closure calls this for the `Once` that runs it.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::sync::Once;
    ///
    /// static ONCE: Once = Once::new();
    /// let failed = goroutines::go(|| ONCE.call_once(|| panic!("half done"))).join();
    /// assert!(failed.is_err());
    /// ONCE.call_once_force(|state| assert!(state.is_poisoned()));
    /// ONCE.call_once(|| unreachable!("it has happened"));
    /// ```
    #[inline]
    #[track_caller]
    pub fn call_once_force<F: FnOnce(&OnceState)>(&self, f: F) {
        self.run(OnPoison::Ignore, f);
    }

    /// Has a closure run to its end?
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::sync::Once;
    ///
    /// let once = Once::new();
    /// once.call_once(|| assert!(!once.is_completed()));
    /// assert!(once.is_completed());
    /// ```
    #[inline(always)]
    pub fn is_completed(&self) -> bool {
        // Acquire: partner is the Release in `finish`; what the closure wrote is visible.
        self.state.load(Ordering::Acquire) == COMPLETE
    }

    /// Waits until a closure has run to its end, also if none was started yet.
    ///
    /// # Parks
    ///
    /// While it waits: only the goroutine. A plain OS thread sleeps.
    ///
    /// # Panics
    ///
    /// When a closure has panicked, before or while waiting; and when the closure calls this for the
    /// `Once` that runs it.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::sync::Once;
    ///
    /// static READY: Once = Once::new();
    /// goroutines::go(|| READY.call_once(|| ()));
    /// READY.wait();
    /// assert!(READY.is_completed());
    /// ```
    #[track_caller]
    pub fn wait(&self) {
        self.wait_for_it(OnPoison::Panic("Once"));
    }

    /// As [`wait`](Once::wait), but goes on waiting when a closure panics: until another one has run to
    /// its end, in [`call_once_force`](Once::call_once_force).
    ///
    /// # Parks
    ///
    /// As [`wait`](Once::wait).
    ///
    /// # Panics
    ///
    /// When the closure calls this for the `Once` that runs it.
    #[track_caller]
    pub fn wait_force(&self) {
        self.wait_for_it(OnPoison::Ignore);
    }

    /// O1.
    #[inline(always)]
    #[track_caller]
    pub(super) fn run<F: FnOnce(&OnceState)>(&self, on_poison: OnPoison, f: F) {
        if !self.is_completed() {
            let mut f = Some(f);
            self.run_slow(on_poison, &mut |state| {
                if let Some(f) = f.take() {
                    f(state);
                }
            });
        }
    }

    /// O2 to O6. Not generic, and out of the way of those who find it done.
    #[cold]
    #[inline(never)]
    #[track_caller]
    fn run_slow(&self, on_poison: OnPoison, f: &mut dyn FnMut(&OnceState)) {
        let Found::Mine(poisoned) = self.begin(on_poison) else {
            return;
        };
        let mut running = Running {
            once: self,
            ends_as: POISONED,
        };
        f(&OnceState::new(poisoned));
        running.ends_as = COMPLETE;
    }

    /// A closure that panics, without a panic: under loom all threads share one count of panics.
    #[cfg(loom)]
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
                    // SAFETY: locked above.
                    unsafe {
                        (*self.inner.get()).runner = Some(g);
                        self.lock.unlock();
                    }
                    return Found::Mine(state == POISONED);
                }
            }
        }
    }

    /// W1 to W4.
    #[track_caller]
    fn wait_for_it(&self, on_poison: OnPoison) {
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

    /// W3, for `g`, who runs here and has locked. Returns without the lock.
    #[track_caller]
    fn wait_locked(&self, g: GRef) {
        let sleeper = Sleeper::new(g, None);
        let node = Place::of(g, sleeper);
        // SAFETY: locked by the caller.
        let inner = unsafe { &mut *self.inner.get() };
        if inner.runner == Some(g) {
            // SAFETY: locked by the caller.
            unsafe { self.lock.unlock() };
            waits_for_itself();
        }
        // SAFETY: the lock is held; the node stays here until it was taken out, by who wakes us. The
        // sleeper was made for this wait.
        unsafe {
            inner.waiters.push_back(&node);
            sleeper.sleep(None, &self.lock);
        }
    }

    #[cold]
    #[track_caller]
    fn unlock_and_panic(&self, name: &str) -> ! {
        // SAFETY: the callers have locked.
        unsafe { self.lock.unlock() };
        panic!("{name} instance has previously been poisoned");
    }

    /// O5 and O6.
    fn finish(&self, state: u32) {
        self.lock.lock();
        // Release: partner is the Acquire in `is_completed`.
        self.state.store(state, Ordering::Release);
        // SAFETY: the lock is held.
        let inner = unsafe { &mut *self.inner.get() };
        inner.runner = None;
        let mut all = Queue::new();
        take_all(&mut inner.waiters, &mut all);
        // SAFETY: locked above; what was taken is woken this once.
        unsafe {
            self.lock.unlock();
            wake_all(all);
        }
    }
}

/// The closure is running: when this goes, by returning or unwinding, it is not any more.
struct Running<'a> {
    once: &'a Once,
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

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}

//! `Once`: something happens once. The protocol is in rawonce.rs.

use std::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
};

use super::{
    oncestate::OnceState,
    raw::rawonce::{OnPoison, RawOnce},
};

/// Runs a closure once, that of the first caller: shaped as [`std::sync::Once`].
///
/// The closure may park (sleep, receive from a channel): other callers park meanwhile.
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
    raw: RawOnce,
}

// A closure that panicked is remembered.
/// [`Once::new`], as a constant: std's old name, from before `new` was `const`.
///
/// # Examples
///
/// ```
/// # #![allow(deprecated)]
/// use goroutines::sync::{ONCE_INIT, Once};
///
/// static PREPARED: Once = ONCE_INIT;
/// PREPARED.call_once(|| ());
/// assert!(PREPARED.is_completed());
/// ```
#[deprecated(note = "the function `Once::new()` is as good, and shorter")]
#[expect(
    clippy::declare_interior_mutable_const,
    reason = "each use is to be a Once of its own"
)]
pub const ONCE_INIT: Once = Once::new();

impl UnwindSafe for Once {}
impl RefUnwindSafe for Once {}

impl Once {
    /// Nothing has happened yet.
    #[allow(clippy::new_without_default, reason = "std's has none")]
    #[inline]
    #[must_use]
    pub const fn new() -> Once {
        Once {
            raw: RawOnce::new(),
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
    /// only on the goroutine or thread that runs the closure. A closure that waits for another goroutine
    /// which waits for the `Once` waits for ever.
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
        self.raw.run(OnPoison::Panic("Once"), |_| f());
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
        self.raw
            .run(OnPoison::Ignore, |poisoned| f(&OnceState::new(poisoned)));
    }

    /// Returns whether a closure has run to its end.
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
        self.raw.is_completed()
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
        self.raw.wait(OnPoison::Panic("Once"));
    }

    /// As [`wait`](Once::wait), but continues to wait when a closure panics: until another one has run to
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
        self.raw.wait(OnPoison::Ignore);
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}

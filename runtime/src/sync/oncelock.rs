//! `OnceLock`: a place that is written once.
//!
//! The value is an `Option` although the `RawOnce` knows whether it is there: so the compiler drops it,
//! and what it borrows need not outlive it, as with std's.

use std::{
    cell::UnsafeCell,
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
};

use super::raw::rawonce::{OnPoison, RawOnce};

/// A value that is written at most once and then shared: shaped as [`std::sync::OnceLock`].
///
/// The closure of [`get_or_init`](OnceLock::get_or_init) may park: other callers that use the value park
/// meanwhile.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::sync::OnceLock;
/// use std::time::Duration;
///
/// static CONFIG: OnceLock<String> = OnceLock::new();
///
/// fn config() -> &'static str {
///     CONFIG.get_or_init(|| {
///         goroutines::sleep(Duration::from_millis(1)); // only goroutines wait here
///         "loaded".to_owned()
///     })
/// }
///
/// let handles: Vec<_> = (0..10).map(|_| goroutines::go(config)).collect();
/// assert!(handles.into_iter().all(|handle| handle.join().unwrap() == "loaded"));
/// ```
pub struct OnceLock<T> {
    once: RawOnce,
    /// Written by the closure of `once`. Complete: a value is here.
    value: UnsafeCell<Option<T>>,
}

// SAFETY: shared access to the lock gives shared access to the value (T: Sync), and lets one thread put
// in what another takes out (T: Send).
unsafe impl<T: Sync + Send> Sync for OnceLock<T> {}

impl<T: RefUnwindSafe + UnwindSafe> RefUnwindSafe for OnceLock<T> {}
impl<T: UnwindSafe> UnwindSafe for OnceLock<T> {}

impl<T> OnceLock<T> {
    /// A place without a value.
    #[inline]
    #[must_use]
    pub const fn new() -> OnceLock<T> {
        OnceLock {
            once: RawOnce::new(),
            value: UnsafeCell::new(None),
        }
    }

    /// The value, if there is one. Never waits: while one is being made there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = goroutines::sync::OnceLock::new();
    /// assert_eq!(lock.get(), None);
    /// lock.set(1).unwrap();
    /// assert_eq!(lock.get(), Some(&1));
    /// ```
    #[inline]
    pub fn get(&self) -> Option<&T> {
        // SAFETY: it is complete.
        self.once.is_completed().then(|| unsafe { self.there() })
    }

    /// # Safety
    ///
    /// `once` is complete.
    #[inline(always)]
    unsafe fn there(&self) -> &T {
        // SAFETY: the closure has written the value before `once` was complete, and nothing writes it
        // through a shared reference after that.
        unsafe { (*self.value.get()).as_ref().unwrap_unchecked() }
    }

    /// The value, if there is one, to be changed.
    #[inline]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut().as_mut()
    }

    /// Waits until there is a value.
    ///
    /// # Parks
    ///
    /// While it waits: only the goroutine. A plain OS thread sleeps.
    ///
    /// # Panics
    ///
    /// When the closure that makes the value calls it.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::sync::OnceLock;
    ///
    /// static ANSWER: OnceLock<u32> = OnceLock::new();
    /// goroutines::go(|| ANSWER.set(42).unwrap());
    /// assert_eq!(ANSWER.wait(), &42);
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait(&self) -> &T {
        self.once.wait(OnPoison::Ignore);
        // SAFETY: it is complete.
        unsafe { self.there() }
    }

    /// Puts `value` in if there is none; waits while one is being made.
    ///
    /// # Parks
    ///
    /// While a closure of [`get_or_init`](OnceLock::get_or_init) runs.
    ///
    /// # Errors
    ///
    /// When there is a value already: `value` is in the error.
    ///
    /// # Panics
    ///
    /// When the closure that makes the value calls it.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = goroutines::sync::OnceLock::new();
    /// assert_eq!(lock.set(1), Ok(()));
    /// assert_eq!(lock.set(2), Err(2));
    /// ```
    #[inline]
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.get_or_run(|| value.take());
        match value {
            None => Ok(()),
            Some(value) => Err(value),
        }
    }

    /// The value; if there is none, `f` makes it. Of several callers one runs its closure, the others
    /// wait.
    ///
    /// # Parks
    ///
    /// While another caller's closure runs: only the goroutine. A plain OS thread sleeps.
    ///
    /// # Panics
    ///
    /// When `f` does: there is no value then, and the next caller runs its closure. And when the closure
    /// calls this for the `OnceLock` that it makes the value of.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = goroutines::sync::OnceLock::new();
    /// assert_eq!(lock.get_or_init(|| 1), &1);
    /// assert_eq!(lock.get_or_init(|| unreachable!()), &1);
    /// ```
    #[inline]
    #[track_caller]
    pub fn get_or_init<F: FnOnce() -> T>(&self, f: F) -> &T {
        self.get_or_run(|| Some(f()))
    }

    /// `f` returns something.
    #[inline(always)]
    #[track_caller]
    fn get_or_run(&self, f: impl FnOnce() -> Option<T>) -> &T {
        self.once.run(OnPoison::Ignore, |_| {
            let value = f();
            // SAFETY: one closure at a time runs here, and the value is not read before it has completed. What is
            // overwritten is None: closures that did not complete have not come here.
            unsafe { *self.value.get() = value };
        });
        // SAFETY: it is complete.
        unsafe { self.there() }
    }

    /// The value, if there is one.
    #[inline]
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Takes the value out, if there is one. Afterwards the `OnceLock` is as new.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut lock = goroutines::sync::OnceLock::from(1);
    /// assert_eq!(lock.take(), Some(1));
    /// assert_eq!(lock.take(), None);
    /// lock.set(2).unwrap();
    /// ```
    #[inline]
    pub fn take(&mut self) -> Option<T> {
        std::mem::take(self).into_inner()
    }
}

impl<T> From<T> for OnceLock<T> {
    fn from(value: T) -> OnceLock<T> {
        OnceLock {
            once: RawOnce::completed(),
            value: UnsafeCell::new(Some(value)),
        }
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> OnceLock<T> {
        OnceLock::new()
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    fn clone(&self) -> OnceLock<T> {
        self.get()
            .cloned()
            .map_or_else(OnceLock::new, OnceLock::from)
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    fn eq(&self, other: &OnceLock<T>) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceLock<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_tuple("OnceLock");
        match self.get() {
            Some(value) => out.field(value),
            None => out.field(&format_args!("<uninit>")),
        };
        out.finish()
    }
}

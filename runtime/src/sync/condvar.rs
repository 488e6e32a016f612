//! Waiting for a condition under a mutex: `std::sync::Condvar` for goroutines.

use std::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
    sync::LockResult,
    time::{Duration, Instant},
};

use super::{
    MutexGuard,
    raw::{limit::Limit, rawcond::RawCond},
};

/// Lets the holder of a [`Mutex`](super::Mutex) wait until its value is as it needs it: shaped as
/// [`std::sync::Condvar`].
///
/// Waiters are notified in the order in which they came. There are no spurious wake-ups, but a notified
/// waiter competes for the mutex with all others: the value may have changed once more, so wait in a loop,
/// or with [`wait_while`](Condvar::wait_while).
///
/// Waiters may use different mutexes, where std may panic: each gets its own back.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::{go, sync::{Condvar, Mutex}};
///
/// static READY: Mutex<bool> = Mutex::new(false);
/// static CHANGED: Condvar = Condvar::new();
/// let waiter = go(|| *CHANGED.wait_while(READY.lock().unwrap(), |ready| !*ready).unwrap());
/// *READY.lock().unwrap() = true;
/// CHANGED.notify_one();
/// assert!(waiter.join().unwrap());
/// ```
pub struct Condvar {
    raw: RawCond,
}

impl UnwindSafe for Condvar {}
impl RefUnwindSafe for Condvar {}

/// Whether a wait ended because the time was up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Returns whether the time was up, without a notification.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    /// A condition without waiters.
    #[inline]
    pub const fn new() -> Condvar {
        Condvar {
            raw: RawCond::new(),
        }
    }

    /// Unlocks the mutex, waits for a notification, and locks it again.
    ///
    /// # Parks
    ///
    /// While it waits: only the goroutine. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// When the mutex is poisoned; the guard is in the error.
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.wait_at(&guard, None);
        guard.mutex().poison.wrap(guard)
    }

    /// Waits until `condition` returns false. It is called before the first wait and after each.
    ///
    /// # Parks
    ///
    /// As [`wait`](Condvar::wait).
    ///
    /// # Errors
    ///
    /// When the mutex is poisoned; the guard is in the error.
    pub fn wait_while<'a, T: ?Sized, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: F,
    ) -> LockResult<MutexGuard<'a, T>>
    where
        F: FnMut(&mut T) -> bool,
    {
        while condition(&mut guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// As [`wait`](Condvar::wait), at most for `dur`: with a duration of zero it unlocks, lets other goroutines
    /// run, and locks.
    ///
    /// # Parks
    ///
    /// As `wait`.
    ///
    /// # Errors
    ///
    /// When the mutex is poisoned; guard and result are in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::sync::{Condvar, Mutex};
    /// use std::time::Duration;
    ///
    /// let (mutex, changed) = (Mutex::new(()), Condvar::new());
    /// let guard = mutex.lock().unwrap();
    /// let (guard, result) = changed.wait_timeout(guard, Duration::from_millis(1)).unwrap();
    /// assert!(result.timed_out());
    /// # drop(guard);
    /// ```
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        dur: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let notified = self.wait_at(&guard, Limit::at(Instant::now().checked_add(dur)).as_ref());
        let poison = &guard.mutex().poison;
        poison.wrap((guard, WaitTimeoutResult(!notified)))
    }

    /// As [`wait_while`](Condvar::wait_while), at most for `dur` in all. The result says whether the
    /// condition was still true when the time was up.
    ///
    /// # Parks
    ///
    /// As [`wait`](Condvar::wait).
    ///
    /// # Errors
    ///
    /// When the mutex is poisoned; guard and result are in the error.
    pub fn wait_timeout_while<'a, T: ?Sized, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        dur: Duration,
        mut condition: F,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)>
    where
        F: FnMut(&mut T) -> bool,
    {
        let deadline = Instant::now().checked_add(dur);
        loop {
            if !condition(&mut guard) {
                return Ok((guard, WaitTimeoutResult(false)));
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok((guard, WaitTimeoutResult(true)));
            }
            let notified = self.wait_at(&guard, Limit::at(deadline).as_ref());
            if guard.mutex().is_poisoned() {
                let poison = &guard.mutex().poison;
                return poison.wrap((guard, WaitTimeoutResult(!notified)));
            }
        }
    }

    /// As [`wait_timeout`](Condvar::wait_timeout), in milliseconds; the result is false when the time
    /// was up.
    ///
    /// # Parks
    ///
    /// As [`wait`](Condvar::wait).
    ///
    /// # Errors
    ///
    /// When the mutex is poisoned; guard and result are in the error.
    #[deprecated(note = "replaced by `wait_timeout`")]
    pub fn wait_timeout_ms<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        ms: u32,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        let notified = |(guard, result): (_, WaitTimeoutResult)| (guard, !result.timed_out());
        match self.wait_timeout(guard, Duration::from_millis(ms.into())) {
            Ok(both) => Ok(notified(both)),
            Err(poisoned) => Err(super::PoisonError::new(notified(poisoned.into_inner()))),
        }
    }

    /// Wakes the waiter that has waited longest, if there is one.
    pub fn notify_one(&self) {
        self.raw.notify_one();
    }

    /// Wakes all that wait now.
    pub fn notify_all(&self) {
        self.raw.notify_all();
    }

    pub(super) fn wait_at<T: ?Sized>(
        &self,
        guard: &MutexGuard<'_, T>,
        limit: Option<&Limit<'_>>,
    ) -> bool {
        // SAFETY: the guard says that the caller holds the lock. While it does not, nothing is reached
        // through the guard: we have it.
        unsafe { self.raw.wait(&guard.mutex().raw, limit) }
    }
}

impl Default for Condvar {
    fn default() -> Condvar {
        Condvar::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}

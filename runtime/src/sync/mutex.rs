//! The mutex: `std::sync::Mutex` for goroutines.

use std::{
    cell::UnsafeCell,
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
    sync::{LockResult, TryLockError, TryLockResult},
    time::{Duration, Instant},
};

use goroutines_sched::give_way;

use super::{
    MutexGuard, poison,
    raw::{limit::Limit, rawlock::RawLock},
};

/// A value that one goroutine or thread at a time may use: shaped as [`std::sync::Mutex`], with its
/// errors.
///
/// A guard may be held over a call that parks: others that want the lock park meanwhile.
///
/// A new caller may take a lock that was just freed although others wait. A waiter that loses the lock in
/// this way for more than 1 ms gets it handed over.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::sync::Mutex;
/// use std::sync::Arc;
///
/// let count = Arc::new(Mutex::new(0));
/// let handles: Vec<_> = (0..10)
///     .map(|_| {
///         let count = Arc::clone(&count);
///         goroutines::go(move || *count.lock().unwrap() += 1)
///     })
///     .collect();
/// handles.into_iter().for_each(|handle| handle.join().unwrap());
/// assert_eq!(*count.lock().unwrap(), 10);
/// ```
pub struct Mutex<T: ?Sized> {
    pub(super) raw: RawLock,
    pub(super) poison: poison::Flag,
    pub(super) data: UnsafeCell<T>,
}

// SAFETY: the value goes with the mutex.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: one holder at a time reaches the value, from any thread: that takes T: Send.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

// A panic under the lock poisons it: no caller sees the value half changed without an error.
impl<T: ?Sized> UnwindSafe for Mutex<T> {}
impl<T: ?Sized> RefUnwindSafe for Mutex<T> {}

impl<T> Mutex<T> {
    /// An unlocked mutex.
    #[inline]
    pub const fn new(value: T) -> Mutex<T> {
        Mutex {
            raw: RawLock::new(),
            poison: poison::Flag::new(),
            data: UnsafeCell::new(value),
        }
    }

    /// The value.
    ///
    /// # Errors
    ///
    /// When the mutex is poisoned; the value is in the error.
    pub fn into_inner(self) -> LockResult<T> {
        self.poison.wrap(self.data.into_inner())
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Locks; waits while another holds the lock.
    ///
    /// # Parks
    ///
    /// While it waits: only the goroutine. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// When a holder of the lock panicked; the guard is in the error.
    ///
    /// # Panics
    ///
    /// In debug builds when the caller holds the lock already. In release builds it waits for ever then.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::sync::Mutex;
    ///
    /// static LOG: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    /// goroutines::go(|| LOG.lock().unwrap().push("hello")).join().unwrap();
    /// assert_eq!(*LOG.lock().unwrap(), ["hello"]);
    /// ```
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        give_way();
        self.raw.lock();
        self.guard()
    }

    /// Locks if the lock is free.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] when it is locked, [`TryLockError::Poisoned`] as for
    /// [`lock`](Mutex::lock).
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::sync::Mutex;
    ///
    /// let mutex = Mutex::new(1);
    /// let guard = mutex.try_lock().unwrap();
    /// assert!(mutex.try_lock().is_err());
    /// drop(guard);
    /// assert!(mutex.try_lock().is_ok());
    /// ```
    #[inline]
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        if self.raw.try_lock() {
            Ok(self.guard()?)
        } else {
            Err(TryLockError::WouldBlock)
        }
    }

    /// As [`lock`](Mutex::lock), but gives up after `timeout`.
    ///
    /// # Parks
    ///
    /// As `lock`.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] when the time is up, [`TryLockError::Poisoned`] as for `lock`.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::sync::Mutex;
    /// use std::time::Duration;
    ///
    /// let mutex = Mutex::new(1);
    /// let guard = mutex.try_lock_for(Duration::MAX).unwrap();
    /// assert!(mutex.try_lock_for(Duration::from_millis(1)).is_err());
    /// # drop(guard);
    /// ```
    pub fn try_lock_for(&self, timeout: Duration) -> TryLockResult<MutexGuard<'_, T>> {
        self.try_lock_at(Instant::now().checked_add(timeout))
    }

    /// As [`lock`](Mutex::lock), but gives up at `deadline`. A lock that is free is taken even when the
    /// deadline has passed.
    ///
    /// # Parks
    ///
    /// As `lock`.
    ///
    /// # Errors
    ///
    /// As for [`try_lock_for`](Mutex::try_lock_for).
    pub fn try_lock_until(&self, deadline: Instant) -> TryLockResult<MutexGuard<'_, T>> {
        self.try_lock_at(Some(deadline))
    }

    fn try_lock_at(&self, deadline: Option<Instant>) -> TryLockResult<MutexGuard<'_, T>> {
        if self.raw.lock_until(Limit::at(deadline).as_ref()) {
            Ok(self.guard()?)
        } else {
            Err(TryLockError::WouldBlock)
        }
    }

    /// The lock was just taken.
    #[inline(always)]
    pub(super) fn guard(&self) -> LockResult<MutexGuard<'_, T>> {
        self.poison.wrap(MutexGuard::new(self))
    }

    /// Returns whether a holder of the lock panicked.
    #[inline]
    pub fn is_poisoned(&self) -> bool {
        self.poison.get()
    }

    /// Declares the value good again.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::sync::Mutex;
    /// use std::sync::Arc;
    ///
    /// let mutex = Arc::new(Mutex::new(0));
    /// let same = Arc::clone(&mutex);
    /// let failed = goroutines::go(move || {
    ///     let _guard = same.lock().unwrap();
    ///     panic!("under the lock");
    /// });
    /// assert!(failed.join().is_err());
    /// assert!(mutex.is_poisoned());
    /// *mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = 1;
    /// mutex.clear_poison();
    /// assert_eq!(*mutex.lock().unwrap(), 1);
    /// ```
    #[inline]
    pub fn clear_poison(&self) {
        self.poison.clear();
    }

    /// The value, without locking: the mutable borrow excludes all others.
    ///
    /// # Errors
    ///
    /// When the mutex is poisoned; the value is in the error.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        let value = self.data.get_mut();
        self.poison.wrap(value)
    }
}

poison::made_of_value!(Mutex);

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        poison::show(f, "Mutex", self.try_lock(), &"<locked>", self.is_poisoned())
    }
}

//! The reader-writer lock: `std::sync::RwLock` for goroutines.

use std::{
    cell::UnsafeCell,
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
    sync::{LockResult, TryLockError, TryLockResult},
    time::{Duration, Instant},
};

use super::{
    RwLockReadGuard, RwLockWriteGuard, poison,
    raw::{limit::Limit, rawrw::RawRw},
};

/// A value that many may read at a time, or one may change: shaped as [`std::sync::RwLock`], with its
/// errors.
///
/// Neither side starves the other. A free lock goes to the first that takes it, a new caller or a woken waiter, until a
/// waiter has waited for more than 1 ms. From then on the sides take turns, and new callers queue up: after a writer all
/// waiting readers go in together, after them the next writer. Readers never join readers while a writer waits. So a
/// goroutine that reads must not read again before it has dropped its first guard: a writer may wait for the first guard,
/// and the second read would wait for that writer.
///
/// A guard may be held over a call that parks: others that want the lock park meanwhile.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::{go, sync::RwLock};
///
/// static ROUTES: RwLock<Vec<&str>> = RwLock::new(Vec::new());
/// ROUTES.write().unwrap().push("/");
/// let readers: Vec<_> = (0..10).map(|_| go(|| ROUTES.read().unwrap().len())).collect();
/// for reader in readers {
///     assert_eq!(reader.join().unwrap(), 1);
/// }
/// ```
pub struct RwLock<T: ?Sized> {
    pub(super) raw: RawRw,
    pub(super) poison: poison::Flag,
    pub(super) data: UnsafeCell<T>,
}

// SAFETY: the value goes with the lock.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}
// SAFETY: one writer at a time reaches the value from any thread, which takes T: Send; readers share it,
// which takes T: Sync.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

// A panic of a writer poisons it: no caller sees the value half changed without an error.
impl<T: ?Sized> UnwindSafe for RwLock<T> {}
impl<T: ?Sized> RefUnwindSafe for RwLock<T> {}

impl<T> RwLock<T> {
    /// An unlocked lock.
    #[inline]
    pub const fn new(value: T) -> RwLock<T> {
        RwLock {
            raw: RawRw::new(),
            poison: poison::Flag::new(),
            data: UnsafeCell::new(value),
        }
    }

    /// The value.
    ///
    /// # Errors
    ///
    /// When the lock is poisoned; the value is in the error.
    pub fn into_inner(self) -> LockResult<T> {
        self.poison.wrap(self.data.into_inner())
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Locks for reading; waits while there is a writer inside, and while a writer waits for readers to leave.
    ///
    /// # Parks
    ///
    /// While it waits: only the goroutine. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// When a writer panicked; the guard is in the error.
    ///
    /// # Panics
    ///
    /// When there are 4294967295 readers already: guards have been forgotten. In debug builds also when
    /// the caller is the writer; in release builds it waits for ever then.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::sync::RwLock;
    ///
    /// let lock = RwLock::new(1);
    /// let (one, two) = (lock.read().unwrap(), lock.try_read().unwrap());
    /// assert_eq!(*one + *two, 2);
    /// assert!(lock.try_write().is_err());
    /// ```
    #[inline]
    #[track_caller]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        self.read_at(None);
        self.reader()
    }

    /// Locks for reading if [`read`](RwLock::read) would not wait, and there are not too many readers.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] when it would have to wait, [`TryLockError::Poisoned`] as for
    /// [`read`](RwLock::read).
    #[inline]
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        if self.raw.try_read() {
            Ok(self.reader()?)
        } else {
            Err(TryLockError::WouldBlock)
        }
    }

    /// As [`read`](RwLock::read), but gives up after `timeout`.
    ///
    /// # Parks
    ///
    /// As `read`.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] when the time is up, [`TryLockError::Poisoned`] as for `read`.
    ///
    /// # Panics
    ///
    /// When there are too many readers, as `read`.
    #[track_caller]
    pub fn try_read_for(&self, timeout: Duration) -> TryLockResult<RwLockReadGuard<'_, T>> {
        if self.read_at(Limit::at(Instant::now().checked_add(timeout)).as_ref()) {
            Ok(self.reader()?)
        } else {
            Err(TryLockError::WouldBlock)
        }
    }

    /// Locks for writing; waits until no other caller holds the lock.
    ///
    /// # Parks
    ///
    /// While it waits: only the goroutine. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// When a writer panicked; the guard is in the error.
    ///
    /// # Panics
    ///
    /// In debug builds when the caller is the writer already. In release builds it waits for ever then. A caller that
    /// holds a read guard waits for ever in any build.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::sync::RwLock;
    ///
    /// let lock = RwLock::new(String::from("a"));
    /// lock.write().unwrap().push('b');
    /// assert_eq!(*lock.read().unwrap(), "ab");
    /// ```
    #[inline]
    #[track_caller]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        self.raw.write(None);
        self.writer()
    }

    /// Locks for writing if the lock is free.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] when it is not, [`TryLockError::Poisoned`] as for
    /// [`write`](RwLock::write).
    #[inline]
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        if self.raw.try_write() {
            Ok(self.writer()?)
        } else {
            Err(TryLockError::WouldBlock)
        }
    }

    /// As [`write`](RwLock::write), but gives up after `timeout`.
    ///
    /// # Parks
    ///
    /// As `write`.
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] when the time is up, [`TryLockError::Poisoned`] as for `write`.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::sync::RwLock;
    /// use std::time::Duration;
    ///
    /// let lock = RwLock::new(());
    /// let reader = lock.read().unwrap();
    /// assert!(lock.try_write_for(Duration::from_millis(1)).is_err());
    /// // The writer that has given up does not block readers.
    /// assert!(lock.try_read().is_ok());
    /// # drop(reader);
    /// ```
    #[track_caller]
    pub fn try_write_for(&self, timeout: Duration) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        if self
            .raw
            .write(Limit::at(Instant::now().checked_add(timeout)).as_ref())
        {
            Ok(self.writer()?)
        } else {
            Err(TryLockError::WouldBlock)
        }
    }

    /// Returns whether it is locked for reading now.
    #[inline(always)]
    #[track_caller]
    pub(super) fn read_at(&self, limit: Option<&Limit<'_>>) -> bool {
        match self.raw.read(limit) {
            Ok(locked) => locked,
            Err(too_many) => too_many.panic("RwLock::read"),
        }
    }

    /// It was just locked for reading.
    #[inline(always)]
    pub(super) fn reader(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        self.poison.wrap(RwLockReadGuard::new(self))
    }

    /// It was just locked for writing.
    #[inline(always)]
    pub(super) fn writer(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        self.poison.wrap(RwLockWriteGuard::new(self))
    }

    /// Returns whether a writer panicked.
    #[inline]
    pub fn is_poisoned(&self) -> bool {
        self.poison.get()
    }

    /// Declares the value good again.
    #[inline]
    pub fn clear_poison(&self) {
        self.poison.clear();
    }

    /// The value, without locking: the mutable borrow excludes all others.
    ///
    /// # Errors
    ///
    /// When the lock is poisoned; the value is in the error.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        let value = self.data.get_mut();
        self.poison.wrap(value)
    }
}

poison::made_of_value!(RwLock);

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let taken = format_args!("<locked>");
        poison::show(f, "RwLock", self.try_read(), &taken, self.is_poisoned())
    }
}

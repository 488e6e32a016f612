//! The semaphore: a number of permits.

use std::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    acquire_error::{self, AcquireTimeoutError, TryAcquireError},
    permit::{OwnedSemaphorePermit, SemaphorePermit},
    raw::{
        limit::Limit,
        rawsem::{self, RawSemaphore},
    },
};

/// A number of permits: a caller waits until the permits that it wants are free, takes them, and gives them back.
/// Names are those of tokio's. It cannot be closed, so `acquire` does not fail.
///
/// Waiters are served in the order in which they came. A new caller may take free permits before them, but only until a
/// waiter has waited for more than 1 ms. From the next permit on that is given back, all are kept for the waiters, until
/// the first of them has not waited for so long. So callers that want few permits cannot keep one waiting that wants
/// many; and [`try_acquire`](Semaphore::try_acquire) may fail although permits are free.
///
/// # Examples
///
/// At most two at a time:
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::sync::Semaphore;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// static SLOTS: Semaphore = Semaphore::new(2);
/// static INSIDE: AtomicU32 = AtomicU32::new(0);
///
/// let work = || {
///     let _permit = SLOTS.acquire();
///     assert!(INSIDE.fetch_add(1, Ordering::Relaxed) < 2);
///     goroutines::yield_now();
///     INSIDE.fetch_sub(1, Ordering::Relaxed);
/// };
/// let handles: Vec<_> = (0..10).map(|_| goroutines::go(work)).collect();
/// handles.into_iter().for_each(|handle| handle.join().unwrap());
/// ```
#[doc(alias = "errgroup.SetLimit")]
#[doc(alias = "weighted")]
pub struct Semaphore {
    raw: RawSemaphore,
}

impl UnwindSafe for Semaphore {}
impl RefUnwindSafe for Semaphore {}

impl Semaphore {
    /// How many permits a semaphore can have.
    pub const MAX_PERMITS: usize = rawsem::MAX_PERMITS as usize;

    /// A semaphore with so many permits.
    ///
    /// # Panics
    ///
    /// When that is more than [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
    #[inline]
    #[must_use]
    pub const fn new(permits: usize) -> Semaphore {
        assert!(
            permits <= Semaphore::MAX_PERMITS,
            "goroutines::sync::Semaphore::new: more permits than Semaphore::MAX_PERMITS"
        );
        Semaphore {
            raw: RawSemaphore::new(permits as u64),
        }
    }

    /// Takes one permit; waits until one is free.
    ///
    /// # Parks
    ///
    /// While it waits: only the goroutine. A plain OS thread sleeps.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::sync::Semaphore;
    ///
    /// static SLOTS: Semaphore = Semaphore::new(1);
    /// let permit = SLOTS.acquire();
    /// let next = goroutines::go(|| drop(SLOTS.acquire()));
    /// drop(permit);
    /// next.join().unwrap();
    /// ```
    #[inline]
    pub fn acquire(&self) -> SemaphorePermit<'_> {
        self.acquire_many(1)
    }

    /// Takes `n` permits at once; waits until so many are free, also if the semaphore never had so many:
    /// some may be [added](Semaphore::add_permits).
    ///
    /// # Parks
    ///
    /// While it waits: only the goroutine. A plain OS thread sleeps. With `n` = 0 it never waits.
    ///
    /// # Panics
    ///
    /// When `n` is more than [`MAX_PERMITS`](Semaphore::MAX_PERMITS), which can never be free.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = goroutines::sync::Semaphore::new(4);
    /// let three = semaphore.acquire_many(3);
    /// assert_eq!(semaphore.available_permits(), 1);
    /// drop(three);
    /// assert_eq!(semaphore.available_permits(), 4);
    /// ```
    #[inline]
    #[track_caller]
    pub fn acquire_many(&self, n: usize) -> SemaphorePermit<'_> {
        self.take(n, None);
        SemaphorePermit::new(self, n)
    }

    /// Takes one permit if one is free and not kept for waiters.
    ///
    /// # Errors
    ///
    /// When none is.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = goroutines::sync::Semaphore::new(1);
    /// let permit = semaphore.try_acquire().unwrap();
    /// assert!(semaphore.try_acquire().is_err());
    /// drop(permit);
    /// assert!(semaphore.try_acquire().is_ok());
    /// ```
    #[inline]
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes `n` permits if so many are free and not kept for waiters.
    ///
    /// # Errors
    ///
    /// When they are not.
    #[inline]
    pub fn try_acquire_many(&self, n: usize) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_take(n)?;
        Ok(SemaphorePermit::new(self, n))
    }

    /// As [`acquire`](Semaphore::acquire), but waits at most for `timeout`.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When the time is up. No permit was taken.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::sync::Semaphore;
    /// use std::time::Duration;
    ///
    /// let semaphore = Semaphore::new(1);
    /// let permit = semaphore.acquire_timeout(Duration::MAX).unwrap();
    /// assert!(semaphore.acquire_timeout(Duration::from_millis(2)).is_err());
    /// # drop(permit);
    /// ```
    pub fn acquire_timeout(
        &self,
        timeout: Duration,
    ) -> Result<SemaphorePermit<'_>, AcquireTimeoutError> {
        self.acquire_many_timeout(1, timeout)
    }

    /// As [`acquire_many`](Semaphore::acquire_many), but waits at most for `timeout`.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When the time is up. No permit was taken. Waiters behind the caller that want fewer permits are served then.
    ///
    /// # Panics
    ///
    /// As [`acquire_many`](Semaphore::acquire_many).
    #[track_caller]
    pub fn acquire_many_timeout(
        &self,
        n: usize,
        timeout: Duration,
    ) -> Result<SemaphorePermit<'_>, AcquireTimeoutError> {
        self.take_in_time(n, Instant::now().checked_add(timeout))
    }

    /// As [`acquire`](Semaphore::acquire), but waits at most until `deadline`. A free permit is
    /// taken even when the deadline has passed.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When the time is up. No permit was taken.
    pub fn acquire_until(
        &self,
        deadline: Instant,
    ) -> Result<SemaphorePermit<'_>, AcquireTimeoutError> {
        self.acquire_many_until(1, deadline)
    }

    /// As [`acquire_many`](Semaphore::acquire_many), but waits at most until `deadline`. Free permits are
    /// taken even when the deadline has passed.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When the time is up. No permit was taken. Waiters behind the caller that want fewer permits are served then.
    ///
    /// # Panics
    ///
    /// As [`acquire_many`](Semaphore::acquire_many).
    #[track_caller]
    pub fn acquire_many_until(
        &self,
        n: usize,
        deadline: Instant,
    ) -> Result<SemaphorePermit<'_>, AcquireTimeoutError> {
        self.take_in_time(n, Some(deadline))
    }

    /// As [`acquire`](Semaphore::acquire); the permit keeps the semaphore alive and can be moved to another goroutine.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::sync::Semaphore;
    /// use std::sync::Arc;
    ///
    /// let slots = Arc::new(Semaphore::new(2));
    /// let handles: Vec<_> = (0..10)
    ///     .map(|_| {
    ///         let permit = Arc::clone(&slots).acquire_owned(); // before there is a goroutine
    ///         goroutines::go(move || drop(permit))
    ///     })
    ///     .collect();
    /// handles.into_iter().for_each(|handle| handle.join().unwrap());
    /// assert_eq!(slots.available_permits(), 2);
    /// ```
    #[inline]
    pub fn acquire_owned(self: Arc<Self>) -> OwnedSemaphorePermit {
        self.acquire_many_owned(1)
    }

    /// As [`acquire_many`](Semaphore::acquire_many); the permits keep the semaphore alive and can be moved to
    /// another goroutine.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Panics
    ///
    /// As [`acquire_many`](Semaphore::acquire_many).
    #[inline]
    #[track_caller]
    pub fn acquire_many_owned(self: Arc<Self>, n: usize) -> OwnedSemaphorePermit {
        self.take(n, None);
        OwnedSemaphorePermit::new(self, n)
    }

    /// As [`try_acquire`](Semaphore::try_acquire); the permit keeps the semaphore alive and can be moved to
    /// another goroutine.
    ///
    /// # Errors
    ///
    /// When none is free.
    #[inline]
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// As [`try_acquire_many`](Semaphore::try_acquire_many); the permits keep the semaphore alive and can
    /// be moved to another goroutine.
    ///
    /// # Errors
    ///
    /// When so many are not free.
    #[inline]
    pub fn try_acquire_many_owned(
        self: Arc<Self>,
        n: usize,
    ) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_take(n)?;
        Ok(OwnedSemaphorePermit::new(self, n))
    }

    /// How many permits are free. They may be kept for waiters.
    #[inline]
    pub fn available_permits(&self) -> usize {
        self.raw.free() as usize
    }

    /// Adds `n` permits, and serves waiters with them.
    ///
    /// # Panics
    ///
    /// When more than [`MAX_PERMITS`](Semaphore::MAX_PERMITS) would be free. None was added then.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = goroutines::sync::Semaphore::new(0);
    /// semaphore.add_permits(3);
    /// assert_eq!(semaphore.available_permits(), 3);
    /// ```
    #[inline]
    #[track_caller]
    pub fn add_permits(&self, n: usize) {
        if !self.raw.release(n as u64) {
            acquire_error::overflow("add_permits of", n, self);
        }
    }

    /// Removes up to `n` free permits for ever, also if there are waiters; returns how many.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = goroutines::sync::Semaphore::new(3);
    /// assert_eq!(semaphore.forget_permits(2), 2);
    /// assert_eq!(semaphore.forget_permits(2), 1);
    /// assert_eq!(semaphore.available_permits(), 0);
    /// ```
    #[inline]
    pub fn forget_permits(&self, n: usize) -> usize {
        self.raw.forget(n as u64) as usize
    }

    /// Gives back permits that are dropped.
    #[inline(always)]
    pub(super) fn give_back(&self, n: usize) {
        if !self.raw.release(n as u64) {
            acquire_error::overflow("giving back", n, self);
        }
    }

    #[inline(always)]
    #[track_caller]
    pub(super) fn take(&self, n: usize, limit: Option<&Limit<'_>>) -> bool {
        if n > Semaphore::MAX_PERMITS {
            acquire_error::never(n);
        }
        self.raw.acquire(n as u64, limit)
    }

    #[track_caller]
    fn take_in_time(
        &self,
        n: usize,
        deadline: Option<Instant>,
    ) -> Result<SemaphorePermit<'_>, AcquireTimeoutError> {
        if self.take(n, Limit::at(deadline).as_ref()) {
            Ok(SemaphorePermit::new(self, n))
        } else {
            Err(AcquireTimeoutError(()))
        }
    }

    #[inline(always)]
    fn try_take(&self, n: usize) -> Result<(), TryAcquireError> {
        if self.raw.try_acquire(n as u64) {
            Ok(())
        } else {
            Err(TryAcquireError(()))
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("permits", &self.available_permits())
            .finish()
    }
}

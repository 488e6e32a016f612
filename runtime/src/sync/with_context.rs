//! Waits for locks that end with a context.
//!
//! To the locks the end of a context is what the end of the time is: see raw/waits.rs.

use std::sync::{Arc, LockResult};

use goroutines_sched::give_way;

use super::{
    Condvar, Mutex, MutexGuard, OwnedSemaphorePermit, RwLock, RwLockReadGuard, RwLockWriteGuard,
    Semaphore, SemaphorePermit,
};
use crate::context::{Context, ContextError};

impl<T: ?Sized> Mutex<T> {
    /// As [`lock`](Mutex::lock), until `ctx` is done at most. A lock that is free is taken even then.
    ///
    /// Only `ctx` counts, and not the caller's [`Context::current`].
    ///
    /// # Parks
    ///
    /// As `lock`.
    ///
    /// # Errors
    ///
    /// When `ctx` is done before the lock is taken: the outer one. The inner one is that of `lock`: a holder of the lock
    /// panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{context::{Context, ContextError}, go, sync::Mutex};
    ///
    /// static COUNT: Mutex<u32> = Mutex::new(0);
    ///
    /// fn add(ctx: &Context) -> Result<(), ContextError> {
    ///     *COUNT.lock_ctx(ctx)?.unwrap() += 1;
    ///     Ok(())
    /// }
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let guard = COUNT.lock().unwrap();
    /// let adder = go(move || add(&ctx));
    /// canceller.cancel();
    /// assert_eq!(adder.join().unwrap(), Err(ContextError::Cancelled));
    /// drop(guard);
    /// assert_eq!(add(&Context::background()), Ok(()));
    /// ```
    pub fn lock_ctx(&self, ctx: &Context) -> Result<LockResult<MutexGuard<'_, T>>, ContextError> {
        give_way();
        ctx.answer(self.raw.lock_until(ctx.limit().as_ref()))?;
        Ok(self.guard())
    }
}

impl<T: ?Sized> RwLock<T> {
    /// As [`read`](RwLock::read), until `ctx` is done at most. What need not wait is locked even then.
    ///
    /// Only `ctx` counts, and not the caller's [`Context::current`].
    ///
    /// # Parks
    ///
    /// As `read`.
    ///
    /// # Errors
    ///
    /// When `ctx` is done before the lock is taken: the outer one. The inner one is that of `read`: a writer panicked.
    ///
    /// # Panics
    ///
    /// When there are too many readers, as `read`.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{context::{Context, ContextError}, sync::RwLock};
    /// use std::time::Duration;
    ///
    /// let routes = RwLock::new(vec!["/"]);
    /// let (ctx, _) = Context::background().with_timeout(Duration::from_millis(5));
    /// let writer = routes.write().unwrap();
    /// assert_eq!(routes.read_ctx(&ctx).unwrap_err(), ContextError::DeadlineExceeded);
    /// drop(writer);
    /// assert_eq!(routes.read_ctx(&ctx).unwrap().unwrap().len(), 1);
    /// ```
    #[track_caller]
    pub fn read_ctx(
        &self,
        ctx: &Context,
    ) -> Result<LockResult<RwLockReadGuard<'_, T>>, ContextError> {
        ctx.answer(self.read_at(ctx.limit().as_ref()))?;
        Ok(self.reader())
    }

    /// As [`write`](RwLock::write), until `ctx` is done at most. A lock that is free is taken even then.
    ///
    /// Only `ctx` counts, and not the caller's [`Context::current`]. Readers that queue behind a writer that gives up go
    /// on.
    ///
    /// # Parks
    ///
    /// As `write`.
    ///
    /// # Errors
    ///
    /// When `ctx` is done before the lock is taken: the outer one. The inner one is that of `write`: a writer panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{context::{Context, ContextError}, sync::RwLock};
    ///
    /// let lock = RwLock::new(1);
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// *lock.write_ctx(&ctx)?.unwrap() += 1;
    /// let reader = lock.read().unwrap();
    /// canceller.cancel();
    /// assert_eq!(lock.write_ctx(&ctx).unwrap_err(), ContextError::Cancelled);
    /// assert_eq!(*reader, 2);
    /// # Ok::<(), ContextError>(())
    /// ```
    #[track_caller]
    pub fn write_ctx(
        &self,
        ctx: &Context,
    ) -> Result<LockResult<RwLockWriteGuard<'_, T>>, ContextError> {
        ctx.answer(self.raw.write(ctx.limit().as_ref()))?;
        Ok(self.writer())
    }
}

/// What [`Condvar::wait_ctx`] gives back: the guard, and whether the context was done.
type Waited<'a, T> = LockResult<(MutexGuard<'a, T>, Result<(), ContextError>)>;

impl Condvar {
    /// As [`wait`](Condvar::wait), until `ctx` is done at most. The mutex is locked again in any case, however long that
    /// takes, and the guard is returned beside the answer: an error when `ctx` was done, without a notification.
    ///
    /// Only `ctx` counts, and not the caller's [`Context::current`].
    ///
    /// # Parks
    ///
    /// As `wait`.
    ///
    /// # Errors
    ///
    /// When the mutex is poisoned; guard and answer are in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{context::{Context, ContextError}, go, sync::{Condvar, Mutex}};
    ///
    /// static QUEUE: Mutex<Vec<u32>> = Mutex::new(Vec::new());
    /// static CHANGED: Condvar = Condvar::new();
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let waiter = go(move || CHANGED.wait_ctx(QUEUE.lock().unwrap(), &ctx).unwrap().1);
    /// canceller.cancel();
    /// assert_eq!(waiter.join().unwrap(), Err(ContextError::Cancelled));
    /// ```
    pub fn wait_ctx<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        ctx: &Context,
    ) -> Waited<'a, T> {
        let answer = ctx.answer(self.wait_at(&guard, ctx.limit().as_ref()));
        let poison = &guard.mutex().poison;
        poison.wrap((guard, answer))
    }

    /// As [`wait_while`](Condvar::wait_while), until `ctx` is done at most. The answer beside the guard is an error when
    /// `condition` was still true then.
    ///
    /// # Parks
    ///
    /// As [`wait`](Condvar::wait).
    ///
    /// # Errors
    ///
    /// When the mutex is poisoned; guard and answer are in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{context::Context, go, sync::{Condvar, Mutex}};
    /// use std::time::Duration;
    ///
    /// static QUEUE: Mutex<Vec<u32>> = Mutex::new(Vec::new());
    /// static CHANGED: Condvar = Condvar::new();
    ///
    /// let (ctx, _) = Context::background().with_timeout(Duration::from_secs(60));
    /// go(|| {
    ///     QUEUE.lock().unwrap().push(7);
    ///     CHANGED.notify_one();
    /// });
    /// let queue = QUEUE.lock().unwrap();
    /// let (mut queue, answer) = CHANGED.wait_while_ctx(queue, &ctx, |queue| queue.is_empty()).unwrap();
    /// assert_eq!((answer, queue.pop()), (Ok(()), Some(7)));
    /// ```
    pub fn wait_while_ctx<'a, T: ?Sized, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        ctx: &Context,
        mut condition: F,
    ) -> Waited<'a, T>
    where
        F: FnMut(&mut T) -> bool,
    {
        loop {
            if !condition(&mut guard) {
                return Ok((guard, Ok(())));
            }
            if let Some(error) = ctx.err() {
                return Ok((guard, Err(error)));
            }
            guard = match self.wait_ctx(guard, ctx) {
                Ok((guard, _)) => guard,
                poisoned => return poisoned,
            };
        }
    }
}

impl Semaphore {
    /// As [`acquire`](Semaphore::acquire), until `ctx` is done at most. A permit that is free is taken even then.
    ///
    /// Only `ctx` counts, and not the caller's [`Context::current`].
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When `ctx` is done before. No permit was taken.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{context::{Context, ContextError}, go, sync::Semaphore};
    ///
    /// static SLOTS: Semaphore = Semaphore::new(1);
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let permit = SLOTS.acquire_ctx(&ctx).unwrap();
    /// let next = go(move || SLOTS.acquire_ctx(&ctx).map(drop));
    /// canceller.cancel();
    /// assert_eq!(next.join().unwrap(), Err(ContextError::Cancelled));
    /// # drop(permit);
    /// ```
    pub fn acquire_ctx(&self, ctx: &Context) -> Result<SemaphorePermit<'_>, ContextError> {
        self.acquire_many_ctx(1, ctx)
    }

    /// As [`acquire_many`](Semaphore::acquire_many), until `ctx` is done at most. Permits that are free are taken even
    /// then.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When `ctx` is done before. No permit was taken. Waiters behind the caller that want fewer permits are served then.
    ///
    /// # Panics
    ///
    /// As [`acquire_many`](Semaphore::acquire_many).
    #[track_caller]
    pub fn acquire_many_ctx(
        &self,
        n: usize,
        ctx: &Context,
    ) -> Result<SemaphorePermit<'_>, ContextError> {
        self.take_ctx(n, ctx)?;
        Ok(SemaphorePermit::new(self, n))
    }

    /// As [`acquire_ctx`](Semaphore::acquire_ctx); the permit keeps the semaphore alive and can be moved to another
    /// goroutine.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When `ctx` is done before. No permit was taken.
    pub fn acquire_owned_ctx(
        self: Arc<Self>,
        ctx: &Context,
    ) -> Result<OwnedSemaphorePermit, ContextError> {
        self.acquire_many_owned_ctx(1, ctx)
    }

    /// As [`acquire_many_ctx`](Semaphore::acquire_many_ctx); the permits keep the semaphore alive and can be moved to
    /// another goroutine.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When `ctx` is done before. No permit was taken.
    ///
    /// # Panics
    ///
    /// As [`acquire_many`](Semaphore::acquire_many).
    #[track_caller]
    pub fn acquire_many_owned_ctx(
        self: Arc<Self>,
        n: usize,
        ctx: &Context,
    ) -> Result<OwnedSemaphorePermit, ContextError> {
        self.take_ctx(n, ctx)?;
        Ok(OwnedSemaphorePermit::new(self, n))
    }

    #[track_caller]
    fn take_ctx(&self, n: usize, ctx: &Context) -> Result<(), ContextError> {
        ctx.answer(self.take(n, ctx.limit().as_ref()))
    }
}

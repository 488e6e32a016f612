//! Waiting until several have finished: `crossbeam_utils::sync::WaitGroup` for goroutines.

use std::{
    cell::UnsafeCell,
    convert::Infallible,
    fmt, mem,
    panic::{RefUnwindSafe, UnwindSafe},
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering},
};

use goroutines_sched::{ByteLock, GRef, WaitReason, current, park, ready_tail};

use crate::{
    chan::{self, Receiver},
    context::{Context, ContextError},
};

use super::raw::waitq::{Place, Queue};

/// Lets a caller wait until all others are done: each holds a clone and drops it when it has finished.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::sync::WaitGroup;
/// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
///
/// let done = Arc::new(AtomicU32::new(0));
/// let group = WaitGroup::new();
/// for _ in 0..4 {
///     let (group, done) = (group.clone(), Arc::clone(&done));
///     goroutines::go(move || {
///         done.fetch_add(1, Ordering::Relaxed);
///         drop(group);
///     });
/// }
/// group.wait();
/// assert_eq!(done.load(Ordering::Relaxed), 4);
/// ```
pub struct WaitGroup {
    inner: Arc<Inner>,
}

struct Inner {
    /// References that have neither been dropped nor wait.
    count: AtomicUsize,
    lock: ByteLock,
    /// Under `lock`.
    waiters: UnsafeCell<Queue<GRef>>,
    /// Disconnected when the count is 0; made for the first caller that needs it. Under `lock`.
    done: UnsafeCell<Option<Receiver<Infallible>>>,
}

// SAFETY: `waiters` is only touched under `lock`; a GRef is Send.
unsafe impl Sync for Inner {}
// SAFETY: the queue is empty while the group is not borrowed, so nothing is moved that a waiter points to.
unsafe impl Send for Inner {}

// A count is all there is to see, and no panic leaves it half changed.
impl UnwindSafe for WaitGroup {}
impl RefUnwindSafe for WaitGroup {}

impl WaitGroup {
    /// A group with one reference, this one.
    pub fn new() -> WaitGroup {
        WaitGroup {
            inner: Arc::new(Inner {
                count: AtomicUsize::new(1),
                lock: ByteLock::new(),
                waiters: UnsafeCell::new(Queue::new()),
                done: UnsafeCell::new(None),
            }),
        }
    }

    /// Drops this reference, and waits until all others are dropped or wait as well.
    ///
    /// # Parks
    ///
    /// While it waits: only the goroutine. A plain OS thread sleeps.
    pub fn wait(self) {
        let inner = Arc::clone(&self.inner);
        drop(self);
        inner.wait();
    }

    /// As [`wait`](WaitGroup::wait), until `ctx` is done at most. This reference is dropped in any case.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When `ctx` is done before all others are.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{context::{Context, ContextError}, sync::WaitGroup};
    ///
    /// let (group, other) = (WaitGroup::new(), WaitGroup::new());
    /// let busy = group.clone();
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// goroutines::go(move || canceller.cancel());
    /// assert_eq!(group.wait_ctx(&ctx), Err(ContextError::Cancelled));
    /// assert_eq!(other.wait_ctx(&ctx), Ok(()));
    /// drop(busy);
    /// ```
    pub fn wait_ctx(self, ctx: &Context) -> Result<(), ContextError> {
        let inner = Arc::clone(&self.inner);
        drop(self);
        inner.wait_ctx(ctx)
    }
}

impl Inner {
    fn wait(&self) {
        // Acquire: partner is the Release in `done`.
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let g = current();
        let node = Place::of(g, g);
        self.lock.lock();
        // Acquire: as above. The last one counts down before it takes the lock to look for waiters:
        // either we see the 0 or it sees our node.
        if self.count.load(Ordering::Acquire) == 0 {
            // SAFETY: locked above.
            return unsafe { self.lock.unlock() };
        }
        // SAFETY: the lock is held; the node stays here until it was taken out, which is before
        // `park` returns. The reference that takes it out makes us ready once; it needs the lock for that,
        // which the commit gives up as its last step.
        unsafe {
            (*self.waiters.get()).push_back(&node);
            park(WaitReason::WaitGroupWait.on(self), || {
                self.lock.unlock();
                true
            });
        }
    }

    fn wait_ctx(&self, ctx: &Context) -> Result<(), ContextError> {
        let new = chan::done(None);
        self.lock.lock();
        // Acquire: as in `wait`.
        if self.count.load(Ordering::Acquire) == 0 {
            // SAFETY: locked above.
            unsafe { self.lock.unlock() };
            return Ok(());
        }
        // SAFETY: the lock is held, and was taken above.
        let done = unsafe {
            let done = (*self.done.get())
                .get_or_insert_with(|| new.clone())
                .clone();
            self.lock.unlock();
            done
        };
        if chan::wait_either(WaitReason::WaitGroupWait, &done, &ctx.done()) {
            return Ok(());
        }
        Err(ctx.err().unwrap_or(ContextError::Cancelled))
    }

    fn done(&self) {
        // AcqRel: Release's partner is the Acquire in `wait`; Acquire's is the Release of those that
        // were done before, so that the waiters we wake see what they did.
        if self.count.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        self.lock.lock();
        // SAFETY: the lock is held.
        let mut waiters = unsafe { mem::replace(&mut *self.waiters.get(), Queue::new()) };
        // SAFETY: `done` is touched under the lock only, which is held.
        let done = unsafe { (*self.done.get()).take() };
        // SAFETY: locked above.
        unsafe { self.lock.unlock() };
        while let Some(node) = waiters.pop_front() {
            // SAFETY: it had parked when its node could be found under the lock, stays parked until
            // now, and only we have it.
            unsafe { ready_tail(node.as_ref().data) };
        }
        if let Some(done) = done {
            chan::disconnect(&done);
        }
    }
}

impl Clone for WaitGroup {
    fn clone(&self) -> WaitGroup {
        // Relaxed: `self` keeps the count above 0.
        self.inner.count.fetch_add(1, Ordering::Relaxed);
        WaitGroup {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl Drop for WaitGroup {
    fn drop(&mut self) {
        self.inner.done();
    }
}

impl Default for WaitGroup {
    fn default() -> WaitGroup {
        WaitGroup::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: a snapshot for `Debug`.
        let count = self.inner.count.load(Ordering::Relaxed);
        f.debug_struct("WaitGroup").field("count", &count).finish()
    }
}

//! Waiting until several have finished: `crossbeam_utils::sync::WaitGroup` for goroutines.

use std::{
    cell::UnsafeCell,
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering},
};

use goroutines_sched::{ByteLock, WaitReason, current};

use super::raw::{
    limit::Limit,
    sleeper::{Sleeper, take_all, wake_all},
    waitq::{Place, Queue},
};
use crate::context::{Context, ContextError};

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
    waiters: UnsafeCell<Queue<Sleeper>>,
}

// SAFETY: `waiters` is only touched under `lock`; a Sleeper is Send.
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
        inner.wait(None);
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
        ctx.answer(inner.wait(ctx.limit().as_ref()))
    }
}

impl Inner {
    /// Returns whether the count is 0: without a limit it is.
    fn wait(&self, limit: Option<&Limit<'_>>) -> bool {
        // Acquire: partner is the Release in `done`.
        if self.count.load(Ordering::Acquire) == 0 {
            return true;
        }
        let g = current();
        let sleeper = Sleeper::new(g, limit);
        let node = Place::of(g, sleeper);
        self.lock.lock();
        // Acquire: as above. The last one counts down before it takes the lock to look for waiters:
        // either we see the 0 or it sees our node.
        if self.count.load(Ordering::Acquire) == 0 {
            // SAFETY: locked above.
            unsafe { self.lock.unlock() };
            return true;
        }
        // SAFETY: the lock is held; the node stays here until the last reference, or the lines below, have taken it out.
        // The sleeper was made for this wait.
        unsafe {
            (*self.waiters.get()).push_back(&node);
            let wait = WaitReason::WaitGroupWait.on(self);
            if sleeper.sleep(wait, limit, &self.lock) {
                return true;
            }
        }
        self.lock.lock();
        // SAFETY: the lock is held; the node was put into this queue. It is no longer there if the last reference took it
        // out and found its ticket claimed.
        unsafe {
            let in_vain = (*self.waiters.get()).unlink(&node);
            self.lock.unlock();
            !in_vain
        }
    }

    fn done(&self) {
        // AcqRel: Release's partner is the Acquire in `wait`; Acquire's is the Release of those that
        // were done before, so that the waiters we wake see what they did.
        if self.count.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        let mut all = Queue::new();
        self.lock.lock();
        // SAFETY: the lock is held, and was taken above; what is taken out is woken this once.
        unsafe {
            take_all(&mut *self.waiters.get(), &mut all);
            self.lock.unlock();
            wake_all(all);
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

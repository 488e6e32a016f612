//! A number of goroutines wait for each other: `std::sync::Barrier` for goroutines.

use std::{
    cell::UnsafeCell,
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
};

use goroutines_sched::{ByteLock, WaitReason, current};

use super::raw::{
    limit::Limit,
    sleeper::{Sleeper, take_all, wake_all},
    waitq::{Place, Queue},
};
use crate::context::{Context, ContextError};

/// Blocks its callers until so many have arrived: shaped as [`std::sync::Barrier`].
///
/// It can be used again at once: the last caller of a group releases the others, and the callers after it
/// belong to the next group.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::{go, sync::Barrier};
/// use std::sync::Arc;
///
/// let barrier = Arc::new(Barrier::new(10));
/// let all: Vec<_> = (0..10)
///     .map(|_| {
///         let barrier = Arc::clone(&barrier);
///         go(move || barrier.wait().is_leader())
///     })
///     .collect();
/// let leaders = all.into_iter().map(|one| one.join().unwrap()).filter(|&leader| leader);
/// assert_eq!(leaders.count(), 1);
/// ```
pub struct Barrier {
    needed: usize,
    lock: ByteLock,
    group: UnsafeCell<Group>,
}

/// The callers that have arrived. Under the lock.
struct Group {
    here: usize,
    waiting: Queue<Sleeper>,
}

// SAFETY: `group` is only touched under `lock`; what it carries is Send.
unsafe impl Sync for Barrier {}
// SAFETY: the queue is empty while the barrier is not borrowed, so nothing is moved that a waiter points to.
unsafe impl Send for Barrier {}

impl UnwindSafe for Barrier {}
impl RefUnwindSafe for Barrier {}

/// The result of [`Barrier::wait`]: whether the caller was the last of its group.
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Returns whether the caller was the last of its group to arrive. There is one in each group.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.0
    }
}

impl fmt::Debug for BarrierWaitResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierWaitResult")
            .field("is_leader", &self.is_leader())
            .finish()
    }
}

impl Barrier {
    /// A barrier for groups of `n` callers; with 0 or 1 it never blocks.
    #[inline]
    pub const fn new(n: usize) -> Barrier {
        Barrier {
            needed: n,
            lock: ByteLock::new(),
            group: UnsafeCell::new(Group {
                here: 0,
                waiting: Queue::new(),
            }),
        }
    }

    /// Waits until the group is complete.
    ///
    /// # Parks
    ///
    /// While it waits: only the goroutine. A plain OS thread sleeps.
    pub fn wait(&self) -> BarrierWaitResult {
        match self.wait_at(None) {
            Some(result) => result,
            None => unreachable!("goroutines: a wait without a limit has given up"),
        }
    }

    /// As [`wait`](Barrier::wait), until `ctx` is done at most. Who gives up has not arrived: the group waits for another
    /// in its place. It is complete, for all of them, with the arrival of the last, so a caller that is of the group then
    /// does not give up any more.
    ///
    /// Only `ctx` counts, and not the caller's [`Context::current`].
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When `ctx` is done before the group is complete.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{context::{Context, ContextError}, go, sync::Barrier};
    ///
    /// static BOTH: Barrier = Barrier::new(2);
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let one = go(move || BOTH.wait_ctx(&ctx).map(|result| result.is_leader()));
    /// canceller.cancel();
    /// assert_eq!(one.join().unwrap(), Err(ContextError::Cancelled));
    /// let two = [(); 2].map(|()| go(|| BOTH.wait().is_leader()));
    /// assert_eq!(two.map(|one| one.join().unwrap() as u32).iter().sum::<u32>(), 1);
    /// ```
    pub fn wait_ctx(&self, ctx: &Context) -> Result<BarrierWaitResult, ContextError> {
        self.wait_at(ctx.limit().as_ref())
            .ok_or_else(|| ctx.must_err())
    }

    /// `None`: `limit` has come.
    fn wait_at(&self, limit: Option<&Limit<'_>>) -> Option<BarrierWaitResult> {
        let g = current();
        let sleeper = Sleeper::new(g, limit);
        let node = Place::of(g, sleeper);
        self.lock.lock();
        // SAFETY: the lock is held.
        let group = unsafe { &mut *self.group.get() };
        group.here += 1;
        if group.here < self.needed {
            // SAFETY: the lock is held; the node stays here until the last of the group, or `leave`, has taken it out.
            let released = unsafe {
                group.waiting.push_back(&node);
                sleeper.sleep(WaitReason::BarrierWait.on(self), limit, &self.lock)
            };
            // SAFETY: it was put into this queue.
            let complete = released || !unsafe { self.leave(&node) };
            return complete.then_some(BarrierWaitResult(false));
        }
        group.here = 0;
        let mut all = Queue::new();
        take_all(&mut group.waiting, &mut all);
        // SAFETY: locked above; what was taken is woken this once.
        unsafe {
            self.lock.unlock();
            wake_all(all);
        }
        Some(BarrierWaitResult(true))
    }

    /// Takes a caller out of its group that has given up; returns whether it did. If not, the group was complete before:
    /// the last of it has taken the node out, and found that the ticket was claimed.
    ///
    /// # Safety
    ///
    /// `node` was put into the queue of this barrier.
    unsafe fn leave(&self, node: &Place<Sleeper>) -> bool {
        self.lock.lock();
        // SAFETY: the lock is held; the caller put the node into this queue.
        unsafe {
            let group = &mut *self.group.get();
            let left = group.waiting.unlink(node);
            if left {
                group.here -= 1;
            }
            self.lock.unlock();
            left
        }
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").finish_non_exhaustive()
    }
}

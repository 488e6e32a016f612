//! The queue of the waiters for a condition.
//!
//! ```text
//! wait                                          notify
//! C1 lock the queue, into it                    N1 no waiter: done
//! C2 unlock the mutex                           N2 lock the queue, take one out, or all
//! C3 park; the commit unlocks the queue         N3 unlock the queue, make them ready
//! C4 woken, or the limit: lock the mutex
//! ```
//!
//! No notification is lost. The condition is changed under the mutex: before C1, and then the waiter has
//! seen the change, or after C2. Then N1 and N2 come after C1, and N2 waits for C3. `notify_one` is not
//! spent on a waiter that has given up: see sleeper.rs.
//!
//! C2 unlocks the mutex under the lock of this queue, and takes that of the mutex' queue meanwhile;
//! no code takes the two in the other order.

use std::cell::UnsafeCell;

use super::{
    door::{AtomicBool, ByteLock, Ordering, WaitReason, current},
    limit::Limit,
    rawlock::RawLock,
    sleeper::{Sleeper, take, take_all, wake_all},
    waitq::{Place, Queue},
};

pub(crate) struct RawCond {
    /// The queue is not empty. Written under the lock.
    queued: AtomicBool,
    queue_lock: ByteLock,
    queue: UnsafeCell<Queue<Sleeper>>,
}

// SAFETY: `queue` is only touched under `queue_lock`; what it carries is Send.
unsafe impl Sync for RawCond {}
// SAFETY: the queue is empty while the condition is not borrowed, so nothing is moved that a waiter points to.
unsafe impl Send for RawCond {}

impl RawCond {
    #[cfg(not(goroutines_loom))]
    pub(crate) const fn new() -> RawCond {
        RawCond {
            queued: AtomicBool::new(false),
            queue_lock: ByteLock::new(),
            queue: UnsafeCell::new(Queue::new()),
        }
    }

    #[cfg(goroutines_loom)]
    pub(crate) fn new() -> RawCond {
        RawCond {
            queued: AtomicBool::new(false),
            queue_lock: ByteLock::new(),
            queue: UnsafeCell::new(Queue::new()),
        }
    }

    /// Unlocks `lock`, waits for a notification, at most until `limit`, and locks `lock` again. Returns
    /// whether it was notified.
    ///
    /// # Safety
    ///
    /// The caller holds `lock`.
    pub(crate) unsafe fn wait(&self, lock: &RawLock, limit: Option<&Limit<'_>>) -> bool {
        let g = current();
        let sleeper = Sleeper::new(g, limit);
        let node = Place::of(g, sleeper);
        self.queue_lock.lock();
        // SAFETY: the queue's lock is held; the node stays here until it was taken out, by the notifier that wakes
        // us or below. The sleeper was made for this wait. The caller holds `lock`.
        let notified = unsafe {
            let queue = &mut *self.queue.get();
            queue.push_back(&node);
            self.note(queue);
            lock.unlock();
            sleeper.sleep(WaitReason::CondvarWait.on(self), limit, &self.queue_lock)
        };
        if !notified {
            self.queue_lock.lock();
            // SAFETY: the lock is held; the node was put into this queue. It is no longer there if a
            // notifier took it out and found its ticket claimed.
            unsafe {
                let queue = &mut *self.queue.get();
                queue.unlink(&node);
                self.note(queue);
                self.queue_lock.unlock();
            }
        }
        lock.lock();
        notified
    }

    pub(crate) fn notify_one(&self) {
        if self.nobody_waits() {
            return;
        }
        self.queue_lock.lock();
        // SAFETY: the lock is held.
        let queue = unsafe { &mut *self.queue.get() };
        let first = take(queue).map(|node| node.data);
        self.note(queue);
        // SAFETY: locked above; we have taken the waiter out, and wake it once.
        unsafe {
            self.queue_lock.unlock();
            if let Some(first) = first {
                first.wake();
            }
        }
    }

    pub(crate) fn notify_all(&self) {
        if self.nobody_waits() {
            return;
        }
        let mut all = Queue::new();
        self.queue_lock.lock();
        // SAFETY: the lock is held.
        let queue = unsafe { &mut *self.queue.get() };
        take_all(queue, &mut all);
        self.note(queue);
        // SAFETY: locked above; what was taken is woken this once.
        unsafe {
            self.queue_lock.unlock();
            wake_all(all);
        }
    }

    /// N1.
    fn nobody_waits(&self) -> bool {
        // Relaxed: a notifier that must see a waiter is ordered after C2 by the mutex; see above.
        !self.queued.load(Ordering::Relaxed)
    }

    /// Under the lock.
    fn note(&self, queue: &Queue<Sleeper>) {
        // Relaxed: partner is `nobody_waits`, ordered by the mutex.
        self.queued.store(!queue.is_empty(), Ordering::Relaxed);
    }
}

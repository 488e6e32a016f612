//! The list of the waits for locks that one event ends: each context has such a list, and its end is the event.
//!
//! The event ends a wait as a timer does: it claims the ticket of the wait, and the waiter then leaves the queue of its
//! lock itself. So a waiter leaves a lock in one way for both; the protocol below only finds the tickets.
//!
//! ```text
//! waiter; its node is in a locked queue             the event
//! K1  lock the list; over: claim the own ticket,    N1  lock the list; it is over
//!     unlock both, leave the queue                  N2  take all out; claim the tickets: some are won
//! K2  into the list                                 N3  unlock; wake those whose ticket was won
//! K3  park; the commit unlocks queue and list
//! K4  woken: lock the list, leave it
//! ```
//!
//! - The commit unlocks the list last, so the event, which gets to N2 after that, wakes only those that have parked.
//! - A taker may wake the waiter between the two unlocks of K3. K4 then waits for the second, and the list lives for as
//!   long as the waiter refers to it.
//! - In K1 the claim cannot fail: a taker needs the lock of the queue, and no timer has the ticket yet.
//! - A node is touched by the event under the lock only, or while its ticket is won: its waiter sleeps until N3.
//! - A queue's lock is taken before the list's. The event takes no other lock under the list's.

use std::cell::UnsafeCell;

use super::{
    door::{AtomicBool, ByteLock, Instant, Ordering, Ticket, WaitFor, park_until, ready_tail},
    waitq::{Place, Queue},
};

/// What the event claims a ticket with. (A taker claims with 0.)
pub(crate) const OVER: u32 = 1;

/// The waits that the event ends, and whether it has happened.
pub(crate) struct Waits {
    /// The event has happened. Written under the lock.
    over: AtomicBool,
    lock: ByteLock,
    /// Under the lock.
    list: UnsafeCell<Queue<Ticket>>,
}

// SAFETY: `list` is only touched under `lock`; a ticket is Send.
unsafe impl Sync for Waits {}
// SAFETY: the list is empty while nothing borrows it, so nothing is moved that a waiter points to.
unsafe impl Send for Waits {}

impl Waits {
    #[cfg_attr(
        goroutines_loom,
        allow(dead_code, reason = "loom's atomics are not const")
    )]
    pub(crate) fn new() -> Waits {
        Waits {
            over: AtomicBool::new(false),
            lock: ByteLock::new(),
            list: UnsafeCell::new(Queue::new()),
        }
    }

    /// Returns whether the event has happened: a snapshot.
    pub(crate) fn are_over(&self) -> bool {
        // Relaxed: a hint. K1 looks again under the lock.
        self.over.load(Ordering::Relaxed)
    }

    /// K1 to K4: as [`park_until`], for a waiter whose node is in a queue under `queue_lock`, which is unlocked once the
    /// caller is off its stack. Returns the outcome of the ticket, [`OVER`] if the event ended the wait.
    ///
    /// # Safety
    ///
    /// The caller holds `queue_lock`, and `ticket` is its last one, of this wait. Whoever takes its node out under
    /// `queue_lock` and claims the ticket makes it ready once.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn sleep(
        &self,
        wait: WaitFor,
        ticket: Ticket,
        deadline: Option<Instant>,
        queue_lock: &ByteLock,
    ) -> u32 {
        let node = Place::of(ticket.g(), ticket);
        self.lock.lock();
        // Relaxed: written under the lock, which is held.
        if self.over.load(Ordering::Relaxed) {
            ticket.claim(OVER);
            // SAFETY: locked above, and by the caller.
            unsafe {
                self.lock.unlock();
                queue_lock.unlock();
            }
            return OVER;
        }
        // SAFETY: the lock is held; the node stays here until K4, and is reached until then under the lock, or by the
        // event that has won the ticket, before it wakes us.
        unsafe { (*self.list.get()).push_back(&node) };
        let (queue_lock, list_lock) = (queue_lock, &self.lock);
        // SAFETY: who claims the ticket makes us ready once, and it needs one of the two locks to find it, or that of
        // the timers. The commit gives up both, and touches nothing after the second, which is of a list that the
        // caller refers to until K4.
        let outcome = unsafe {
            park_until(wait, ticket, deadline, || {
                queue_lock.unlock();
                list_lock.unlock();
                true
            })
        };
        self.lock.lock();
        // SAFETY: the lock is held; the node was put into this list. It is no longer there if the event took it out.
        unsafe {
            (*self.list.get()).unlink(&node);
            self.lock.unlock();
        }
        outcome
    }

    /// N1 to N3.
    pub(crate) fn end(&self) {
        let mut won = Queue::new();
        self.lock.lock();
        // Relaxed: partner is the look in `sleep`, under the lock.
        self.over.store(true, Ordering::Relaxed);
        // SAFETY: the lock is held. A node in the list is alive, because its waiter takes the lock before it leaves; one
        // whose ticket was won is until its waiter is woken.
        unsafe {
            let list = &mut *self.list.get();
            while let Some(node) = list.pop_front() {
                if node.as_ref().data.claim(OVER) {
                    won.push_back(node.as_ref());
                }
            }
            self.lock.unlock();
        }
        while let Some(node) = won.pop_front() {
            // SAFETY: its ticket was won above, under the lock, so it had parked and is ours to wake.
            unsafe { ready_tail(node.as_ref().data.g()) };
        }
    }

    /// Returns whether nobody is in the list.
    #[cfg(goroutines_loom)]
    pub(crate) fn are_none(&self) -> bool {
        self.lock.lock();
        // SAFETY: the lock is held.
        let none = unsafe { (*self.list.get()).is_empty() };
        // SAFETY: locked above.
        unsafe { self.lock.unlock() };
        none
    }
}

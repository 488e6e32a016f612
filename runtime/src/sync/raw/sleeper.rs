//! One wait in the queue of a lock, until a taker takes it out or its limit has come.
//!
//! ```text
//! waiter                                       taker
//! S1 lock the queue, put the node into it
//! S2 sleep: park; the commit unlocks           T1 lock the queue, take the node out
//!                                              T2 claim the wait; lost: it is up, take the next
//! S3 woken: it was taken                       T3 say what it got, unlock, wake it
//! S4 the limit: lock the queue, unlink the node
//! ```
//!
//! Without a limit only the taker ends the wait, so T2 costs nothing. With one, the timer, or what the waiter waits
//! under (waits.rs), may end the wait too, and a [`Ticket`] decides: a waiter that was claimed in T2 does not give up, and
//! nothing is given to a waiter that has left.

use super::{
    door::{ByteLock, GRef, TIMED_OUT, Ticket, WaitFor, arm, park, park_until, ready, ready_tail},
    limit::Limit,
    waitq::{Node, Queue},
    waits::OVER,
};

/// What a taker claims a ticket with.
const TAKEN: u32 = 0;

/// The waiter of one wait.
#[derive(Clone, Copy)]
pub(crate) struct Sleeper {
    g: GRef,
    /// Of a wait with a limit.
    ticket: Option<Ticket>,
}

impl Sleeper {
    /// For the next wait of the caller, which is `g`. Those made for earlier waits are void.
    #[inline(always)]
    pub(crate) fn new(g: GRef, limit: Option<&Limit<'_>>) -> Sleeper {
        Sleeper {
            g,
            ticket: limit.map(|_| arm()),
        }
    }

    /// The waiter.
    pub(crate) fn g(self) -> GRef {
        self.g
    }

    /// Sleeps, waiting for `wait`, until it is woken (true), or until `limit` has come (false). The queue is unlocked
    /// when the caller is off its stack, or does not wait.
    ///
    /// # Safety
    ///
    /// This sleeper was made for this wait and this limit, by the caller, which holds `queue_lock` and
    /// has put its node into the queue; there it stays until it was taken out, which needs the lock.
    #[inline(always)]
    pub(crate) unsafe fn sleep(
        self,
        wait: WaitFor,
        limit: Option<&Limit<'_>>,
        queue_lock: &ByteLock,
    ) -> bool {
        let commit = || {
            // SAFETY: the caller holds it, and gives it to this commit.
            unsafe { queue_lock.unlock() };
            true
        };
        match self.ticket.zip(limit) {
            None => {
                // SAFETY: the taker of the node makes us ready once; it needs the lock for that, which the commit
                // gives up as its last step.
                unsafe { park(wait, commit) };
                true
            }
            // SAFETY: the ticket is our last one; what takes the node out of its queue and wins the ticket
            // makes us ready once.
            Some((ticket, limit)) => unsafe {
                match limit.under {
                    None => park_until(wait, ticket, limit.deadline, commit) != TIMED_OUT,
                    Some(waits) => {
                        let outcome = waits.sleep(wait, ticket, limit.deadline, queue_lock);
                        !matches!(outcome, TIMED_OUT | OVER)
                    }
                }
            },
        }
    }

    /// Returns whether the taker ends the wait. It must wake the waiter then.
    #[inline(always)]
    pub(crate) fn claim(self) -> bool {
        match self.ticket {
            None => true,
            Some(ticket) => ticket.claim(TAKEN),
        }
    }

    /// Wakes the waiter, which runs next on this P.
    ///
    /// # Safety
    ///
    /// The caller got its node from [`take`] and wakes it once.
    #[inline(always)]
    pub(crate) unsafe fn wake(self) {
        // SAFETY: it had parked when its node could be found under the queue's lock, and by the claim only
        // the caller wakes it.
        unsafe { ready(self.g) };
    }

    /// Wakes the waiter, which runs in its turn.
    ///
    /// # Safety
    ///
    /// As for [`Sleeper::wake`].
    pub(crate) unsafe fn wake_in_turn(self) {
        // SAFETY: it had parked when its node could be found under the queue's lock, and by the claim only the
        // caller wakes it.
        unsafe { ready_tail(self.g) };
    }
}

/// What a node of a queue carries: at least its sleeper.
pub(crate) trait Sleeps {
    /// The waiter to wake, for its present wait.
    fn sleeper(&self) -> Sleeper;
}

impl Sleeps for Sleeper {
    #[inline(always)]
    fn sleeper(&self) -> Sleeper {
        *self
    }
}

/// Takes the first out whose wait is not over. Under the queue's lock. It stays parked, and its node
/// alive, until the caller wakes it.
#[inline(always)]
pub(crate) fn take<D: Sleeps>(queue: &mut Queue<D>) -> Option<&Node<D>> {
    loop {
        // SAFETY: a waiter leaves its node only after it was woken, or after it took the lock that the
        // caller holds and unlinked it.
        let node = unsafe { queue.pop_front()?.as_ref() };
        if node.data.sleeper().claim() {
            return Some(node);
        }
    }
}

/// Takes all out, into a queue of the caller's.
pub(crate) fn take_all<D: Sleeps>(queue: &mut Queue<D>, all: &mut Queue<D>) {
    while let Some(node) = take(queue) {
        // SAFETY: it is in no queue any more, and stays until it is woken.
        unsafe { all.push_back(node) };
    }
}

/// Wakes those that [`take_all`] has taken. Without the queue's lock.
///
/// # Safety
///
/// Once, for what `take_all` put there.
pub(crate) unsafe fn wake_all<D: Sleeps>(mut all: Queue<D>) {
    while let Some(node) = all.pop_front() {
        // SAFETY: it is parked, so its node is alive, until the second line; and it is ours to wake.
        unsafe {
            let sleeper = node.as_ref().data.sleeper();
            sleeper.wake_in_turn();
        }
    }
}

//! The waiters for one direction of a socket, and what wakes them.
//!
//! ```text
//! caller (a goroutine in `read`)                  poller (any M, or sysmon)
//! W1 look at the word (readiness.rs): registered  E1 the kernel's list of events
//!    and nothing there: W3, without a call        E2 per direction that an event touches: lock the line
//! W2 the call, which does not wait                E3 another generation: a stale event, unlock, ignore
//!      done: W7                                   E4 note the event in the word, in one step
//!      "not now": clear READY, if no event        E5 take out waiters until one can be claimed for an
//!      came since W1; not registered: do that,       event; all of them if there is no further event
//!      and W1                                     E6 unlock; make the claimed ones ready
//! W3 lock the line. Closed, ready, not
//!    registered, or too late: unlock, refuse
//! W4 the node to the tail
//! W5 park; the commit unlocks
//! W6 woken: EVENT: W2. TIMED_OUT: lock, take the
//!    node out if it is there. RECHECK: W1
//! W7 leaving, READY still set, a waiter queued:
//!    claim one as at E5 (the *baton*)
//! ```
//!
//! - *What W3 checks* (closed, ready, registered, the deadline) is changed first and then announced under the lock.
//!   The lock is held until the commit of W5. So the announcer finds the waiter queued, or the waiter finds the
//!   change.
//! - *No waiter sleeps while there is data*: a node is queued only under the lock and only while READY is clear, and
//!   READY is cleared only by a caller that got "not now" with the tick unchanged since before that call. READY set
//!   and a waiter queued implies that one taken out is between E5 and its W7.
//! - *One event, many units*: three connections that are queued make one event. The baton wakes the next acceptor;
//!   the chain ends at the caller that gets "not now".
//! - *A claim that a timer won*: E5 takes the next one, so no event is lost with a timeout.
//! - *A future in the line* does not take an event for itself: it may be dropped once it is woken, or do something else.
//!   So E5 wakes it and takes the next waiter as well; a future that finds nothing waits again.
//!
//! The list of waiters is io_nodes.rs.

use std::{
    cell::UnsafeCell,
    io::{self, ErrorKind},
};

#[cfg(not(all(test, goroutines_loom)))]
use crate::protocol::byte_lock::ByteLock;
// Two threads that spin keep loom from letting a third continue.
pub(crate) use crate::protocol::io_nodes::Node;
#[cfg(all(test, goroutines_loom))]
use crate::protocol::models::locks::door::ByteLock;
use crate::protocol::{
    io_nodes::NodeList,
    readiness::{Readiness, Seen},
    sync::{AtomicU32, AtomicU64, Ordering},
    timers::NEVER,
};

/// The outcome with which a waiter is claimed for an event.
pub(crate) const EVENT: u32 = 1;
/// The outcome where the deadline or the registration has changed: the waiter looks again.
pub(crate) const RECHECK: u32 = 2;

/// The right to end one wait.
pub(crate) trait Waiter: Copy {
    /// Returns whether this call ends the wait: true for one caller only.
    fn claim(self, outcome: u32) -> bool;

    /// Returns whether the waiter makes the call after it was claimed for an event, and passes the baton.
    fn takes_event(self) -> bool;
}

/// Why a caller must not wait: W3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// The call may succeed.
    Ready,
    Closed,
    NotRegistered,
    /// The deadline has passed.
    Late,
}

/// The result of `call`, which is made again after a signal. `None`: `WouldBlock`.
#[inline]
pub(crate) fn unless_not_now<R>(mut call: impl FnMut() -> io::Result<R>) -> Option<io::Result<R>> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return Some(result),
        }
    }
}

/// One direction of a socket.
pub(crate) struct Line<W> {
    ready: Readiness,
    lock: ByteLock,
    /// How many nodes are queued, readable without the lock.
    waiting: AtomicU32,
    /// The moment at which calls end in any case, [`NEVER`] if there is none.
    deadline: AtomicU64,
    nodes: UnsafeCell<NodeList<W>>,
}

// SAFETY: `nodes`, and what is in it, is touched under the lock only; a waiter is a right that any thread may use.
unsafe impl<W: Send> Sync for Line<W> {}
// SAFETY: nothing in it refers to a thread.
unsafe impl<W: Send> Send for Line<W> {}

impl<W: Waiter> Line<W> {
    pub(crate) fn new() -> Line<W> {
        Line {
            ready: Readiness::new(),
            lock: ByteLock::new(),
            waiting: AtomicU32::new(0),
            deadline: AtomicU64::new(NEVER),
            nodes: UnsafeCell::new(NodeList::new()),
        }
    }

    /// W1.
    #[inline]
    pub(crate) fn look(&self) -> Seen {
        self.ready.load()
    }

    /// W1, W2 and W7: makes `call`, which does not wait, if it is worth trying, or in any case if `must_try`. `None`:
    /// not now. `takes_all` returns whether a result shows that there is no more for the moment, so that the next call
    /// waits without a try. `wake` as in [`Line::announce`].
    ///
    /// The word is read before the call, so an event that comes during it is not forgotten after it.
    #[inline]
    pub(crate) fn attempt<R>(
        &self,
        must_try: bool,
        call: impl FnMut() -> io::Result<R>,
        takes_all: impl Fn(&R) -> bool,
        wake: impl FnMut(W),
    ) -> Option<io::Result<R>> {
        let seen = self.look();
        if !must_try && !seen.shall_try() {
            return None;
        }
        let Some(result) = unless_not_now(call) else {
            // False: an event came meanwhile, and W3 finds it.
            self.ready.clear(seen);
            return None;
        };
        if result.as_ref().is_ok_and(takes_all) {
            self.took_all(seen);
        }
        self.pass_baton(wake);
        Some(result)
    }

    /// W2, the call got less than it asked for: there is no more. Where no further event may come, READY stays: what
    /// comes next (the end) is for another caller too, which has looked before the last event and is about to wait.
    #[inline]
    fn took_all(&self, seen: Seen) {
        if !seen.is_sticky() {
            self.ready.clear(seen);
        }
    }

    /// The moment at which calls end in any case.
    #[inline]
    pub(crate) fn deadline(&self) -> u64 {
        // Relaxed: W3 looks again, under the lock.
        self.deadline.load(Ordering::Relaxed)
    }

    /// W3 and W4. `until` is the earliest end of the wait as the caller of [`Line::enlist`] knew it. Returns whether
    /// `node` was in the line before.
    ///
    /// # Safety
    ///
    /// `node` is in no line but maybe this one, and stays where it is until it was claimed for an event or
    /// [`Line::withdraw`] returned. On `Ok` the lock is held: the caller calls [`Line::unlock`] once.
    pub(crate) unsafe fn enlist(&self, node: &Node<W>, until: u64) -> Result<bool, Refusal> {
        self.lock.lock();
        let seen = self.ready.load();
        let refusal = if seen.is_closed() {
            Some(Refusal::Closed)
        } else if seen.is_ready() {
            Some(Refusal::Ready)
        } else if !seen.is_registered() {
            Some(Refusal::NotRegistered)
        } else if self.deadline() < until {
            Some(Refusal::Late)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            // SAFETY: locked above.
            unsafe { self.lock.unlock() };
            return Err(refusal);
        }
        let was_there = node.is_linked();
        if !was_there {
            // SAFETY: the lock is held, and the caller keeps the node.
            unsafe { (*self.nodes.get()).push(node) };
            self.count(1);
        }
        Ok(was_there)
    }

    /// The commit of W5.
    ///
    /// # Safety
    ///
    /// The lock is held since [`Line::enlist`].
    pub(crate) unsafe fn unlock(&self) {
        // SAFETY: the lock is held since `enlist`, as the caller owes.
        unsafe { self.lock.unlock() };
    }

    /// W6 of a wait that ended otherwise than by an event: `node`, which was in no other line, is in none any more.
    /// Returns whether it was in this one.
    pub(crate) fn withdraw(&self, node: &Node<W>) -> bool {
        self.locked(|nodes| {
            let linked = node.is_linked();
            if linked {
                // SAFETY: the lock is held; a linked node is in this line.
                unsafe { nodes.unlink(node) };
                self.count(-1);
            }
            linked
        })
    }

    /// E2 to E6: an event, `last` if there may be no further one. `is_current` returns, under the lock, whether the
    /// event is meant for this socket. `wake` makes a claimed waiter ready.
    pub(crate) fn announce(
        &self,
        last: bool,
        is_current: impl FnOnce() -> bool,
        wake: impl FnMut(W),
    ) {
        self.lock.lock();
        if !is_current() {
            // SAFETY: locked above.
            return unsafe { self.lock.unlock() };
        }
        self.ready.note_event(last);
        if last {
            self.claim_all_and_unlock(EVENT, wake);
        } else {
            self.serve_and_unlock(wake);
        }
    }

    /// W7. `wake` as in [`Line::announce`].
    #[inline]
    pub(crate) fn pass_baton(&self, wake: impl FnMut(W)) {
        // Relaxed: a waiter that was queued before the event which woke this caller is seen, because the claim was
        // under the lock; one that comes later finds READY.
        if self.waiting.load(Ordering::Relaxed) != 0 && self.ready.load().is_ready() {
            self.pass_slowly(wake);
        }
    }

    #[cold]
    fn pass_slowly(&self, wake: impl FnMut(W)) {
        self.lock.lock();
        self.serve_and_unlock(wake);
    }

    /// Calls end at `deadline` from now on; waiters look again.
    pub(crate) fn set_deadline(&self, deadline: u64, wake: impl FnMut(W)) {
        // Relaxed: announced under the lock.
        self.deadline.store(deadline, Ordering::Relaxed);
        self.recall(wake);
    }

    /// The poller reports this direction from now on, or no longer: then waiters look again.
    pub(crate) fn set_registered(&self, registered: bool, wake: impl FnMut(W)) {
        self.ready.set_registered(registered);
        if !registered {
            self.recall(wake);
        }
    }

    /// No wait is possible any more.
    pub(crate) fn close(&self, wake: impl FnMut(W)) {
        self.ready.close();
        self.recall(wake);
    }

    /// For another socket, whose first user this is. There is no waiter.
    pub(crate) fn reset(&self, change: impl FnOnce()) {
        self.lock.lock();
        change();
        self.ready.reset();
        // Relaxed: under the lock.
        self.deadline.store(NEVER, Ordering::Relaxed);
        // SAFETY: locked above.
        unsafe { self.lock.unlock() };
    }

    /// Takes all waiters out; they look again.
    fn recall(&self, wake: impl FnMut(W)) {
        self.lock.lock();
        self.claim_all_and_unlock(RECHECK, wake);
    }

    /// E5 and E6: the lock is held, and is not after. All up to the first that takes the event.
    fn serve_and_unlock(&self, mut wake: impl FnMut(W)) {
        loop {
            let claimed = self.claim_one();
            // SAFETY: the lock is held.
            unsafe { self.lock.unlock() };
            let Some(waiter) = claimed else {
                return;
            };
            let served = waiter.takes_event();
            wake(waiter);
            // Cleared meanwhile: a caller got "not now", so there is nothing for the next waiter.
            if served || !self.ready.load().is_ready() {
                return;
            }
            self.lock.lock();
        }
    }

    /// The lock is held.
    fn claim_one(&self) -> Option<W> {
        // SAFETY: the callers hold the lock; nodes in the line are alive.
        while let Some(waiter) = unsafe { (*self.nodes.get()).pop() } {
            self.count(-1);
            if waiter.claim(EVENT) {
                return Some(waiter);
            }
        }
        None
    }

    /// The lock is held, and is unlocked at the end. In parts, so that the claimed ones fit into a small array.
    fn claim_all_and_unlock(&self, outcome: u32, mut wake: impl FnMut(W)) {
        loop {
            let mut claimed = [None; 8];
            let mut count = 0;
            while count < claimed.len()
                // SAFETY: the lock is held; nodes in the line are alive.
                && let Some(waiter) = unsafe { (*self.nodes.get()).pop() }
            {
                self.count(-1);
                if waiter.claim(outcome) {
                    claimed[count] = Some(waiter);
                    count += 1;
                }
            }
            // SAFETY: the lock is held.
            unsafe { self.lock.unlock() };
            claimed.into_iter().flatten().for_each(&mut wake);
            if count < claimed.len() {
                return;
            }
            self.lock.lock();
        }
    }

    fn locked<R>(&self, f: impl FnOnce(&mut NodeList<W>) -> R) -> R {
        self.lock.lock();
        // SAFETY: the lock is held.
        let result = f(unsafe { &mut *self.nodes.get() });
        // SAFETY: locked above.
        unsafe { self.lock.unlock() };
        result
    }

    /// After each change of the queue, under the lock.
    fn count(&self, change: i32) {
        // Relaxed (both): written under the lock; see `pass_baton`.
        let waiting = self.waiting.load(Ordering::Relaxed);
        self.waiting
            .store(waiting.wrapping_add_signed(change), Ordering::Relaxed);
    }
}

//! Who waits in a channel: a node on its stack that says where its message lies, or is to go.
//!
//! A waiting receiver's place is empty and is filled by a sender. A waiting sender's place holds its
//! message and is emptied by a receiver; or it stays full, when the channel is disconnected or the
//! time is up. The place lies on the waiter's stack, too.
//!
//! ```text
//!   OutOfPatience ──► Served         a counterpart filled or emptied the place
//!     (what it is if  ──► Disconnected  the other side is gone; the place is as it was
//!      nobody comes)
//! ```

use std::{cell::Cell, ptr, ptr::NonNull};

use goroutines_sched::{GRef, Ticket, ready, ready_tail};

use crate::sync::waitq::{Node, Queue};

/// What a counterpart claims a ticket with. A select will claim with the number of its case.
const SERVED: u32 = 0;

/// How the waiter is woken.
pub(super) enum Who {
    /// It waits here and nowhere else: whoever takes its node wakes it.
    Alone(GRef),
    /// Others may end the wait too: whoever takes its node must win the ticket first.
    Shared(Ticket),
}

impl Who {
    #[inline(always)]
    fn g(&self) -> GRef {
        match self {
            Who::Alone(g) => *g,
            Who::Shared(ticket) => ticket.g(),
        }
    }
}

/// How an operation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "only `Served` moved the message"]
pub(super) enum End {
    /// The message went over.
    Served,
    /// The other side is gone, no message went over.
    Disconnected,
    /// Nobody came in time.
    OutOfPatience,
}

/// One who waits to send or to receive.
pub(super) struct Waiter<T> {
    who: Who,
    place: *mut T,
    end: Cell<End>,
}

/// The waiters of one direction, oldest first.
pub(super) type Waiters<T> = Queue<Waiter<T>>;

impl<T> Waiter<T> {
    /// `place` is valid while the node is in a queue, and until its taker wakes `who`.
    #[inline(always)]
    pub(super) fn node(who: Who, place: *mut T) -> Node<Waiter<T>> {
        Node::new(Waiter {
            who,
            place,
            end: Cell::new(End::OutOfPatience),
        })
    }

    /// How the wait ended. For the waiter, after it was woken.
    #[inline(always)]
    pub(super) fn end(&self) -> End {
        self.end.get()
    }
}

/// Takes the first waiter whose wait is still open. Under the channel's lock.
#[inline(always)]
pub(super) fn take<T>(waiters: &mut Waiters<T>) -> Option<Taken<T>> {
    loop {
        let node = waiters.pop_front()?;
        // SAFETY: a waiter leaves its node only after it was woken, or after it took the lock that
        // the caller holds and unlinked it.
        match unsafe { &node.as_ref().data.who } {
            Who::Alone(_) => return Some(Taken(node)),
            Who::Shared(ticket) if ticket.claim(SERVED) => return Some(Taken(node)),
            // Its timer was first; the node is out of the queue, as the waiter will see.
            Who::Shared(_) => {}
        }
    }
}

/// A waiter that was taken out of its queue, its ticket won: it stays parked until it is woken
/// through this, which must happen. The channel's lock is not needed for that.
#[must_use = "the waiter would sleep for ever"]
pub(super) struct Taken<T>(NonNull<Node<Waiter<T>>>);

impl<T> Taken<T> {
    #[inline(always)]
    fn waiter(&self) -> &Waiter<T> {
        // SAFETY: the waiter is parked and its frame alive until we make it ready, which uses up
        // `self`.
        unsafe { &self.0.as_ref().data }
    }

    /// Moves the message at `msg` to this receiver and wakes it.
    ///
    /// # Safety
    ///
    /// It is a receiver; `msg` points at a message, which is the receiver's from now on.
    #[inline(always)]
    pub(super) unsafe fn deliver(self, msg: *const T) {
        // SAFETY: the place of a parked receiver is valid and the taker's, and not the sender's.
        unsafe { ptr::copy_nonoverlapping(msg, self.waiter().place, 1) };
        self.served();
    }

    /// Moves the message of this sender to `out` and wakes it.
    ///
    /// # Safety
    ///
    /// It is a sender; `out` may be written, and what is there then is the caller's.
    #[inline(always)]
    pub(super) unsafe fn collect(self, out: *mut T) {
        // SAFETY: the place of a parked sender is full and the taker's, and not the receiver's.
        unsafe { ptr::copy_nonoverlapping(self.waiter().place, out, 1) };
        self.served();
    }

    /// Where the message of this sender lies: for one who moves it, and then wakes the sender with
    /// [`Taken::served`].
    #[inline(always)]
    pub(super) fn place(&self) -> *const T {
        self.waiter().place
    }

    /// Wakes the waiter, whose message went over. It runs next on this P.
    #[inline(always)]
    pub(super) fn served(self) {
        let waiter = self.waiter();
        waiter.end.set(End::Served);
        let g = waiter.who.g();
        // SAFETY: it had parked when its node could be found under the channel's lock, and being the
        // taker makes us the one who wakes it.
        unsafe { ready(g) };
    }

    /// Wakes the waiter: the other side is gone. It runs when its turn comes.
    fn disconnected(self) {
        let waiter = self.waiter();
        waiter.end.set(End::Disconnected);
        let g = waiter.who.g();
        // SAFETY: as in `served`.
        unsafe { ready_tail(g) };
    }
}

/// All waiters of a queue, taken under the lock, to be told without it that the other side is gone.
pub(super) struct Dismissed<T>(Waiters<T>);

impl<T> Dismissed<T> {
    /// Under the channel's lock.
    pub(super) fn take(waiters: &mut Waiters<T>) -> Dismissed<T> {
        let mut all = Queue::new();
        while let Some(taken) = take(waiters) {
            // SAFETY: out of its queue, and parked until `wake`.
            unsafe { all.push_back(taken.0.as_ref()) };
        }
        Dismissed(all)
    }

    /// Without the lock.
    pub(super) fn wake(mut self) {
        while let Some(node) = self.0.pop_front() {
            Taken(node).disconnected();
        }
    }
}

//! Who waits in a channel: a node on its stack with a slot for one message.
//!
//! The slot of a waiting receiver is empty and is filled by a sender; the slot of a waiting sender
//! holds its message and is emptied by a receiver, or given back to it when the channel is
//! disconnected or the time is up.
//!
//! ```text
//!              outcome
//!   Waiting ──────────► Served        a counterpart filled or emptied the slot
//!      │  └───────────► Disconnected  the other side is gone; a sender's slot is full
//!      └ (the ticket was claimed by the timer: the waiter unlinks its node itself)
//! ```

use std::{cell::Cell, cell::UnsafeCell, mem::MaybeUninit, ptr::NonNull};

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

/// How the wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// It has not.
    Waiting,
    /// The message went over.
    Served,
    /// The other side is gone, no message went over.
    Disconnected,
}

/// One who waits to send or to receive.
pub(super) struct Waiter<T> {
    who: Who,
    outcome: Cell<Outcome>,
    slot: UnsafeCell<MaybeUninit<T>>,
}

/// The waiters of one direction, oldest first.
pub(super) type Waiters<T> = Queue<Waiter<T>>;

impl<T> Waiter<T> {
    /// A receiver: the slot is empty.
    #[inline(always)]
    pub(super) fn receiver(who: Who) -> Node<Waiter<T>> {
        Node::new(Waiter {
            who,
            outcome: Cell::new(Outcome::Waiting),
            slot: UnsafeCell::new(MaybeUninit::uninit()),
        })
    }

    /// A sender: the slot holds `msg`.
    #[inline(always)]
    pub(super) fn sender(who: Who, msg: T) -> Node<Waiter<T>> {
        Node::new(Waiter {
            who,
            outcome: Cell::new(Outcome::Waiting),
            slot: UnsafeCell::new(MaybeUninit::new(msg)),
        })
    }

    /// How the wait ended. For the waiter, after it was woken.
    #[inline(always)]
    pub(super) fn outcome(&self) -> Outcome {
        self.outcome.get()
    }

    /// Moves the message out of the slot.
    ///
    /// # Safety
    ///
    /// The slot is full, and the caller owns it: the waiter after its wait, the taker before it wakes
    /// the waiter.
    #[inline(always)]
    pub(super) unsafe fn message(&self) -> T {
        // SAFETY: full and ours, says the caller.
        unsafe { (*self.slot.get()).assume_init_read() }
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

    /// Hands `msg` to this receiver and wakes it.
    #[inline(always)]
    pub(super) fn deliver(self, msg: T) {
        let waiter = self.waiter();
        // SAFETY: the slot of a parked receiver is the taker's.
        unsafe { (*waiter.slot.get()).write(msg) };
        self.served();
    }

    /// Takes the message of this sender, which must be woken with [`Taken::served`] next.
    ///
    /// # Safety
    ///
    /// It is a sender, and this is called once.
    #[inline(always)]
    pub(super) unsafe fn message(&self) -> T {
        // SAFETY: the slot of a parked sender is full and the taker's.
        unsafe { self.waiter().message() }
    }

    /// Wakes the waiter: its message went over. It runs next on this P.
    #[inline(always)]
    pub(super) fn served(self) {
        let waiter = self.waiter();
        waiter.outcome.set(Outcome::Served);
        let g = waiter.who.g();
        // SAFETY: it had parked when its node could be found under the channel's lock, and being the
        // taker makes us the one who wakes it.
        unsafe { ready(g) };
    }

    /// Wakes the waiter: the other side is gone. It runs when its turn comes.
    fn disconnected(self) {
        let waiter = self.waiter();
        waiter.outcome.set(Outcome::Disconnected);
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

//! A waiter in a channel: a node on its stack that says where its message lies, or is to go.
//!
//! A waiting receiver's place is empty and is filled by a sender. A waiting sender's place holds its
//! message and is emptied by a receiver; or it stays full, when the channel is disconnected or the
//! time is up. The place lies on the waiter's stack, too.
//!
//! A select that waits to send has no message yet: the expression is evaluated when its case was chosen.
//! Its node has no place and is a *promise*. Its taker either reserves room in the buffer for it, or is a
//! receiver, which then stands in `engaged` until the message comes (promise.rs).
//!
//! ```text
//!   TimedOut ──────► Served       a counterpart filled or emptied the place; a promise: it may be kept;
//!     (what it is                   a future that receives: it was told, its message lies ahead of the buffer
//!      at first) ────► Disconnected the other side is gone; the place is as it was
//!               ─────► Promised     a receiver that a select will give a message
//!               ─────► Again        that select has no message after all: look again
//! ```
//!
//! A future may be polled with another waker, or be gone, as soon as the channel is unlocked. So the taker of its node
//! does all that it has to do with it under the lock, and takes the waker along ([`Wake`]).

use std::{cell::Cell, marker::PhantomData, ptr, ptr::NonNull, task::Waker};

use super::door::{
    GRef, ParkState, Ticket, ready, ready_tail,
    waitq::{Node, Queue},
    wake,
};

/// With this a counterpart claims the ticket of a waiter that waits in this channel only. A select's ticket is
/// claimed with the number of the case.
const SERVED: u32 = 0;

/// How the waiter is woken.
pub(crate) enum Who {
    /// It waits here and nowhere else: the taker of its node wakes it.
    Alone(GRef),
    /// Others may end the wait too: the taker of its node must win the ticket first.
    Shared(Ticket),
    /// A case of a select, which has nodes in other queues as well.
    Case(Case),
    /// A future, to be woken by this once its node was taken out. Under the channel's lock.
    Future(Cell<Option<Waker>>),
}

/// A case of a select that waits.
pub(crate) struct Case {
    pub(crate) ticket: Ticket,
    /// The ticket is claimed with it.
    pub(crate) number: u32,
    /// Only waits until there would be a counterpart, and takes part in nothing.
    pub(crate) watches: bool,
    /// Continues to wait in its other queues, and for its deadline, while it is promised a message here.
    pub(crate) revocable: bool,
    /// Alive until its waiter was told and runs.
    pub(crate) landing: NonNull<ParkState>,
}

impl Who {
    /// The goroutine that must be made ready, if it has parked. If not, this is the last access to what belongs to the
    /// waiter.
    #[inline(never)]
    fn wake(&self) -> Option<GRef> {
        match self {
            Who::Alone(g) => Some(*g),
            Who::Shared(ticket) => Some(ticket.g()),
            Who::Case(case) => {
                let g = case.ticket.g();
                // SAFETY: we have won the ticket and have not woken the waiter before: its `ParkState` is alive.
                unsafe { case.landing.as_ref() }.wake().then_some(g)
            }
            Who::Future(_) => unreachable!("goroutines: a future is woken by its waker"),
        }
    }
}

/// How an operation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "only `Served` moved the message"]
pub(crate) enum End {
    /// The message was passed.
    Served,
    /// The other side is gone, no message was passed.
    Disconnected,
    /// No counterpart came in time.
    TimedOut,
    /// A select will give it a message.
    Promised,
    /// A promise was not kept, or something else has changed: the operation looks anew.
    Again,
    /// Nothing was done: the caller runs under a context, and would have had to wait.
    UnderContext,
}

/// A waiter that wants to send or to receive.
pub(crate) struct Waiter {
    who: Who,
    /// The place of a message of the channel's type. Null for a promise, and for a future that receives.
    place: *mut (),
    end: Cell<End>,
}

/// The waiters of one direction, oldest first.
pub(super) type Waiters = Queue<Waiter>;

impl Waiter {
    /// `place` is valid while the node is in a queue, and until its taker wakes `who`.
    #[inline(always)]
    pub(super) fn new(who: Who, place: *mut ()) -> Waiter {
        Waiter {
            who,
            place,
            end: Cell::new(End::TimedOut),
        }
    }

    /// A node of it.
    #[inline(always)]
    pub(crate) fn node(who: Who, place: *mut ()) -> Node<Waiter> {
        Node::new(Waiter::new(who, place))
    }

    /// How the wait ended. For the waiter, after it was woken; of a future, under the channel's lock.
    #[inline(always)]
    pub(crate) fn end(&self) -> End {
        self.end.get()
    }

    /// Under the channel's lock, of one whose node is in no queue, or moves from one to another.
    pub(super) fn set_end(&self, end: End) {
        self.end.set(end);
    }

    #[inline(always)]
    pub(super) fn is_alone(&self) -> bool {
        matches!(self.who, Who::Alone(_))
    }

    /// Ends the wait; returns false if it was ended before. Under the channel's lock.
    pub(super) fn claim(&self) -> bool {
        match &self.who {
            Who::Alone(_) | Who::Future(_) => true,
            Who::Shared(ticket) => ticket.claim(SERVED),
            // A waiter that is bound to its promise was claimed when the message was promised.
            Who::Case(case) if self.end.get() == End::Promised && !case.revocable => true,
            Who::Case(case) => case.ticket.claim(case.number),
        }
    }

    /// As [`Waiter::claim`], for the timekeeping of a clock: only for a waiter that waits for nothing else.
    pub(super) fn claim_in_line(&self) -> bool {
        matches!(self.who, Who::Shared(_)) && self.claim()
    }

    /// As [`Waiter::claim`], for a waiter to which a message is promised: one that may withdraw is not claimed yet.
    pub(super) fn engage(&self) -> bool {
        let is_open = match &self.who {
            Who::Alone(_) | Who::Future(_) => true,
            Who::Shared(ticket) => ticket.is_open(),
            Who::Case(case) if case.revocable => case.ticket.is_open(),
            Who::Case(case) => case.ticket.claim(case.number),
        };
        if is_open {
            self.end.set(End::Promised);
        }
        is_open
    }

    /// Returns whether the wait is not ended yet: a snapshot.
    pub(super) fn is_open(&self) -> bool {
        match &self.who {
            Who::Alone(_) | Who::Future(_) => true,
            Who::Shared(ticket) => ticket.is_open(),
            Who::Case(case) => case.ticket.is_open(),
        }
    }

    pub(super) fn is_future(&self) -> bool {
        matches!(self.who, Who::Future(_))
    }

    /// The waker with which a future is woken from now on; returns the one before.
    pub(super) fn set_waker(&self, waker: Option<Waker>) -> Option<Waker> {
        match &self.who {
            Who::Future(old) => old.replace(waker),
            _ => unreachable!("goroutines: a waker for what is no future"),
        }
    }

    /// Returns whether it takes part, and does not only watch.
    pub(crate) fn takes_part(&self) -> bool {
        !matches!(&self.who, Who::Case(case) if case.watches)
    }

    /// Of a sender: returns whether it is a select that has yet to make its message.
    pub(super) fn is_promise(&self) -> bool {
        self.place.is_null() && self.takes_part()
    }

    /// Returns whether it would be a counterpart of `me`: a snapshot.
    pub(super) fn would_meet(&self, me: GRef) -> bool {
        match &self.who {
            Who::Alone(_) | Who::Future(_) | Who::Shared(_) => self.is_open(),
            Who::Case(case) => !case.watches && self.is_open() && case.ticket.g() != me,
        }
    }
}

/// Takes the waiters that only watch out of the queue: there is a counterpart now. Under the channel's lock; they are to
/// be woken without it.
pub(super) fn take_watchers<T>(waiters: &mut Waiters) -> Watchers<T> {
    let (mut watchers, mut others) = (Queue::new(), Queue::new());
    while let Some(node) = waiters.pop_front() {
        // SAFETY: a waiter leaves its node only after it was woken, or after it took the lock that the
        // caller holds and unlinked it.
        let node = unsafe { node.as_ref() };
        match &node.data.who {
            // SAFETY: just taken out of the queue, and its owner parked until we wake it.
            Who::Case(case) if case.watches => unsafe {
                if node.data.claim() {
                    watchers.push_back(node);
                }
            },
            // SAFETY: just taken out of the queue into which it is put again.
            _ => unsafe { others.push_back(node) },
        }
    }
    *waiters = others;
    Watchers(watchers, PhantomData)
}

/// See [`take_watchers`].
#[must_use = "the waiters would sleep for ever"]
pub(crate) struct Watchers<T>(Waiters, PhantomData<*mut T>);

impl<T> Watchers<T> {
    pub(crate) fn wake(mut self) {
        while let Some(node) = self.0.pop_front() {
            Taken::<T>(node, PhantomData).wake_last(End::Served);
        }
    }
}

/// A waiter that was taken out of its queue, its ticket won: it stays parked until it is woken
/// through this, which must happen. The channel's lock is not needed for that.
#[must_use = "the waiter would sleep for ever"]
pub(super) struct Taken<T>(NonNull<Node<Waiter>>, PhantomData<*mut T>);

impl<T> Taken<T> {
    /// # Safety
    ///
    /// The caller has just taken the node out of its queue, which is of messages of this type, under the channel's
    /// lock; no other thread can end its wait any more.
    #[inline(always)]
    pub(super) unsafe fn new(node: NonNull<Node<Waiter>>) -> Taken<T> {
        Taken(node, PhantomData)
    }

    #[inline(always)]
    fn waiter(&self) -> &Waiter {
        // SAFETY: the waiter does not leave its frame until we wake it, which uses up `self`. (A future's node is alive
        // until the channel is unlocked, which comes after `into_wake`.)
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
        unsafe { ptr::copy_nonoverlapping(msg, self.waiter().place.cast::<T>(), 1) };
        self.complete();
    }

    /// Moves the message of this sender to `out` and wakes it.
    ///
    /// # Safety
    ///
    /// It is a sender and no promise; `out` may be written, and what is there then is the caller's.
    #[inline(always)]
    pub(super) unsafe fn collect(self, out: *mut T) {
        // SAFETY: the place of a parked sender is full and the taker's, and not the receiver's.
        unsafe { ptr::copy_nonoverlapping(self.waiter().place.cast::<T>(), out, 1) };
        self.complete();
    }

    /// Where the message of this sender lies: for a taker that moves it, and then wakes the sender with
    /// [`Taken::complete`].
    #[inline(always)]
    pub(super) fn place(&self) -> *const T {
        self.waiter().place.cast_const().cast()
    }

    /// Where the message of this receiver is to go.
    #[inline(always)]
    pub(super) fn room(&self) -> *mut T {
        self.waiter().place.cast()
    }

    /// Of a sender: returns whether it is a select that has yet to make its message.
    pub(super) fn is_promise(&self) -> bool {
        self.waiter().is_promise()
    }

    pub(super) fn is_future(&self) -> bool {
        self.waiter().is_future()
    }

    /// Wakes the waiter, whose message was passed. It runs next on this P.
    #[inline(always)]
    pub(super) fn complete(self) {
        let waiter = self.waiter();
        waiter.end.set(End::Served);
        let g = match &waiter.who {
            Who::Alone(g) => *g,
            who => match who.wake() {
                Some(g) => g,
                None => return,
            },
        };
        // SAFETY: it had parked when its node could be found under the channel's lock, or its `ParkState`
        // says so; only its taker wakes it.
        unsafe { ready(g) };
    }

    /// Wakes the waiter when its turn comes.
    pub(super) fn wake_last(self, end: End) {
        let waiter = self.waiter();
        waiter.end.set(end);
        if let Some(g) = waiter.who.wake() {
            // SAFETY: it had parked when its node could be found under the channel's lock, or its `ParkState` says
            // so; only its taker wakes it.
            unsafe { ready_tail(g) };
        }
    }

    /// Ends the wait; what is returned wakes the waiter, of any kind. Under the channel's lock.
    pub(super) fn into_wake(self, end: End) -> Wake<T> {
        let waiter = self.waiter();
        if let Who::Future(waker) = &waiter.who {
            waiter.end.set(end);
            return Wake::Future(waker.take());
        }
        Wake::Waiter(self, end)
    }
}

/// A waiter to be woken when the channel is unlocked.
#[must_use = "the waiter would sleep for ever"]
pub(super) enum Wake<T> {
    Waiter(Taken<T>, End),
    /// Its node is not ours any more.
    Future(Option<Waker>),
}

impl<T> Wake<T> {
    /// Without the lock.
    pub(super) fn wake(self) {
        match self {
            Wake::Waiter(taken, End::Served) => taken.complete(),
            Wake::Waiter(taken, end) => taken.wake_last(end),
            Wake::Future(waker) => {
                if let Some(waker) = waker {
                    wake(waker);
                }
            }
        }
    }
}

/// So many waiters are looked at in one go when a side is gone: the lock is not held for longer.
const MANY: usize = 16;

/// Some of the waiters of a queue, to be woken without the lock because the other side is gone.
pub(super) struct DisconnectedWaiters<T> {
    some: [Option<Wake<T>>; MANY],
    are_all: bool,
}

impl<T> DisconnectedWaiters<T> {
    /// Under the channel's lock, after which no waiter enters this queue.
    pub(super) fn take(waiters: &mut Waiters, end: End) -> DisconnectedWaiters<T> {
        let mut some = [const { None }; MANY];
        for place in &mut some {
            let Some(node) = waiters.pop_front() else {
                break;
            };
            // SAFETY: a waiter leaves its node only after it was woken, or after it took the lock that the
            // caller holds and unlinked it.
            if unsafe { &node.as_ref().data }.claim() {
                *place = Some(Taken(node, PhantomData).into_wake(end));
            }
        }
        DisconnectedWaiters {
            some,
            are_all: waiters.is_empty(),
        }
    }

    /// Without the lock. Returns whether there were no more.
    pub(super) fn wake(self) -> bool {
        self.some.into_iter().flatten().for_each(Wake::wake);
        self.are_all
    }
}

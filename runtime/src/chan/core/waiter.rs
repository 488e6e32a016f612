//! Who waits in a channel: a node on its stack that says where its message lies, or is to go.
//!
//! A waiting receiver's place is empty and is filled by a sender. A waiting sender's place holds its
//! message and is emptied by a receiver; or it stays full, when the channel is disconnected or the
//! time is up. The place lies on the waiter's stack, too.
//!
//! A select that waits to send has no message yet: the expression is evaluated when its case was chosen.
//! Its node has no place and is a *promise*. Who takes it either reserves room in the buffer for it, or is
//! a receiver, which then stands in `engaged` until the message comes (promise.rs).
//!
//! ```text
//!   TimedOut ──────► Served       a counterpart filled or emptied the place; a promise: it may be kept;
//!     (what it is if                a future that receives: it was told, its message lies ahead of the buffer
//!      nobody comes)─► Disconnected the other side is gone; the place is as it was
//!               ─────► Promised     a receiver that a select will give a message
//!               ─────► Again        that select has no message after all: look again
//! ```
//!
//! A future may be polled with another waker, or be gone, as soon as the channel is unlocked. So whoever takes the
//! node of one does all that it has to do with it under the lock, and takes the waker along ([`Wake`]).

use std::{cell::Cell, marker::PhantomData, ptr, ptr::NonNull, task::Waker};

use super::door::{
    GRef, ParkState, Ticket, ready, ready_tail,
    waitq::{Node, Queue},
    wake,
};

/// What a counterpart claims the ticket of one that waits in this channel only with. A select's is
/// claimed with the number of the case.
const SERVED: u32 = 0;

/// How the waiter is woken.
pub(crate) enum Who {
    /// It waits here and nowhere else: whoever takes its node wakes it.
    Alone(GRef),
    /// Others may end the wait too: whoever takes its node must win the ticket first.
    Shared(Ticket),
    /// A case of a select, which has nodes in other queues as well.
    Case(Case),
    /// A future, to be woken by this once its node was taken out. Under the channel's lock.
    Future(Cell<Option<Waker>>),
}

/// A case of a select that waits.
pub(crate) struct Case {
    pub(crate) ticket: Ticket,
    /// What the ticket is claimed with.
    pub(crate) number: u32,
    /// Only wants to know that there would be a counterpart, and takes part in nothing.
    pub(crate) watches: bool,
    /// Goes on waiting in its other queues, and for its deadline, while it is promised a message here.
    pub(crate) revocable: bool,
    /// Alive until its waiter has landed.
    pub(crate) landing: NonNull<ParkState>,
}

impl Who {
    /// Who must be made ready, if anybody. The last access to what belongs to the waiter, if not.
    #[inline(never)]
    fn wake(&self) -> Option<GRef> {
        match self {
            Who::Alone(g) => Some(*g),
            Who::Shared(ticket) => Some(ticket.g()),
            Who::Case(case) => {
                let g = case.ticket.g();
                // SAFETY: we have won the ticket and have not woken the waiter before: it cannot have landed.
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
    /// The message went over.
    Served,
    /// The other side is gone, no message went over.
    Disconnected,
    /// Nobody came in time.
    TimedOut,
    /// A select will give it a message.
    Promised,
    /// A promise was not kept; or something else has changed: look anew.
    Again,
    /// Nothing was done: the caller runs under a context, and would have had to wait.
    UnderContext,
}

/// One who waits to send or to receive.
pub(crate) struct Waiter {
    who: Who,
    /// Of a message of the channel's type. Null: of a promise, or of a future that receives.
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

    /// Ends the wait, unless somebody else has. Under the channel's lock.
    pub(super) fn claim(&self) -> bool {
        match &self.who {
            Who::Alone(_) | Who::Future(_) => true,
            Who::Shared(ticket) => ticket.claim(SERVED),
            // One that is bound to its promise was claimed when it was promised.
            Who::Case(case) if self.end.get() == End::Promised && !case.revocable => true,
            Who::Case(case) => case.ticket.claim(case.number),
        }
    }

    /// As [`Waiter::claim`], for the timekeeping of a clock: only of one that waits for nothing else.
    pub(super) fn claim_in_line(&self) -> bool {
        matches!(self.who, Who::Shared(_)) && self.claim()
    }

    /// As [`Waiter::claim`], for one to which a message is promised: whoever may withdraw is not claimed yet.
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

    /// Is nobody known to have ended the wait? A snapshot.
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

    /// Is it here for more than to watch?
    pub(crate) fn takes_part(&self) -> bool {
        !matches!(&self.who, Who::Case(case) if case.watches)
    }

    /// Is it, of a sender, a select that has yet to make its message?
    pub(super) fn is_promise(&self) -> bool {
        self.place.is_null() && self.takes_part()
    }

    /// Would it be a counterpart of `me`, now? A snapshot.
    pub(super) fn would_meet(&self, me: GRef) -> bool {
        match &self.who {
            Who::Alone(_) | Who::Future(_) | Who::Shared(_) => self.is_open(),
            Who::Case(case) => !case.watches && self.is_open() && case.ticket.g() != me,
        }
    }
}

/// Takes those who only watch out of the queue: there is a counterpart now. Under the channel's lock, and to be woken
/// without it.
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
            // SAFETY: just taken out of the queue to which it comes back.
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
    /// lock; its wait can be ended by nobody else (any more).
    #[inline(always)]
    pub(super) unsafe fn new(node: NonNull<Node<Waiter>>) -> Taken<T> {
        Taken(node, PhantomData)
    }

    #[inline(always)]
    fn waiter(&self) -> &Waiter {
        // SAFETY: the waiter has not landed and its frame is alive until we wake it, which uses up
        // `self`. (A future's node: until the channel is unlocked, which comes after `into_wake`.)
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

    /// Where the message of this sender lies: for one who moves it, and then wakes the sender with
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

    /// Is it, of a sender, a select that has yet to make its message?
    pub(super) fn is_promise(&self) -> bool {
        self.waiter().is_promise()
    }

    pub(super) fn is_future(&self) -> bool {
        self.waiter().is_future()
    }

    /// Wakes the waiter, whose message went over. It runs next on this P.
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
        // SAFETY: it had parked when its node could be found under the channel's lock, or has
        // told its landing so; being the taker makes us the one who wakes it.
        unsafe { ready(g) };
    }

    /// Wakes the waiter when its turn comes.
    pub(super) fn wake_last(self, end: End) {
        let waiter = self.waiter();
        waiter.end.set(end);
        if let Some(g) = waiter.who.wake() {
            // SAFETY: it had parked when its node could be found under the channel's lock, or has told its
            // landing so; being the taker makes us the one who wakes it.
            unsafe { ready_tail(g) };
        }
    }

    /// Ends the wait; whoever it is is woken by what is returned. Under the channel's lock.
    pub(super) fn into_wake(self, end: End) -> Wake<T> {
        let waiter = self.waiter();
        if let Who::Future(waker) = &waiter.who {
            waiter.end.set(end);
            return Wake::Future(waker.take());
        }
        Wake::Waiter(self, end)
    }
}

/// Who is to be woken when the channel is unlocked.
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
    /// Under the channel's lock, after which nobody comes to wait here.
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

    /// Without the lock. True if there were no more.
    pub(super) fn wake(self) -> bool {
        self.some.into_iter().flatten().for_each(Wake::wake);
        self.are_all
    }
}

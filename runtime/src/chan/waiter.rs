//! Who waits in a channel: a node on its stack that says where its message lies, or is to go.
//!
//! A waiting receiver's place is empty and is filled by a sender. A waiting sender's place holds its
//! message and is emptied by a receiver; or it stays full, when the channel is disconnected or the
//! time is up. The place lies on the waiter's stack, too.
//!
//! A select that waits to send has no message yet: the expression is evaluated when its case was chosen.
//! Its node has no place and is a *promise*. Who takes it either reserves room in the buffer for it, or is
//! a receiver that leaves its own node there as the *partner*, and waits for the select to keep its promise.
//!
//! ```text
//!   OutOfPatience ──► Served         a counterpart filled or emptied the place; a promise: there is room,
//!     (what it is if                 or a partner
//!      nobody comes)──► Disconnected the other side is gone; the place is as it was
//!                   ──► Again        a receiver was promised a message, which did not come: wait again
//! ```

use std::{
    cell::Cell,
    marker::PhantomData,
    ptr::{self, NonNull},
};

use super::{
    door::{
        GRef, Landing, Ticket, ready, ready_tail,
        waitq::{Node, Queue},
    },
    proxy::Proxy,
};

/// What a counterpart claims the ticket of one that waits in this channel only with. A select's is
/// claimed with the number of the case.
const SERVED: u32 = 0;

/// How the waiter is woken.
pub(super) enum Who {
    /// It waits here and nowhere else: whoever takes its node wakes it.
    Alone(GRef),
    /// Others may end the wait too: whoever takes its node must win the ticket first.
    Shared(Ticket),
    /// A case of a select, which has nodes in other queues as well.
    Case(Case),
    /// A future, which has left this in its place. Alive until it is told.
    Future(NonNull<Proxy>),
}

/// A case of a select that waits.
pub(super) struct Case {
    pub(super) ticket: Ticket,
    /// What the ticket is claimed with.
    pub(super) number: u32,
    /// Only wants to know that there would be a counterpart, and takes part in nothing.
    pub(super) watches: bool,
    /// Alive until its waiter has landed.
    pub(super) landing: NonNull<Landing>,
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
            Who::Future(_) => unreachable!("goroutines: a future is told otherwise"),
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
    /// A promise was not kept.
    Again,
    /// Nothing was done: the caller runs under a context, and would have had to wait.
    UnderContext,
}

/// One who waits to send or to receive.
pub(super) struct Waiter {
    who: Who,
    /// Of a message of the channel's type. Of a promise: null, or the node of the receiver that waits
    /// for it.
    place: Cell<*mut ()>,
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
            place: Cell::new(place),
            end: Cell::new(End::OutOfPatience),
        }
    }

    /// A node of it.
    #[inline(always)]
    pub(super) fn node(who: Who, place: *mut ()) -> Node<Waiter> {
        Node::new(Waiter::new(who, place))
    }

    /// How the wait ended. For the waiter, after it was woken.
    #[inline(always)]
    pub(super) fn end(&self) -> End {
        self.end.get()
    }

    /// Who waits for this promise to be kept. For the waiter, after it was woken.
    pub(super) fn partner(&self) -> Option<NonNull<Node<Waiter>>> {
        NonNull::new(self.place.get().cast())
    }

    /// Is it here for more than to watch?
    pub(super) fn takes_part(&self) -> bool {
        !matches!(&self.who, Who::Case(case) if case.watches)
    }

    /// Would it be a counterpart of `me`, now? A snapshot.
    pub(super) fn would_meet(&self, me: GRef) -> bool {
        match &self.who {
            Who::Alone(_) | Who::Future(_) => true,
            Who::Shared(ticket) => ticket.is_open(),
            Who::Case(case) => !case.watches && case.ticket.is_open() && case.ticket.g() != me,
        }
    }
}

/// Takes the first waiter whose wait is still open; T is the channel's. Those before it that only watch
/// are told. Under the channel's lock.
#[inline(always)]
pub(super) fn take<T>(waiters: &mut Waiters) -> Option<Taken<T>> {
    let node = waiters.pop_front()?;
    // SAFETY: a waiter leaves its node only after it was woken, or after it took the lock that the
    // caller holds and unlinked it.
    match unsafe { &node.as_ref().data.who } {
        Who::Alone(_) => Some(Taken(node, PhantomData)),
        _ => take_shared(node, waiters),
    }
}

/// [`take`] of `node`; if that is another's already, of those who are left.
#[inline(never)]
fn take_shared<T>(mut node: NonNull<Node<Waiter>>, waiters: &mut Waiters) -> Option<Taken<T>> {
    loop {
        // SAFETY: as in `take`.
        match unsafe { &node.as_ref().data.who } {
            Who::Alone(_) => return Some(Taken(node, PhantomData)),
            Who::Future(proxy) => {
                // SAFETY: its node was just taken out.
                unsafe { Proxy::take(*proxy) };
                return Some(Taken(node, PhantomData));
            }
            Who::Shared(ticket) if ticket.claim(SERVED) => return Some(Taken(node, PhantomData)),
            Who::Case(case) if case.ticket.claim(case.number) => {
                let taken = Taken(node, PhantomData);
                if !case.watches {
                    return Some(taken);
                }
                taken.wake_last(End::Served);
            }
            // Another was first; the node is out of the queue, as the waiter will see.
            Who::Shared(_) | Who::Case(_) => {}
        }
        node = waiters.pop_front()?;
    }
}

/// Tells those who only watch that there is a counterpart now. Under the channel's lock.
pub(super) fn tell_watchers<T>(waiters: &mut Waiters) {
    let mut others = Queue::new();
    while let Some(node) = waiters.pop_front() {
        // SAFETY: as in `take`.
        let node = unsafe { node.as_ref() };
        match &node.data.who {
            Who::Case(case) if case.watches => {
                if case.ticket.claim(case.number) {
                    Taken::<T>(NonNull::from(node), PhantomData).wake_last(End::Served);
                }
            }
            // SAFETY: just taken out of the queue to which it comes back.
            _ => unsafe { others.push_back(node) },
        }
    }
    *waiters = others;
}

/// A waiter that was taken out of its queue, its ticket won: it stays parked until it is woken
/// through this, which must happen. The channel's lock is not needed for that.
#[must_use = "the waiter would sleep for ever"]
pub(super) struct Taken<T>(NonNull<Node<Waiter>>, PhantomData<*mut T>);

impl<T> Taken<T> {
    /// # Safety
    ///
    /// It comes from [`Taken::into_raw`] of the same type, and is used once.
    pub(super) unsafe fn from_raw(node: NonNull<Node<Waiter>>) -> Taken<T> {
        Taken(node, PhantomData)
    }

    /// To be kept without the type of its message.
    pub(super) fn into_raw(self) -> NonNull<Node<Waiter>> {
        self.0
    }

    #[inline(always)]
    fn waiter(&self) -> &Waiter {
        // SAFETY: the waiter has not landed and its frame is alive until we wake it, which uses up
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
        unsafe { ptr::copy_nonoverlapping(msg, self.waiter().place.get().cast::<T>(), 1) };
        self.served();
    }

    /// Moves the message of this sender to `out` and wakes it.
    ///
    /// # Safety
    ///
    /// It is a sender and no promise; `out` may be written, and what is there then is the caller's.
    #[inline(always)]
    pub(super) unsafe fn collect(self, out: *mut T) {
        // SAFETY: the place of a parked sender is full and the taker's, and not the receiver's.
        unsafe { ptr::copy_nonoverlapping(self.waiter().place.get().cast::<T>(), out, 1) };
        self.served();
    }

    /// Where the message of this sender lies: for one who moves it, and then wakes the sender with
    /// [`Taken::served`].
    #[inline(always)]
    pub(super) fn place(&self) -> *const T {
        self.waiter().place.get().cast_const().cast()
    }

    /// Is it a sender without a message?
    #[inline(always)]
    pub(super) fn is_promise(&self) -> bool {
        self.waiter().place.get().is_null()
    }

    /// Leaves `receiver` with this promise: it is woken when the promise is kept, or cannot be. The
    /// promise itself is to be woken as `served`.
    pub(super) fn meet(&self, receiver: &Node<Waiter>) {
        let node = ptr::from_ref(receiver).cast_mut();
        self.waiter().place.set(node.cast());
    }

    /// Wakes the waiter, whose message went over. It runs next on this P.
    #[inline(always)]
    pub(super) fn served(self) {
        let waiter = self.waiter();
        waiter.end.set(End::Served);
        let g = match &waiter.who {
            Who::Alone(g) => *g,
            // SAFETY: we have taken its node, and are through with it.
            Who::Future(proxy) => return unsafe { Proxy::finish(*proxy) },
            who => match who.wake() {
                Some(g) => g,
                None => return,
            },
        };
        // SAFETY: it had parked when its node could be found under the channel's lock, or has
        // told its landing so; being the taker makes us the one who wakes it.
        unsafe { ready(g) };
    }

    /// Wakes this receiver: it gets no message from us. It runs when its turn comes.
    pub(super) fn let_down(self) {
        self.wake_last(End::Again);
    }

    /// Wakes the waiter when its turn comes.
    fn wake_last(self, end: End) {
        let waiter = self.waiter();
        waiter.end.set(end);
        if let Who::Future(proxy) = waiter.who {
            // SAFETY: as in `served`.
            return unsafe { Proxy::finish(proxy) };
        }
        if let Some(g) = waiter.who.wake() {
            // SAFETY: as in `served`.
            unsafe { ready_tail(g) };
        }
    }
}

/// All waiters of a queue, taken under the lock, to be told without it that the other side is gone.
pub(super) struct Dismissed<T>(Waiters, PhantomData<*mut T>);

impl<T> Dismissed<T> {
    /// Under the channel's lock.
    pub(super) fn take(waiters: &mut Waiters) -> Dismissed<T> {
        let mut all = Queue::new();
        while let Some(taken) = take::<T>(waiters) {
            // SAFETY: out of its queue, and parked until `wake`.
            unsafe { all.push_back(taken.0.as_ref()) };
        }
        Dismissed(all, PhantomData)
    }

    /// Without the lock.
    pub(super) fn wake(mut self) {
        while let Some(node) = self.0.pop_front() {
            Taken::<T>(node, PhantomData).wake_last(End::Disconnected);
        }
    }
}

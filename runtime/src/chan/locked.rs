//! The channel while it is locked: what each side has to do next, and how it waits.

use std::{
    mem,
    ops::{Deref, DerefMut},
    ptr,
    time::Duration,
};

use super::{
    buffer::{Buffer, Room},
    channel::{Channel, free_block},
    counter::Side,
    door::{
        ByteLock, Caller, GRef, Instant, TIMED_OUT, Ticket, arm, caller, current, park_until,
        waitq::{Node, Place},
    },
    shelter::Shelter,
    waiter::{End, Taken, Waiter, Waiters, Who, take, tell_watchers},
};

/// What the lock protects.
pub(super) struct Core<T> {
    pub(super) recvq: Waiters,
    pub(super) sendq: Waiters,
    pub(super) buffer: Buffer<T>,
    /// Nothing comes behind what is buffered.
    pub(super) senders_gone: bool,
    /// What is sent now is received by nobody.
    pub(super) receivers_gone: bool,
    /// How many futures have waited to receive (see proxy.rs).
    pub(super) turns: u64,
}

/// How long an operation may wait for its counterpart.
#[derive(Clone, Copy)]
pub(super) enum Patience {
    None,
    Until(Instant),
    Forever,
}

impl Patience {
    /// A timeout that no `Instant` can hold is for ever.
    pub(super) fn of(timeout: Duration) -> Patience {
        let deadline = Instant::now().checked_add(timeout);
        deadline.map_or(Patience::Forever, Patience::Until)
    }
}

/// What a sender has to do next.
pub(super) enum SendStep<T> {
    Deliver(Taken<T>),
    Push,
    BringBlock,
    Wait,
    Disconnected,
}

/// What a receiver has to do next.
pub(super) enum RecvStep<T> {
    Pop,
    Collect(Taken<T>),
    /// A select that has yet to make the message.
    Await(Taken<T>),
    Wait,
    Disconnected,
}

impl<T> Core<T> {
    /// Where those of this side wait.
    #[inline(always)]
    pub(super) fn queue(&mut self, side: Side) -> &mut Waiters {
        match side {
            Side::Sender => &mut self.sendq,
            Side::Receiver => &mut self.recvq,
        }
    }

    #[inline(always)]
    pub(super) fn send_step(&mut self) -> SendStep<T> {
        if self.receivers_gone {
            return SendStep::Disconnected;
        }
        if let Some(receiver) = take(&mut self.recvq) {
            return SendStep::Deliver(receiver);
        }
        match self.buffer.room() {
            Room::Yes => SendStep::Push,
            Room::No => SendStep::Wait,
            Room::NeedsBlock => SendStep::BringBlock,
        }
    }

    #[inline(always)]
    pub(super) fn recv_step(&mut self) -> RecvStep<T> {
        if self.buffer.len() > 0 {
            return RecvStep::Pop;
        }
        if let Some(sender) = take(&mut self.sendq) {
            if sender.is_promise() {
                return RecvStep::Await(sender);
            }
            return RecvStep::Collect(sender);
        }
        if self.senders_gone || self.buffer.is_over() {
            RecvStep::Disconnected
        } else {
            RecvStep::Wait
        }
    }

    /// A place became free: it goes to the first waiting sender's message, which may be still to come.
    #[inline(always)]
    pub(super) fn refill(&mut self) -> Option<Taken<T>> {
        let sender = take::<T>(&mut self.sendq)?;
        if sender.is_promise() {
            self.buffer.reserve();
        } else {
            // SAFETY: there is a place; `sendq` holds senders, and this one's place is full.
            unsafe { self.buffer.push(sender.place()) };
        }
        Some(sender)
    }

    /// Puts the node of a select into the queue of `side`.
    ///
    /// # Safety
    ///
    /// As for `Queue::push_back`.
    pub(super) unsafe fn enlist(&mut self, side: Side, node: &Node<Waiter>) {
        if node.data.takes_part() {
            // Its look was before; who came to watch since then found nobody.
            tell_watchers::<T>(self.queue(side.other()));
        }
        // SAFETY: passed on.
        unsafe { self.queue(side).push_back(node) };
    }

    /// By [`close`](super::Sender::close), or because one side is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.senders_gone || self.receivers_gone || self.buffer.is_over()
    }

    /// Would a send of `me` wait, or could something be done at once? A look, nothing is done.
    pub(super) fn send_is_ready(&self, me: GRef) -> bool {
        self.receivers_gone
            || !matches!(self.buffer.room(), Room::No)
            || self.recvq.any(|waiter| waiter.would_meet(me))
    }

    /// As [`Core::send_is_ready`], of a receive.
    pub(super) fn recv_is_ready(&self, me: GRef) -> bool {
        self.senders_gone
            || self.buffer.len() > 0
            || self.buffer.is_over()
            || self.sendq.any(|waiter| waiter.would_meet(me))
    }
}

/// The channel while it is locked.
pub(super) struct Locked<'a, T>(pub(super) &'a Channel<T>);

impl<T> Deref for Locked<'_, T> {
    type Target = Core<T>;

    #[inline(always)]
    fn deref(&self) -> &Core<T> {
        // SAFETY: this value holds the lock.
        unsafe { &*self.0.core.get() }
    }
}

impl<T> DerefMut for Locked<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Core<T> {
        // SAFETY: this value holds the lock, and is borrowed mutably.
        unsafe { &mut *self.0.core.get() }
    }
}

impl<T> Drop for Locked<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: this value was made when the lock was taken.
        unsafe { self.0.lock.unlock() };
    }
}

impl<'a, T> Locked<'a, T> {
    /// Moves the oldest message to `out`, and lets the first waiting sender in.
    ///
    /// # Safety
    ///
    /// There is a message; `out` may be written, and what is there then is the caller's.
    #[inline(always)]
    pub(super) unsafe fn pop(mut self, out: *mut T) {
        // No place becomes free where a message came back.
        // SAFETY: passed on.
        if matches!(self.buffer, Buffer::GivenBack(_)) && unsafe { self.buffer.pop_given_back(out) }
        {
            return;
        }
        // SAFETY: passed on.
        let spent = unsafe { self.buffer.pop(out) };
        let sender = self.refill();
        drop(self);
        if let Some(sender) = sender {
            sender.served();
        }
        if spent.is_some() {
            free_block(spent);
        }
    }

    /// Waits until `moment`, when the clock has a message, but not for longer than `patience` says.
    #[cold]
    #[inline(never)]
    pub(super) fn wait_for_clock(self, patience: Patience, moment: Instant) -> End {
        if !matches!(patience, Patience::None) && current().has_heritage() {
            return End::UnderContext;
        }
        let until = match patience {
            Patience::None => return End::OutOfPatience,
            Patience::Until(deadline) if Instant::now() >= deadline => return End::OutOfPatience,
            Patience::Until(deadline) => deadline.min(moment),
            Patience::Forever => moment,
        };
        let ticket = arm();
        let waiter = Waiter::new(Who::Shared(ticket), ptr::null_mut());
        let node = Place::of(ticket.g(), waiter);
        // SAFETY: the place is not used: the channel has no senders. The node stays where it is.
        match unsafe { self.wait_until(Side::Receiver, &node, ticket, Some(until)) } {
            End::OutOfPatience => End::Again,
            end => end,
        }
    }

    /// For a commit: locked until it unlocks.
    #[inline(always)]
    fn leave_locked(self) -> &'a ByteLock {
        let lock = &self.0.lock;
        mem::forget(self);
        lock
    }

    /// Waits in the queue of `side` until a counterpart takes us out.
    ///
    /// # Safety
    ///
    /// `node` is of `me`, who waits here alone and has not parked since it was asked for; its place is valid, and
    /// full if it is a sender's.
    #[inline(always)]
    pub(super) unsafe fn wait(mut self, me: Caller, side: Side, node: &Node<Waiter>) -> End {
        // SAFETY: the node stays where it is until `park` returns, when it has been taken out. Who
        // takes it out, for which it needs the lock that the commit gives free as its last step,
        // makes us ready once.
        unsafe {
            self.queue(side).push_back(node);
            let lock = self.leave_locked();
            me.park(move || {
                lock.unlock();
                true
            });
        }
        node.data.end()
    }

    /// As [`Locked::wait`], at most until `deadline`, if there is one.
    ///
    /// # Safety
    ///
    /// As there, but `node` is of one who shares `ticket`, our last one.
    #[inline(never)]
    pub(super) unsafe fn wait_until(
        mut self,
        side: Side,
        node: &Node<Waiter>,
        ticket: Ticket,
        deadline: Option<Instant>,
    ) -> End {
        let channel = self.0;
        // SAFETY: the node stays where it is until it was taken out, by a counterpart or below. Who
        // wins the ticket makes us ready; the commit gives the lock free as its last step.
        let ended_with = unsafe {
            self.queue(side).push_back(node);
            let lock = self.leave_locked();
            park_until(ticket, deadline, || {
                lock.unlock();
                true
            })
        };
        if ended_with == TIMED_OUT {
            // SAFETY: it was put into this queue. With the lock nobody else looks at it.
            unsafe { channel.lock().queue(side).unlink(node) };
        }
        node.data.end()
    }

    /// Waits as long as `patience` says, in a node on the stack or in the shelter. `None`: it must
    /// wait in a shelter, and has none.
    ///
    /// # Safety
    ///
    /// `place` is valid, and full if we are a sender. The shelter is of `place`.
    #[inline(always)]
    pub(super) unsafe fn wait_with(
        self,
        patience: Patience,
        side: Side,
        place: *mut T,
        shelter: Option<&Shelter<T>>,
    ) -> Option<End> {
        if let Patience::None = patience {
            return Some(End::OutOfPatience);
        }
        if let Some(shelter) = shelter {
            // SAFETY: the shelter's node is of this place and this patience, says the caller.
            return Some(unsafe { shelter.wait(self, patience, side) });
        }
        let me = caller();
        if me.g().has_heritage() {
            return Some(End::UnderContext);
        }
        if me.g().is_copied_out() {
            return None;
        }
        let Patience::Until(deadline) = patience else {
            let node = Waiter::node(Who::Alone(me.g()), place.cast());
            // SAFETY: passed on.
            return Some(unsafe { self.wait(me, side, &node) });
        };
        if Instant::now() >= deadline {
            return Some(End::OutOfPatience);
        }
        let ticket = arm();
        let node = Waiter::node(Who::Shared(ticket), place.cast());
        // SAFETY: passed on; the ticket is the node's.
        Some(unsafe { self.wait_until(side, &node, ticket, Some(deadline)) })
    }
}

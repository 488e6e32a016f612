//! The channel while it is locked: what each side has to do next, and how it waits.

use std::{
    mem,
    ops::{Deref, DerefMut},
    time::Instant,
};

use goroutines_sched::{ByteLock, Caller, TIMED_OUT, Ticket, arm, caller, park_until};

use super::{
    buffer::{Buffer, Room},
    channel::Channel,
    counter::Side,
    shelter::Shelter,
    waiter::{End, Taken, Waiter, Waiters, Who, take},
};
use crate::sync::waitq::Node;

/// What the lock protects.
pub(super) struct Core<T> {
    pub(super) recvq: Waiters<T>,
    pub(super) sendq: Waiters<T>,
    pub(super) buffer: Buffer<T>,
    pub(super) senders_gone: bool,
    pub(super) receivers_gone: bool,
}

/// How long an operation may wait for its counterpart.
#[derive(Clone, Copy)]
pub(super) enum Patience {
    None,
    Until(Instant),
    Forever,
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
    Wait,
    Disconnected,
}

impl<T> Core<T> {
    /// Where those of this side wait.
    #[inline(always)]
    fn queue(&mut self, side: Side) -> &mut Waiters<T> {
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
            return RecvStep::Collect(sender);
        }
        if self.senders_gone {
            RecvStep::Disconnected
        } else {
            RecvStep::Wait
        }
    }

    /// After a pop: the message of the first waiting sender takes the place that became free.
    #[inline(always)]
    pub(super) fn refill(&mut self) -> Option<Taken<T>> {
        let sender = take(&mut self.sendq)?;
        // SAFETY: one message has just been popped; `sendq` holds senders, whose places are full.
        unsafe { self.buffer.push(sender.place()) };
        Some(sender)
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
    pub(super) unsafe fn wait(mut self, me: Caller, side: Side, node: &Node<Waiter<T>>) -> End {
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

    /// As [`Locked::wait`], at most until `deadline`.
    ///
    /// # Safety
    ///
    /// As there, but `node` is of one who shares `ticket`, our last one.
    #[inline(never)]
    pub(super) unsafe fn wait_until(
        mut self,
        side: Side,
        node: &Node<Waiter<T>>,
        ticket: Ticket,
        deadline: Instant,
    ) -> End {
        let channel = self.0;
        // SAFETY: the node stays where it is until it was taken out, by a counterpart or below. Who
        // wins the ticket makes us ready; the commit gives the lock free as its last step.
        let ended_with = unsafe {
            self.queue(side).push_back(node);
            let lock = self.leave_locked();
            park_until(ticket, Some(deadline), || {
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
        if me.g().is_copied_out() {
            return None;
        }
        let Patience::Until(deadline) = patience else {
            let node = Waiter::node(Who::Alone(me.g()), place);
            // SAFETY: passed on.
            return Some(unsafe { self.wait(me, side, &node) });
        };
        if Instant::now() >= deadline {
            return Some(End::OutOfPatience);
        }
        let ticket = arm();
        let node = Waiter::node(Who::Shared(ticket), place);
        // SAFETY: passed on; the ticket is the node's.
        Some(unsafe { self.wait_until(side, &node, ticket, deadline) })
    }
}

//! The channel itself: a lock, two wait queues and a buffer. The protocol is in the module's essay.

use std::{
    cell::UnsafeCell,
    mem,
    ops::{Deref, DerefMut},
    time::Instant,
};

use goroutines_sched::{ByteLock, TIMED_OUT, arm, current, park, park_until};

use super::{
    blocks::{Block, Blocks},
    buffer::{Buffer, Room},
    counter::Side,
    ring::Ring,
    waiter::{Dismissed, End, Taken, Waiter, Waiters, Who, take},
};
use crate::sync::waitq::Queue;

pub(super) struct Channel<T> {
    lock: ByteLock,
    core: UnsafeCell<Core<T>>,
    /// `None`: unbounded.
    capacity: Option<usize>,
}

// SAFETY: `core` is only reached through `Locked`; messages go from thread to thread, so T is Send.
unsafe impl<T: Send> Sync for Channel<T> {}
// SAFETY: as above; the queues are empty while nobody borrows the channel.
unsafe impl<T: Send> Send for Channel<T> {}

/// What the lock protects.
struct Core<T> {
    recvq: Waiters<T>,
    sendq: Waiters<T>,
    buffer: Buffer<T>,
    senders_gone: bool,
    receivers_gone: bool,
}

/// How long an operation may wait for its counterpart.
#[derive(Clone, Copy)]
pub(super) enum Patience {
    None,
    Until(Instant),
    Forever,
}

/// What a sender has to do next.
enum SendStep<T> {
    Deliver(Taken<T>),
    Push,
    BringBlock,
    Wait,
    Disconnected,
}

/// What a receiver has to do next.
enum RecvStep<T> {
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
    fn send_step(&mut self) -> SendStep<T> {
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
    fn recv_step(&mut self) -> RecvStep<T> {
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
    fn refill(&mut self) -> Option<Taken<T>> {
        let sender = take(&mut self.sendq)?;
        // SAFETY: one message has just been popped; `sendq` holds senders, whose places are full.
        unsafe { self.buffer.push(sender.place()) };
        Some(sender)
    }
}

/// The channel while it is locked.
struct Locked<'a, T>(&'a Channel<T>);

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

    /// Waits in the queue of `side` until a counterpart takes us out. `place` is the message, or where
    /// it is to go.
    ///
    /// # Safety
    ///
    /// `place` is valid, and full if we are a sender.
    #[inline(always)]
    unsafe fn wait(mut self, side: Side, place: *mut T) -> End {
        let node = Waiter::node(Who::Alone(current()), place);
        // SAFETY: the node stays here until `park` returns, when it has been taken out. Who takes it
        // out, for which it needs the lock that the commit gives free as its last step, makes us
        // ready once.
        unsafe {
            self.queue(side).push_back(&node);
            let lock = self.leave_locked();
            park(|| {
                lock.unlock();
                true
            });
        }
        node.data.end()
    }

    /// Waits as long as `patience` says.
    ///
    /// # Safety
    ///
    /// As for [`Locked::wait`].
    #[inline(always)]
    unsafe fn wait_with(self, patience: Patience, side: Side, place: *mut T) -> End {
        match patience {
            Patience::None => End::OutOfPatience,
            // SAFETY: passed on.
            Patience::Until(deadline) => unsafe { self.wait_until(side, place, deadline) },
            // SAFETY: passed on.
            Patience::Forever => unsafe { self.wait(side, place) },
        }
    }

    /// As [`Locked::wait`], at most until `deadline`.
    ///
    /// # Safety
    ///
    /// As there.
    #[inline(never)]
    unsafe fn wait_until(mut self, side: Side, place: *mut T, deadline: Instant) -> End {
        if Instant::now() >= deadline {
            return End::OutOfPatience;
        }
        let channel = self.0;
        let ticket = arm();
        let node = Waiter::node(Who::Shared(ticket), place);
        // SAFETY: the node stays here until it was taken out, by a counterpart or below. Who wins
        // the ticket makes us ready; the commit gives the lock free as its last step.
        let ended_with = unsafe {
            self.queue(side).push_back(&node);
            let lock = self.leave_locked();
            park_until(ticket, Some(deadline), || {
                lock.unlock();
                true
            })
        };
        if ended_with == TIMED_OUT {
            // SAFETY: it was put into this queue. With the lock nobody else looks at it.
            unsafe { channel.lock().queue(side).unlink(&node) };
        }
        node.data.end()
    }
}

impl<T> Channel<T> {
    pub(super) fn bounded(capacity: usize) -> Channel<T> {
        let buffer = match capacity {
            0 => Buffer::None,
            _ => Buffer::Ring(Ring::new(capacity)),
        };
        Channel::new(buffer, Some(capacity))
    }

    pub(super) fn unbounded() -> Channel<T> {
        Channel::new(Buffer::Blocks(Blocks::new()), None)
    }

    fn new(buffer: Buffer<T>, capacity: Option<usize>) -> Channel<T> {
        Channel {
            lock: ByteLock::new(),
            core: UnsafeCell::new(Core {
                recvq: Queue::new(),
                sendq: Queue::new(),
                buffer,
                senders_gone: false,
                receivers_gone: false,
            }),
            capacity,
        }
    }

    #[inline(always)]
    fn lock(&self) -> Locked<'_, T> {
        self.lock.lock();
        Locked(self)
    }

    /// Sends the message at `msg`, waiting as long as `patience` says. Inlined down to the park: see
    /// the essay.
    ///
    /// # Safety
    ///
    /// `msg` points at a message; after `Served` it is gone.
    #[inline(always)]
    pub(super) unsafe fn send(&self, msg: *mut T, patience: Patience) -> End {
        loop {
            let mut core = self.lock();
            match core.send_step() {
                SendStep::Deliver(receiver) => {
                    drop(core);
                    // SAFETY: `recvq` holds receivers; the message is the caller's to give.
                    unsafe { receiver.deliver(msg) };
                    return End::Served;
                }
                SendStep::Push => {
                    // SAFETY: the step says that there is room; the message is the caller's to give.
                    unsafe { core.buffer.push(msg) };
                    return End::Served;
                }
                SendStep::BringBlock => {
                    drop(core);
                    self.bring_block();
                }
                SendStep::Wait => {
                    // SAFETY: `msg` is full and stays while we wait.
                    return unsafe { core.wait_with(patience, Side::Sender, msg) };
                }
                SendStep::Disconnected => return End::Disconnected,
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn bring_block(&self) {
        let block = Block::new();
        // Locked only while it is handed over: what comes back is freed without the lock.
        let not_needed = self.lock().buffer.supply(block);
        drop(not_needed);
    }

    /// Receives into `out`, waiting as long as `patience` says. Inlined down to the park: see the
    /// essay.
    ///
    /// # Safety
    ///
    /// `out` may be written; after `Served` the message there is the caller's.
    #[inline(always)]
    pub(super) unsafe fn recv(&self, out: *mut T, patience: Patience) -> End {
        let mut core = self.lock();
        match core.recv_step() {
            RecvStep::Pop => {
                // SAFETY: the step says that there is a message.
                let spent = unsafe { core.buffer.pop(out) };
                let sender = core.refill();
                drop(core);
                if let Some(sender) = sender {
                    sender.served();
                }
                if spent.is_some() {
                    free_block(spent);
                }
                End::Served
            }
            RecvStep::Collect(sender) => {
                drop(core);
                // SAFETY: `sendq` holds senders.
                unsafe { sender.collect(out) };
                End::Served
            }
            // SAFETY: `out` stays while we wait.
            RecvStep::Wait => unsafe { core.wait_with(patience, Side::Receiver, out) },
            RecvStep::Disconnected => End::Disconnected,
        }
    }

    /// The last sender is gone: receivers drain the buffer, then learn it.
    pub(super) fn disconnect_senders(&self) {
        let mut core = self.lock();
        core.senders_gone = true;
        // Whoever waits to receive found the buffer empty.
        let receivers = Dismissed::take(&mut core.recvq);
        drop(core);
        receivers.wake();
    }

    /// The last receiver is gone: senders get their messages back, and what is buffered is returned
    /// to be dropped.
    #[must_use = "dropping a message runs the user's code"]
    pub(super) fn disconnect_receivers(&self) -> Buffer<T> {
        let mut core = self.lock();
        core.receivers_gone = true;
        let senders = Dismissed::take(&mut core.sendq);
        let buffer = mem::replace(&mut core.buffer, Buffer::Closed);
        drop(core);
        senders.wake();
        buffer
    }

    pub(super) fn len(&self) -> usize {
        self.lock().buffer.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.capacity.is_some_and(|capacity| self.len() == capacity)
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        self.capacity
    }
}

#[cold]
#[inline(never)]
fn free_block<T>(block: Option<Box<Block<T>>>) {
    drop(block);
}

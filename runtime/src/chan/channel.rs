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
    ring::Ring,
    waiter::{Dismissed, Outcome, Taken, Waiter, Waiters, Who, take},
};
use crate::sync::waitq::{Node, Queue};

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

/// Why a message did not go out; it comes back.
pub(super) enum SendFailure<T> {
    OutOfPatience(T),
    Disconnected(T),
}

/// Why no message came in.
pub(super) enum RecvFailure {
    OutOfPatience,
    Disconnected,
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
        // SAFETY: `sendq` holds senders, and one message has just been popped.
        unsafe { self.buffer.push(sender.message()) };
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

    /// Waits in the queue in which `node` is, until a counterpart takes it out.
    ///
    /// # Safety
    ///
    /// `node` is in a queue of this channel, with the caller's G alone.
    #[inline(always)]
    unsafe fn wait(self, node: &Node<Waiter<T>>) -> Outcome {
        let lock = self.leave_locked();
        let commit = || {
            // SAFETY: locked above, and left to this.
            unsafe { lock.unlock() };
            true
        };
        // SAFETY: who takes the node out of the queue, for which it needs the lock that the commit
        // gives free as its last step, makes us ready once.
        unsafe { park(commit) };
        node.data.outcome()
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

    /// Sends, waiting as long as `patience` says. Inlined down to the park: see the essay.
    #[inline(always)]
    pub(super) fn send(&self, msg: T, patience: Patience) -> Result<(), SendFailure<T>> {
        loop {
            let mut core = self.lock();
            match core.send_step() {
                SendStep::Deliver(receiver) => {
                    drop(core);
                    receiver.deliver(msg);
                    return Ok(());
                }
                SendStep::Push => {
                    // SAFETY: the step says that there is room.
                    unsafe { core.buffer.push(msg) };
                    return Ok(());
                }
                SendStep::BringBlock => {
                    drop(core);
                    self.bring_block();
                }
                SendStep::Wait => {
                    return match patience {
                        Patience::None => Err(SendFailure::OutOfPatience(msg)),
                        Patience::Until(deadline) => self.wait_to_send_until(core, msg, deadline),
                        Patience::Forever => self.wait_to_send(core, msg),
                    };
                }
                SendStep::Disconnected => return Err(SendFailure::Disconnected(msg)),
            }
        }
    }

    #[inline(always)]
    fn wait_to_send(&self, mut core: Locked<'_, T>, msg: T) -> Result<(), SendFailure<T>> {
        let node = Waiter::sender(Who::Alone(current()), msg);
        // SAFETY: the node stays here until `wait` returns, when it has been taken out.
        let outcome = unsafe {
            core.sendq.push_back(&node);
            core.wait(&node)
        };
        match outcome {
            Outcome::Served => Ok(()),
            // SAFETY: nobody took the message.
            _ => Err(SendFailure::Disconnected(unsafe { node.data.message() })),
        }
    }

    fn wait_to_send_until(
        &self,
        mut core: Locked<'_, T>,
        msg: T,
        deadline: Instant,
    ) -> Result<(), SendFailure<T>> {
        if Instant::now() >= deadline {
            drop(core);
            return Err(SendFailure::OutOfPatience(msg));
        }
        let ticket = arm();
        let node = Waiter::sender(Who::Shared(ticket), msg);
        // SAFETY: the node stays here until it was taken out, by a counterpart or below. Who wins
        // the ticket makes us ready; the commit gives the lock free as its last step.
        let ended_with = unsafe {
            core.sendq.push_back(&node);
            let lock = core.leave_locked();
            park_until(ticket, Some(deadline), || {
                lock.unlock();
                true
            })
        };
        if ended_with == TIMED_OUT {
            // SAFETY: it was put into this queue, and its message was not taken.
            return Err(SendFailure::OutOfPatience(unsafe {
                self.lock().sendq.unlink(&node);
                node.data.message()
            }));
        }
        match node.data.outcome() {
            Outcome::Served => Ok(()),
            // SAFETY: nobody took the message.
            _ => Err(SendFailure::Disconnected(unsafe { node.data.message() })),
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

    /// Receives, waiting as long as `patience` says. Inlined down to the park: see the essay.
    #[inline(always)]
    pub(super) fn recv(&self, patience: Patience) -> Result<T, RecvFailure> {
        let mut core = self.lock();
        match core.recv_step() {
            RecvStep::Pop => {
                // SAFETY: the step says that there is a message.
                let (msg, spent) = unsafe { core.buffer.pop() };
                let sender = core.refill();
                drop(core);
                drop(spent);
                if let Some(sender) = sender {
                    sender.served();
                }
                Ok(msg)
            }
            RecvStep::Collect(sender) => {
                drop(core);
                // SAFETY: `sendq` holds senders; once.
                let msg = unsafe { sender.message() };
                sender.served();
                Ok(msg)
            }
            RecvStep::Wait => match patience {
                Patience::None => Err(RecvFailure::OutOfPatience),
                Patience::Until(deadline) => self.wait_to_recv_until(core, deadline),
                Patience::Forever => self.wait_to_recv(core),
            },
            RecvStep::Disconnected => Err(RecvFailure::Disconnected),
        }
    }

    #[inline(always)]
    fn wait_to_recv(&self, mut core: Locked<'_, T>) -> Result<T, RecvFailure> {
        let node = Waiter::receiver(Who::Alone(current()));
        // SAFETY: the node stays here until `wait` returns, when it has been taken out.
        let outcome = unsafe {
            core.recvq.push_back(&node);
            core.wait(&node)
        };
        match outcome {
            // SAFETY: the sender has filled the slot.
            Outcome::Served => Ok(unsafe { node.data.message() }),
            _ => Err(RecvFailure::Disconnected),
        }
    }

    fn wait_to_recv_until(
        &self,
        mut core: Locked<'_, T>,
        deadline: Instant,
    ) -> Result<T, RecvFailure> {
        if Instant::now() >= deadline {
            return Err(RecvFailure::OutOfPatience);
        }
        let ticket = arm();
        let node = Waiter::receiver(Who::Shared(ticket));
        // SAFETY: the node stays here until it was taken out, by a counterpart or below. Who wins
        // the ticket makes us ready; the commit gives the lock free as its last step.
        let ended_with = unsafe {
            core.recvq.push_back(&node);
            let lock = core.leave_locked();
            park_until(ticket, Some(deadline), || {
                lock.unlock();
                true
            })
        };
        if ended_with == TIMED_OUT {
            // SAFETY: it was put into this queue.
            unsafe { self.lock().recvq.unlink(&node) };
            return Err(RecvFailure::OutOfPatience);
        }
        match node.data.outcome() {
            // SAFETY: the sender has filled the slot.
            Outcome::Served => Ok(unsafe { node.data.message() }),
            _ => Err(RecvFailure::Disconnected),
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

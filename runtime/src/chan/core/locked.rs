//! A channel is a lock, two wait queues and a buffer. Here is the channel while it is locked: how messages are passed that
//! need the lock, and how each side waits.

use std::{
    cell::UnsafeCell,
    mem,
    ops::{Deref, DerefMut},
    ptr,
};

use super::{
    blocks::{Blocks, free_block},
    boxed_wait::BoxedWait,
    buffer::{Buffer, Room},
    door::{ByteLock, Caller, Instant, TIMED_OUT, Ticket, arm, caller, park_until, waitq::Node},
    ring::Ring,
    side::Side,
    state::Core,
    steps::{Promises, RecvStep},
    timeout::Timeout,
    waiter::{End, Taken, Waiter, Who},
};

pub(crate) struct Channel<T> {
    pub(super) lock: ByteLock,
    pub(super) core: UnsafeCell<Core<T>>,
    /// `None`: unbounded.
    pub(super) capacity: Option<usize>,
}

// SAFETY: `core` is only reached through `Locked`; messages go from thread to thread, so T is Send.
unsafe impl<T: Send> Sync for Channel<T> {}
// SAFETY: the queues are empty while the channel is not borrowed; messages move with it, so T is Send.
unsafe impl<T: Send> Send for Channel<T> {}

impl<T> Channel<T> {
    pub(crate) fn bounded(capacity: usize) -> Channel<T> {
        let buffer = match capacity {
            0 => Buffer::None,
            _ => Buffer::Ring(Ring::new(capacity)),
        };
        Channel::new(buffer, Some(capacity))
    }

    pub(crate) fn unbounded() -> Channel<T> {
        Channel::new(Buffer::Blocks(Blocks::new()), None)
    }

    pub(crate) fn new(buffer: Buffer<T>, capacity: Option<usize>) -> Channel<T> {
        Channel {
            lock: ByteLock::new(),
            core: UnsafeCell::new(Core::new(buffer)),
            capacity,
        }
    }

    /// Locks if the lock is free.
    pub(super) fn try_lock(&self) -> Option<Locked<'_, T>> {
        self.lock.try_lock().then(|| Locked(self))
    }

    #[inline(always)]
    pub(crate) fn lock(&self) -> Locked<'_, T> {
        self.lock.lock();
        Locked(self)
    }
}

/// The channel while it is locked.
pub(crate) struct Locked<'a, T>(pub(super) &'a Channel<T>);

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
    /// Does what `step` says, without waiting. `TimedOut`: it would have to wait. `Promised`: it would have to wait for a
    /// select that has yet to make its message.
    ///
    /// # Safety
    ///
    /// The step is the last one of this lock; `out` may be written, and after `Served` what is there is the caller's.
    #[inline(always)]
    pub(super) unsafe fn recv_by(self, step: RecvStep<T>, out: *mut T) -> End {
        match step {
            RecvStep::Pop => {
                // SAFETY: the step says that there is a message.
                unsafe { self.pop(out) };
                End::Served
            }
            RecvStep::Collect(sender) => {
                drop(self);
                // SAFETY: `sendq` holds senders; the step says that it is no promise.
                unsafe { sender.collect(out) };
                End::Served
            }
            RecvStep::CollectLocked(sender) => {
                // SAFETY: `sendq` holds senders; the step says that it is no promise.
                unsafe { self.collect(sender, out) };
                End::Served
            }
            RecvStep::Tell(watcher) => {
                drop(self);
                watcher.wake_last(End::Served);
                End::Again
            }
            RecvStep::Promise => End::Promised,
            RecvStep::Wait => End::TimedOut,
            RecvStep::Disconnected => End::Disconnected,
        }
    }

    /// Moves the oldest message to `out`, and that of the first waiting sender into the free place.
    ///
    /// # Safety
    ///
    /// There is a message; `out` may be written, and what is there then is the caller's.
    #[inline(always)]
    pub(super) unsafe fn pop(mut self, out: *mut T) {
        if self.is_ahead() {
            // No place becomes free.
            // SAFETY: messages are ahead; the caller lets us write `out`.
            let spent = unsafe { self.pop_ahead(out) };
            drop(self);
            return free_block(spent);
        }
        // SAFETY: none are ahead, so the message that there is lies in the buffer; the caller lets us write
        // `out`.
        let spent = unsafe { self.buffer.pop(out) };
        match self.sendq.first() {
            None => drop(self),
            Some(_) => self.refill(),
        }
        if spent.is_some() {
            free_block(spent);
        }
    }

    /// A place became free: it goes to the first waiting sender's message, which may be still to come.
    #[inline(always)]
    fn refill(mut self) {
        if self.sendq.first().is_some_and(Waiter::is_alone)
            && let Some(node) = self.sendq.pop_front()
        {
            // SAFETY: just taken out; a wait without a ticket is ended by its taker only.
            let sender = unsafe { Taken::<T>::new(node) };
            // SAFETY: there is a place; a sender's is full, and the message the buffer's from now on.
            unsafe { self.buffer.push(sender.place()) };
            drop(self);
            return sender.complete();
        }
        self.refill_from_others();
    }

    /// As [`Locked::refill`], for a waiter of any kind. Returns whether there was one.
    #[cold]
    #[inline(never)]
    pub(super) fn refill_from_others(self) -> bool {
        let (channel, mut core) = (self.0, self);
        while let Room::Yes = core.room() {
            match core.step_from_sender(Promises::Take) {
                Some(RecvStep::Collect(sender) | RecvStep::CollectLocked(sender)) => {
                    if sender.is_promise() {
                        core.main_mut().reserve();
                    } else {
                        // SAFETY: there is a place; the sender's is full, and the message the buffer's from
                        // now on.
                        unsafe { core.main_mut().push(sender.place()) };
                    }
                    core.finish(sender, End::Served);
                    return true;
                }
                Some(RecvStep::Tell(watcher)) => {
                    drop(core);
                    watcher.wake_last(End::Served);
                    core = channel.lock();
                }
                _ => break,
            }
        }
        false
    }

    /// Ends the wait of `taken`, of any kind, and wakes it without the lock.
    #[cold]
    #[inline(never)]
    pub(super) fn finish(self, taken: Taken<T>, end: End) {
        let wake = taken.into_wake(end);
        drop(self);
        wake.wake();
    }

    /// Moves the message of this sender to `out`.
    ///
    /// # Safety
    ///
    /// It is a sender and no promise; `out` may be written, and what is there then is the caller's.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn collect(self, sender: Taken<T>, out: *mut T) {
        // SAFETY: the place of a waiting sender is full, and its node ours while we hold the lock.
        unsafe { ptr::copy_nonoverlapping(sender.place(), out, 1) };
        self.finish(sender, End::Served);
    }

    /// Puts the message at `msg` ahead of the buffer. A future is told; any other receiver gets the oldest that is
    /// there, which may be this one.
    ///
    /// # Safety
    ///
    /// There is room ahead of the buffer. It is a receiver; `msg` points at a message, which is the channel's from now
    /// on.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn put_ahead(mut self, receiver: Taken<T>, msg: *const T) {
        // SAFETY: the caller gives the message, and knows that there is room ahead.
        unsafe { self.push_ahead(msg) };
        // SAFETY: a message is there, and it is a receiver.
        unsafe { self.give_oldest(receiver) };
    }

    /// Gives `receiver` the oldest of the messages ahead of the buffer; a future is told.
    ///
    /// # Safety
    ///
    /// There is one; it is a receiver.
    pub(super) unsafe fn give_oldest(mut self, receiver: Taken<T>) {
        let mut spent = None;
        if receiver.is_future() {
            self.ahead.told += 1;
        } else {
            // SAFETY: there is a message; the place of a parked receiver is empty, and the taker's.
            spent = unsafe { self.pop_ahead(receiver.room()) };
        }
        self.finish(receiver, End::Served);
        free_block(spent);
    }

    /// Takes the node of a waiter that has given up out of its queue; returns whether it was still in.
    ///
    /// # Safety
    ///
    /// It was put into the queue of `side` of this channel.
    pub(crate) unsafe fn leave(&mut self, side: Side, node: &Node<Waiter>) -> bool {
        if node.data.end() != End::Promised {
            // SAFETY: where it was put, it still is, if it is anywhere.
            return unsafe { self.queue(side).unlink(node) };
        }
        node.data.set_end(End::TimedOut);
        // SAFETY: a receiver to which a message is promised has been moved there.
        let was_engaged = unsafe { self.engaged.unlink(node) };
        self.unmet += usize::from(was_engaged);
        was_engaged
    }

    /// As [`Locked::leave`], for a waiter whose time is up: returns how its wait ends.
    ///
    /// # Safety
    ///
    /// As for [`Locked::leave`].
    pub(super) unsafe fn leave_late(mut self, side: Side, node: &Node<Waiter>) -> End {
        // SAFETY: it was put into this channel's queue of that side.
        unsafe { self.leave(side, node) };
        // It was behind a future that was told, or waited for a select: others may have a message by now.
        let has_message = |waiter: &Waiter| waiter.takes_part() && !waiter.is_promise();
        match side {
            Side::Receiver if self.len() > 0 || self.sendq.first().is_some_and(has_message) => {
                End::Again
            }
            _ => node.data.end(),
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
    /// `node` is of `me`, the caller, which waits here alone and has not parked since; its place is valid, and full if it
    /// is a sender's.
    #[inline(always)]
    pub(super) unsafe fn wait(mut self, me: Caller, side: Side, node: &Node<Waiter>) -> End {
        // SAFETY: the node stays where it is until `park` returns, when it has been taken out. Its taker
        // makes us ready once; it needs the lock for that, which the commit gives up as its last step.
        unsafe {
            self.queue(side).push_back(node);
            let wait = side.wait_reason().on(self.0);
            let lock = self.leave_locked();
            me.park(wait, move || {
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
    /// As for [`Locked::wait`], but the wait of `node` has the `ticket`, the caller's last one.
    #[inline(never)]
    pub(super) unsafe fn wait_until(
        mut self,
        side: Side,
        node: &Node<Waiter>,
        ticket: Ticket,
        deadline: Option<Instant>,
    ) -> End {
        let channel = self.0;
        // SAFETY: the node stays where it is until it was taken out, by a counterpart or below. What
        // wins the ticket makes us ready; the commit gives the lock up as its last step.
        let ended_with = unsafe {
            self.queue(side).push_back(node);
            let lock = self.leave_locked();
            park_until(side.wait_reason().on(channel), ticket, deadline, || {
                lock.unlock();
                true
            })
        };
        if ended_with == TIMED_OUT {
            // SAFETY: it was put into this queue. With the lock held no counterpart looks at it.
            return unsafe { channel.lock().leave_late(side, node) };
        }
        node.data.end()
    }

    /// Waits as long as `timeout` says, in a node on the stack or in the boxed wait. `None`: it must
    /// wait in a boxed wait, and has none.
    ///
    /// # Safety
    ///
    /// `place` is valid, and full if the caller is a sender. The boxed wait is of `place`.
    #[inline(always)]
    pub(super) unsafe fn wait_with(
        self,
        timeout: Timeout,
        side: Side,
        place: *mut T,
        boxed: Option<&BoxedWait<T>>,
    ) -> Option<End> {
        if let Timeout::Now = timeout {
            return Some(End::TimedOut);
        }
        if let Some(boxed) = boxed {
            // SAFETY: the caller made the boxed wait of this place and this timeout.
            return Some(unsafe { self.wait_boxed(boxed, timeout, side) });
        }
        let me = caller();
        // SAFETY: it is the caller's G.
        if unsafe { me.g().has_inherited() } {
            return Some(End::UnderContext);
        }
        if me.g().is_copied_out() {
            return None;
        }
        let Timeout::Until(deadline) = timeout else {
            let node = Waiter::node(Who::Alone(me.g()), place.cast());
            // SAFETY: the node is of `me`, which waits here alone; the place is the caller's, and valid.
            return Some(unsafe { self.wait(me, side, &node) });
        };
        if Instant::now() >= deadline {
            return Some(End::TimedOut);
        }
        let ticket = arm();
        let node = Waiter::node(Who::Shared(ticket), place.cast());
        // SAFETY: the ticket is the node's, and the caller's last one; the place is the caller's, and valid.
        Some(unsafe { self.wait_until(side, &node, ticket, Some(deadline)) })
    }

    /// As [`Locked::wait`], in the node of `boxed`.
    ///
    /// # Safety
    ///
    /// The place of the boxed wait is full if it is a sender's; the boxed wait was made for this wait of the caller.
    unsafe fn wait_boxed(self, boxed: &BoxedWait<T>, timeout: Timeout, side: Side) -> End {
        match (timeout, boxed.ticket) {
            (Timeout::Until(deadline), _) if Instant::now() >= deadline => End::TimedOut,
            // SAFETY: the ticket is the node's, and the caller's last one; the node is in a box that outlives the wait.
            (Timeout::Until(deadline), Some(ticket)) => unsafe {
                self.wait_until(side, &boxed.node, ticket, Some(deadline))
            },
            // SAFETY: without a ticket the node is of the caller alone, which waits here; it is in a box that outlives
            // the wait.
            _ => unsafe { self.wait(caller(), side, &boxed.node) },
        }
    }
}

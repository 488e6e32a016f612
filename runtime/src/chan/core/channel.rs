//! The operations of a channel: send, receive, disconnect. The protocol is in the essay of `core/mod.rs`.

use std::ptr;

use super::{
    blocks::Block,
    boxed_wait::BoxedWait,
    buffer::Buffer,
    door::current,
    locked::Channel,
    side::Side,
    state::Core,
    steps::{RecvStep, SendStep},
    timeout::Timeout,
    waiter::{DisconnectedWaiters, End, Waiters},
};

impl<T> Channel<T> {
    /// Sends the message at `msg`, waiting as long as `timeout` says. Inlined down to the park: see
    /// the essay.
    ///
    /// # Safety
    ///
    /// `msg` points at a message; after `Served` it is gone.
    #[inline(always)]
    pub(crate) unsafe fn send(&self, msg: *mut T, timeout: Timeout) -> End {
        // SAFETY: the caller gives the message at `msg`.
        match unsafe { self.send_from(msg, timeout, None) } {
            Some(end) => end,
            // SAFETY: without an end nothing was sent: the message is still at `msg`.
            None => unsafe { self.send_boxed(msg, timeout) },
        }
    }

    /// As [`Channel::send`]; `None`: a boxed wait is needed.
    ///
    /// # Safety
    ///
    /// As for [`Channel::send`]; a boxed wait is of `msg` and `timeout`.
    #[inline(always)]
    unsafe fn send_from(
        &self,
        msg: *mut T,
        timeout: Timeout,
        boxed: Option<&BoxedWait<T>>,
    ) -> Option<End> {
        loop {
            let mut core = self.lock();
            match core.send_step() {
                SendStep::Deliver(receiver) => {
                    drop(core);
                    // SAFETY: `recvq` holds receivers; the message is the caller's to give.
                    unsafe { receiver.deliver(msg) };
                    return Some(End::Served);
                }
                SendStep::PutAhead(receiver) => {
                    // SAFETY: `recvq` holds receivers; the message is the caller's to give, and the step says
                    // that there is room ahead.
                    unsafe { core.put_ahead(receiver, msg) };
                    return Some(End::Served);
                }
                SendStep::Push => {
                    // SAFETY: the step says that there is room; the message is the caller's to give.
                    unsafe { core.buffer.push(msg) };
                    return Some(End::Served);
                }
                SendStep::PushBehind => {
                    // SAFETY: the step says that messages are ahead and that the buffer behind has room; the
                    // message is the caller's to give.
                    unsafe { core.push_behind(msg) };
                    return Some(End::Served);
                }
                SendStep::BringBlock => {
                    drop(core);
                    self.bring_block();
                }
                SendStep::BringAhead => {
                    drop(core);
                    self.bring_ahead();
                }
                SendStep::Tell(watcher) => {
                    drop(core);
                    watcher.wake_last(End::Served);
                }
                SendStep::Wait => {
                    // SAFETY: `msg` is full and stays while we wait.
                    return unsafe { core.wait_with(timeout, Side::Sender, msg, boxed) };
                }
                SendStep::Disconnected => return Some(End::Disconnected),
            }
        }
    }

    /// # Safety
    ///
    /// As for [`Channel::send`].
    #[cold]
    #[inline(never)]
    unsafe fn send_boxed(&self, msg: *mut T, timeout: Timeout) -> End {
        let boxed = BoxedWait::new(timeout);
        // SAFETY: the message moves into the boxed wait, and back unless it was sent.
        unsafe {
            ptr::copy_nonoverlapping(msg, boxed.place(), 1);
            let end = self.send_from(boxed.place(), timeout, Some(&boxed));
            let end = end.unwrap_or(End::TimedOut);
            if end != End::Served {
                ptr::copy_nonoverlapping(boxed.place(), msg, 1);
            }
            end
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn bring_block(&self) {
        let block = Block::new();
        // Locked only while it is handed over: a block that is returned is freed without the lock.
        let not_needed = self.lock().main_mut().supply(block);
        drop(not_needed);
    }

    #[cold]
    #[inline(never)]
    pub(super) fn bring_ahead(&self) {
        let block = Block::new();
        // As in `bring_block`.
        let not_needed = self.lock().ahead.supply(block);
        drop(not_needed);
    }

    /// Receives into `out`, waiting as long as `timeout` says. Inlined down to the park: see the
    /// essay.
    ///
    /// # Safety
    ///
    /// `out` may be written; after `Served` the message there is the caller's.
    #[inline(always)]
    pub(crate) unsafe fn recv(&self, out: *mut T, timeout: Timeout) -> End {
        loop {
            // SAFETY: the caller lets us write `out`.
            let end = match unsafe { self.recv_to(out, timeout, None) } {
                Some(end) => end,
                // SAFETY: without an end nothing was received: `out` may still be written.
                None => unsafe { self.recv_boxed(out, timeout) },
            };
            if end != End::Again {
                return end;
            }
        }
    }

    /// Receives what is there, for a select. `Promised`: a select waits that has yet to make its message.
    ///
    /// # Safety
    ///
    /// As for [`Channel::recv`].
    #[inline(always)]
    pub(crate) unsafe fn recv_now(&self, out: *mut T) -> End {
        let mut core = self.lock();
        let step = core.recv_step();
        // SAFETY: the step is of this lock, which is still held; the caller lets us write `out`.
        unsafe { core.recv_by(step, out) }
    }

    /// As [`Channel::recv`]; `None`: a boxed wait is needed.
    ///
    /// # Safety
    ///
    /// As for [`Channel::recv`]; a boxed wait is of `out` and `timeout`.
    #[inline(always)]
    unsafe fn recv_to(
        &self,
        out: *mut T,
        timeout: Timeout,
        boxed: Option<&BoxedWait<T>>,
    ) -> Option<End> {
        let mut core = self.lock();
        match core.recv_step() {
            RecvStep::Promise => {
                drop(core);
                // SAFETY: it is the caller's G.
                if !matches!(timeout, Timeout::Now) && unsafe { current().has_inherited() } {
                    return Some(End::UnderContext);
                }
                // SAFETY: `out` stays while we wait.
                Some(unsafe { self.recv_promised(out, timeout) })
            }
            RecvStep::Wait => match core.buffer.next_moment() {
                // SAFETY: `out` stays while we wait.
                None => unsafe { core.wait_with(timeout, Side::Receiver, out, boxed) },
                Some(_) => {
                    drop(core);
                    // SAFETY: the caller lets us write `out`, and it stays while we wait.
                    Some(unsafe { self.recv_from_clock(out, timeout) })
                }
            },
            // SAFETY: the step is of this lock, which is still held; the caller lets us write `out`.
            step => Some(unsafe { core.recv_by(step, out) }),
        }
    }

    /// # Safety
    ///
    /// As for [`Channel::recv`].
    #[cold]
    #[inline(never)]
    unsafe fn recv_boxed(&self, out: *mut T, timeout: Timeout) -> End {
        let boxed = BoxedWait::new(timeout);
        // SAFETY: the message arrives in the boxed wait and moves on to `out`.
        unsafe {
            let end = self.recv_to(boxed.place(), timeout, Some(&boxed));
            let end = end.unwrap_or(End::TimedOut);
            if end == End::Served {
                ptr::copy_nonoverlapping(boxed.place(), out, 1);
            }
            end
        }
    }

    /// The last sender is gone: receivers drain the buffer, and get an error then.
    pub(crate) fn disconnect_senders(&self) {
        self.lock().senders_gone = true;
        self.disconnect_waiting_receivers();
    }

    /// The last receiver is gone: senders get their messages back, and what is buffered is returned
    /// to be dropped.
    #[must_use = "dropping a message runs the user's code"]
    pub(super) fn disconnect_receivers(&self) -> [Buffer<T>; 2] {
        let mut core = self.lock();
        core.receivers_gone = true;
        let messages = core.take_messages();
        drop(core);
        self.disconnect_waiters(|core| (&mut core.sendq, End::Disconnected));
        messages
    }

    /// Disconnects both sides, and the buffer stays. Returns false if one side was disconnected before, and for the
    /// channel that tells that a context is done: only its canceller closes that.
    pub(crate) fn close(&self) -> bool {
        let mut core = self.lock();
        if let Buffer::Done(_) = core.buffer {
            return false;
        }
        let was_open = !core.is_closed();
        core.main_mut().stop();
        core.senders_gone = true;
        core.receivers_gone = true;
        drop(core);
        self.disconnect_waiters(|core| (&mut core.sendq, End::Disconnected));
        self.disconnect_waiting_receivers();
        was_open
    }

    fn disconnect_waiting_receivers(&self) {
        self.disconnect_waiters(|core| {
            // Nothing was buffered when they came; but each of them may receive the message that a future was told of.
            let is_empty = core.len() == 0;
            let end = if is_empty {
                End::Disconnected
            } else {
                End::Again
            };
            (&mut core.recvq, end)
        });
        // The select that has promised them a message is too late, or was leaked.
        self.disconnect_waiters(|core| (&mut core.engaged, End::Again));
    }

    /// Tells all waiters of `queue` that the other side is gone: some at a time, so that the lock is never held for long.
    fn disconnect_waiters(&self, queue: impl Fn(&mut Core<T>) -> (&mut Waiters, End)) {
        loop {
            let mut core = self.lock();
            let (waiters, end) = queue(&mut core);
            let some = DisconnectedWaiters::<T>::take(waiters, end);
            drop(core);
            if some.wake() {
                return;
            }
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().is_closed()
    }

    /// Returns whether `never` made it.
    pub(crate) fn is_never(&self) -> bool {
        matches!(self.lock().buffer, Buffer::Never)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.capacity
            .is_some_and(|capacity| self.lock().main().is_full(capacity))
    }

    pub(crate) fn capacity(&self) -> Option<usize> {
        self.capacity
    }
}

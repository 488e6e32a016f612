//! The channel itself: a lock, two wait queues and a buffer. The protocol is in the module's essay.

use std::{cell::UnsafeCell, mem, ptr};

use super::{
    blocks::{Block, Blocks},
    buffer::{Buffer, Room},
    counter::Side,
    door::{
        ByteLock, current, park,
        waitq::{Node, Queue},
    },
    locked::{Core, Locked, Patience, RecvStep, SendStep},
    ring::Ring,
    shelter::Shelter,
    waiter::{Dismissed, End, Taken, Waiter, Who},
};

pub(super) struct Channel<T> {
    pub(super) lock: ByteLock,
    pub(super) core: UnsafeCell<Core<T>>,
    /// `None`: unbounded.
    capacity: Option<usize>,
}

// SAFETY: `core` is only reached through `Locked`; messages go from thread to thread, so T is Send.
unsafe impl<T: Send> Sync for Channel<T> {}
// SAFETY: as above; the queues are empty while nobody borrows the channel.
unsafe impl<T: Send> Send for Channel<T> {}

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

    pub(super) fn new(buffer: Buffer<T>, capacity: Option<usize>) -> Channel<T> {
        Channel {
            lock: ByteLock::new(),
            core: UnsafeCell::new(Core {
                recvq: Queue::new(),
                sendq: Queue::new(),
                buffer,
                senders_gone: false,
                receivers_gone: false,
                turns: 0,
            }),
            capacity,
        }
    }

    #[inline(always)]
    pub(super) fn lock(&self) -> Locked<'_, T> {
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
        // SAFETY: passed on.
        match unsafe { self.send_from(msg, patience, None) } {
            Some(end) => end,
            // SAFETY: passed on.
            None => unsafe { self.send_sheltered(msg, patience) },
        }
    }

    /// As [`Channel::send`]; `None`: a shelter is needed.
    ///
    /// # Safety
    ///
    /// As there; a shelter is of `msg` and `patience`.
    #[inline(always)]
    unsafe fn send_from(
        &self,
        msg: *mut T,
        patience: Patience,
        shelter: Option<&Shelter<T>>,
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
                SendStep::Push => {
                    // SAFETY: the step says that there is room; the message is the caller's to give.
                    unsafe { core.buffer.push(msg) };
                    return Some(End::Served);
                }
                SendStep::BringBlock => {
                    drop(core);
                    self.bring_block();
                }
                SendStep::Wait => {
                    // SAFETY: `msg` is full and stays while we wait.
                    return unsafe { core.wait_with(patience, Side::Sender, msg, shelter) };
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
    unsafe fn send_sheltered(&self, msg: *mut T, patience: Patience) -> End {
        let shelter = Shelter::new(patience);
        // SAFETY: the message moves into the shelter, and back unless it was sent.
        unsafe {
            ptr::copy_nonoverlapping(msg, shelter.place(), 1);
            let end = self.send_from(shelter.place(), patience, Some(&shelter));
            let end = end.unwrap_or(End::OutOfPatience);
            if end != End::Served {
                ptr::copy_nonoverlapping(shelter.place(), msg, 1);
            }
            end
        }
    }

    /// Sends the message at `msg` without waiting: there is room for it, which a select has won.
    ///
    /// # Safety
    ///
    /// As for [`Channel::send`]; the room is the caller's, and used up.
    #[inline(always)]
    pub(super) unsafe fn send_to_room(&self, msg: *const T) -> End {
        let mut core = self.lock();
        core.buffer.give_back();
        loop {
            match core.send_step() {
                SendStep::Deliver(receiver) => {
                    drop(core);
                    // SAFETY: as in `send_from`. (A receiver waits, so no sender does that could
                    // use the room now.)
                    unsafe { receiver.deliver(msg) };
                    return End::Served;
                }
                SendStep::Push => {
                    // SAFETY: as in `send_from`.
                    unsafe { core.buffer.push(msg) };
                    return End::Served;
                }
                SendStep::BringBlock => {
                    drop(core);
                    self.bring_block();
                    core = self.lock();
                }
                SendStep::Disconnected => return End::Disconnected,
                SendStep::Wait => unreachable!("goroutines: the room that a select won is gone"),
            }
        }
    }

    /// Gives up the room that a select has won.
    pub(super) fn give_back_room(&self) {
        let mut core = self.lock();
        core.buffer.give_back();
        if !matches!(core.buffer.room(), Room::Yes) || core.receivers_gone {
            return;
        }
        let sender = core.refill();
        drop(core);
        if let Some(sender) = sender {
            sender.served();
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn bring_block(&self) {
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
        loop {
            // SAFETY: passed on.
            let end = match unsafe { self.recv_to(out, patience, None) } {
                Some(end) => end,
                // SAFETY: passed on.
                None => unsafe { self.recv_sheltered(out, patience) },
            };
            if end != End::Again {
                return end;
            }
        }
    }

    /// As [`Channel::recv`]; `None`: a shelter is needed.
    ///
    /// # Safety
    ///
    /// As there; a shelter is of `out` and `patience`.
    #[inline(always)]
    unsafe fn recv_to(
        &self,
        out: *mut T,
        patience: Patience,
        shelter: Option<&Shelter<T>>,
    ) -> Option<End> {
        let mut core = self.lock();
        match core.recv_step() {
            RecvStep::Pop => {
                // SAFETY: the step says that there is a message.
                unsafe { core.pop(out) };
                Some(End::Served)
            }
            RecvStep::Collect(sender) => {
                drop(core);
                // SAFETY: `sendq` holds senders; the step says that it is no promise.
                unsafe { sender.collect(out) };
                Some(End::Served)
            }
            RecvStep::Await(promise) => {
                drop(core);
                // SAFETY: `out` stays while we wait.
                Some(unsafe { await_promise(promise, out) })
            }
            RecvStep::Wait => match core.buffer.next_moment() {
                // SAFETY: `out` stays while we wait.
                None => unsafe { core.wait_with(patience, Side::Receiver, out, shelter) },
                Some(moment) => Some(core.wait_for_clock(patience, moment)),
            },
            RecvStep::Disconnected => Some(End::Disconnected),
        }
    }

    /// # Safety
    ///
    /// As for [`Channel::recv`].
    #[cold]
    #[inline(never)]
    unsafe fn recv_sheltered(&self, out: *mut T, patience: Patience) -> End {
        let shelter = Shelter::new(patience);
        // SAFETY: the message arrives in the shelter and moves on to `out`.
        unsafe {
            let end = self.recv_to(shelter.place(), patience, Some(&shelter));
            let end = end.unwrap_or(End::OutOfPatience);
            if end == End::Served {
                ptr::copy_nonoverlapping(shelter.place(), out, 1);
            }
            end
        }
    }

    /// The last sender is gone: receivers drain the buffer, then learn it.
    pub(super) fn disconnect_senders(&self) {
        let mut core = self.lock();
        core.senders_gone = true;
        // Whoever waits to receive found the buffer empty.
        let receivers = Dismissed::<T>::take(&mut core.recvq);
        drop(core);
        receivers.wake();
    }

    /// The last receiver is gone: senders get their messages back, and what is buffered is returned
    /// to be dropped.
    #[must_use = "dropping a message runs the user's code"]
    pub(super) fn disconnect_receivers(&self) -> Buffer<T> {
        let mut core = self.lock();
        core.receivers_gone = true;
        let senders = Dismissed::<T>::take(&mut core.sendq);
        let buffer = mem::replace(&mut core.buffer, Buffer::Closed);
        drop(core);
        senders.wake();
        buffer
    }

    /// Both at once, and the buffer stays. False if one of them was so before, and for what tells that a context is
    /// done: only its canceller closes that.
    pub(super) fn close(&self) -> bool {
        let mut core = self.lock();
        if let Buffer::Done(_) = core.buffer {
            return false;
        }
        let was_open = !core.is_closed();
        core.buffer.stop();
        core.senders_gone = true;
        core.receivers_gone = true;
        let senders = Dismissed::<T>::take(&mut core.sendq);
        let receivers = Dismissed::<T>::take(&mut core.recvq);
        drop(core);
        senders.wake();
        receivers.wake();
        was_open
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed()
    }

    /// Is it one of [`never`](super::never)'s?
    pub(super) fn is_never(&self) -> bool {
        matches!(self.lock().buffer, Buffer::Never)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().buffer.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.capacity
            .is_some_and(|capacity| self.lock().buffer.is_full(capacity))
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        self.capacity
    }
}

/// Waits for the message of a select that sends: it makes the message while we wait.
///
/// # Safety
///
/// `out` may be written; after `Served` the message there is the caller's.
#[cold]
#[inline(never)]
pub(super) unsafe fn await_promise<T>(promise: Taken<T>, out: *mut T) -> End {
    let g = current();
    // SAFETY: the place of the node may be written and stays while we wait.
    unsafe {
        if !g.is_copied_out() {
            let node = Waiter::node(Who::Alone(g), out.cast());
            return wait_as_partner(promise, &node);
        }
        let shelter = Shelter::new(Patience::Forever);
        let end = wait_as_partner(promise, shelter.node());
        if end == End::Served {
            ptr::copy_nonoverlapping(shelter.place(), out, 1);
        }
        end
    }
}

/// # Safety
///
/// `node` is the caller's alone and in no queue; its place may be written.
unsafe fn wait_as_partner<T>(promise: Taken<T>, node: &Node<Waiter>) -> End {
    promise.meet(node);
    // SAFETY: the one who made the promise finds our node when it runs, which is not before the commit has
    // woken it, as its last step. It wakes us once, whether it keeps the promise or not.
    unsafe {
        park(|| {
            promise.served();
            true
        });
    }
    node.data.end()
}

#[cold]
#[inline(never)]
pub(super) fn free_block<T>(block: Option<Box<Block<T>>>) {
    drop(block);
}

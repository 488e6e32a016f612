//! What the lock of a channel protects: the queues, the buffer, and the messages ahead of it.

use super::{
    blocks::{Block, Blocks},
    buffer::Buffer,
    side::Side,
    waiter::Waiters,
};

/// What the lock protects.
pub(crate) struct Core<T> {
    pub(super) recvq: Waiters,
    pub(super) sendq: Waiters,
    pub(crate) buffer: Buffer<T>,
    /// Nothing is sent after what is buffered.
    pub(super) senders_gone: bool,
    /// A message that is sent now would not be received.
    pub(super) receivers_gone: bool,
    /// What comes before the buffer.
    pub(super) ahead: Ahead<T>,
    /// Receivers to which a select has promised a message (promise.rs).
    pub(super) engaged: Waiters,
    /// Promises whose receiver has left.
    pub(super) unmet: usize,
    /// Of a clock: one of the waiters has a timer for its next moment (timekeeper.rs).
    pub(super) has_timekeeper: bool,
}

impl<T> Core<T> {
    pub(super) fn new(buffer: Buffer<T>) -> Core<T> {
        Core {
            recvq: Waiters::new(),
            sendq: Waiters::new(),
            buffer,
            senders_gone: false,
            receivers_gone: false,
            ahead: Ahead::new(),
            engaged: Waiters::new(),
            unmet: 0,
            has_timekeeper: false,
        }
    }

    /// The queue in which this side waits.
    #[inline(always)]
    pub(super) fn queue(&mut self, side: Side) -> &mut Waiters {
        match side {
            Side::Sender => &mut self.sendq,
            Side::Receiver => &mut self.recvq,
        }
    }
}

/// Messages that lie ahead of the buffer: see ahead.rs.
pub(super) struct Ahead<T> {
    pub(super) messages: Blocks<T>,
    /// The buffer, while there are messages; [`Buffer::Ahead`] otherwise.
    pub(super) behind: Buffer<T>,
    /// Futures that were told of a message and have not been polled since. While there are waiters in `recvq`, there are
    /// no more messages here than these.
    pub(super) told: usize,
}

impl<T> Ahead<T> {
    pub(super) fn new() -> Ahead<T> {
        Ahead {
            messages: Blocks::new(),
            behind: Buffer::Ahead,
            told: 0,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.messages.has_room()
    }

    pub(super) fn supply(&mut self, block: Box<Block<T>>) -> Option<Box<Block<T>>> {
        self.messages.supply(block)
    }
}

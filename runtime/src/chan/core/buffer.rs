//! What lies between the senders and the receivers of a channel: nothing, a ring, a list, or a clock.

use std::mem::MaybeUninit;

use super::{
    blocks::{Block, Blocks},
    clock::Clock,
    door::Instant,
    ring::Ring,
};

pub(crate) enum Buffer<T> {
    /// `bounded(0)`: messages go from a sender to a receiver directly.
    None,
    /// `bounded(n)`.
    Ring(Ring<T>),
    /// `unbounded()`.
    Blocks(Blocks<T>),
    /// `after`, `at`, `tick`: there are no senders, and T is Instant.
    Clock(Clock),
    /// `never()`: there are no senders.
    Never,
    /// The channel that tells that a context is done: there are no senders, but there may be a deadline.
    Done(Option<Instant>),
    /// Any other, while messages lie ahead of it: see ahead.rs.
    Ahead,
    /// The receivers are gone, and what was buffered with them.
    Closed,
}

/// What a sender without a waiting receiver can do.
pub(super) enum Room {
    /// Push.
    Yes,
    /// Wait for a receiver.
    No,
    /// Bring a block, then push.
    NeedsBlock,
    /// Look at the buffer behind the messages that lie ahead.
    Behind,
}

impl<T> Buffer<T> {
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        match self {
            Buffer::None | Buffer::Closed | Buffer::Never | Buffer::Done(_) => 0,
            Buffer::Ring(ring) => ring.len(),
            Buffer::Blocks(blocks) => blocks.len(),
            Buffer::Clock(clock) => clock.len(),
            // At least one.
            Buffer::Ahead => 1,
        }
    }

    /// Returns whether the deadline of a context has passed, which is as if the senders were gone.
    #[inline(always)]
    pub(super) fn is_over(&self) -> bool {
        match self {
            Buffer::Done(Some(moment)) => *moment <= Instant::now(),
            _ => false,
        }
    }

    /// Returns whether a channel of this capacity has no room.
    pub(super) fn is_full(&self, capacity: usize) -> bool {
        match self {
            Buffer::Ring(ring) => ring.is_full(),
            _ => self.len() == capacity,
        }
    }

    /// The moment at which a clock has a message, or a context's deadline comes.
    #[inline(always)]
    pub(crate) fn next_moment(&self) -> Option<Instant> {
        match self {
            Buffer::Clock(clock) => clock.next(),
            Buffer::Done(moment) => *moment,
            _ => None,
        }
    }

    /// Stops a clock: it has no more messages but the one that is there.
    pub(super) fn stop(&mut self) {
        if let Buffer::Clock(clock) = self {
            clock.stop();
        }
    }

    /// Reserves room for one message. There is room.
    pub(super) fn reserve(&mut self) {
        if let Buffer::Ring(ring) = self {
            ring.reserve();
        }
    }

    /// Gives back the room that [`Buffer::reserve`] reserved.
    pub(super) fn give_back(&mut self) {
        if let Buffer::Ring(ring) = self {
            ring.give_back();
        }
    }

    #[inline(always)]
    pub(super) fn room(&self) -> Room {
        match self {
            Buffer::None | Buffer::Closed | Buffer::Clock(_) | Buffer::Never | Buffer::Done(_) => {
                Room::No
            }
            Buffer::Ahead => Room::Behind,
            Buffer::Ring(ring) if ring.is_full() => Room::No,
            Buffer::Ring(_) => Room::Yes,
            Buffer::Blocks(blocks) if blocks.has_room() => Room::Yes,
            Buffer::Blocks(_) => Room::NeedsBlock,
        }
    }

    /// Moves the message at `msg` to the end.
    ///
    /// # Safety
    ///
    /// [`Buffer::room`] says `Yes`; `msg` points at a message, which is the buffer's from now on.
    #[inline(always)]
    pub(super) unsafe fn push(&mut self, msg: *const T) {
        match self {
            // SAFETY: the caller knows that there is room, and gives the message to the ring.
            Buffer::Ring(ring) => unsafe { ring.push(msg) },
            // SAFETY: the caller knows that there is room, and gives the message to the list.
            Buffer::Blocks(blocks) => unsafe { blocks.push(msg) },
            Buffer::None
            | Buffer::Closed
            | Buffer::Clock(_)
            | Buffer::Never
            | Buffer::Done(_)
            | Buffer::Ahead => unreachable!("goroutines: a push without a buffer"),
        }
    }

    /// Moves the oldest message to `out`, and returns what memory it leaves over, to be dropped
    /// without the lock.
    ///
    /// # Safety
    ///
    /// [`Buffer::len`] is not 0; `out` may be written, and what is there then is the caller's.
    #[inline(always)]
    pub(super) unsafe fn pop(&mut self, out: *mut T) -> Option<Box<Block<T>>> {
        match self {
            Buffer::Ring(ring) => {
                // SAFETY: the caller knows that there is a message, and lets us write `out`.
                unsafe { ring.pop(out) };
                None
            }
            // SAFETY: the caller knows that there is a message, and lets us write `out`.
            Buffer::Blocks(blocks) => unsafe { blocks.pop(out) },
            Buffer::Clock(clock) => {
                // SAFETY: T is Instant.
                unsafe { out.cast::<Instant>().write(clock.take()) };
                None
            }
            Buffer::None | Buffer::Closed | Buffer::Never | Buffer::Done(_) | Buffer::Ahead => {
                unreachable!("goroutines: a pop without a buffer")
            }
        }
    }

    /// Takes the block that [`Room::NeedsBlock`] asked for; returns it if it is no longer needed.
    pub(super) fn supply(&mut self, block: Box<Block<T>>) -> Option<Box<Block<T>>> {
        match self {
            Buffer::Blocks(blocks) => blocks.supply(block),
            _ => Some(block),
        }
    }

    fn drop_messages(&mut self) {
        if let Buffer::Ahead = self {
            return; // there are none in here
        }
        while self.len() > 0 {
            let mut msg = MaybeUninit::uninit();
            // SAFETY: it is not empty.
            drop(unsafe { self.pop(msg.as_mut_ptr()) });
            // SAFETY: the message was just moved there.
            unsafe { msg.assume_init_drop() };
        }
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        /// Drops the remaining messages also when the drop of one panics.
        struct GoOn<'a, T>(&'a mut Buffer<T>);
        impl<T> Drop for GoOn<'_, T> {
            fn drop(&mut self) {
                self.0.drop_messages();
            }
        }
        if std::mem::needs_drop::<T>() {
            GoOn(self).0.drop_messages();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::VecDeque, mem::ManuallyDrop, rc::Rc};

    fn push<T>(buffer: &mut Buffer<T>, msg: T) {
        assert!(matches!(buffer.room(), Room::Yes));
        let msg = ManuallyDrop::new(msg);
        // SAFETY: there is room, and the message is given up.
        unsafe { buffer.push(&raw const *msg) };
    }

    /// Pushes and pops in a pseudo-random walk; a VecDeque is the oracle.
    fn walk<T: Clone + PartialEq + std::fmt::Debug>(
        mut buffer: Buffer<T>,
        message: impl Fn(u32) -> T,
    ) {
        let mut oracle = VecDeque::new();
        let mut random = 1_u32;
        for i in 0..20_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Phases that fill and phases that drain.
            let pushes = (random >> 28) < if (i / 500) % 2 == 0 { 11 } else { 5 };
            if pushes {
                if let Room::NeedsBlock = buffer.room() {
                    assert!(buffer.supply(Block::new()).is_none());
                }
                if let Room::Yes = buffer.room() {
                    push(&mut buffer, message(i));
                    oracle.push_back(message(i));
                }
            } else if buffer.len() > 0 {
                let mut msg = MaybeUninit::uninit();
                // SAFETY: it is not empty, and moves the message to us.
                let msg = unsafe {
                    drop(buffer.pop(msg.as_mut_ptr()));
                    msg.assume_init()
                };
                assert_eq!(Some(msg), oracle.pop_front());
            }
            assert_eq!(buffer.len(), oracle.len());
        }
    }

    #[test]
    fn every_buffer_is_a_queue() {
        for capacity in [1, 2, 3, 7, 64, 100] {
            walk(Buffer::Ring(Ring::new(capacity)), Rc::new);
        }
        walk(Buffer::Blocks(Blocks::new()), Rc::new);
        walk(Buffer::Blocks(Blocks::new()), |i| [i; 100]);
        walk(Buffer::Blocks(Blocks::new()), |i| [i; 1000]);
        walk(Buffer::Blocks(Blocks::new()), |_| ());
    }

    #[test]
    fn a_block_more_than_needed_comes_back() {
        let mut buffer = Buffer::<u8>::Blocks(Blocks::new());
        assert!(buffer.supply(Block::new()).is_none());
        assert!(buffer.supply(Block::new()).is_some());
        assert!(Buffer::<u8>::Closed.supply(Block::new()).is_some());
    }

    #[test]
    fn messages_without_a_size_fill_a_ring_of_any_capacity() {
        let mut buffer = Buffer::Ring(Ring::new(usize::MAX));
        for _ in 0..3 {
            push(&mut buffer, ());
        }
        assert_eq!(buffer.len(), 3);
    }
}

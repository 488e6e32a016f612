//! Messages that lie ahead of the buffer: those that were sent because a future waits, or because a select had promised
//! one to a receiver that has left since (promise.rs).
//!
//! ```text
//!   future F waits in recvq          recvq: F            ahead: · ·
//!   m1 is sent: F is told            told: 1             ahead: m1
//!   F is polled: takes the oldest    told: 0             ahead: · ·
//!   or: another call receives        told: 1             ahead: · ·      F finds nothing and waits on, as the first
//!   or: F is dropped                 told: 0             ahead: m1       goes to a waiter, or stays
//! ```
//!
//! A message belongs to a future only once the future is polled. Until then it lies here, and any receive takes the
//! oldest, as from the buffer. So no message overtakes another, a future costs the same whenever it is dropped, and no
//! message has to be put back.
//!
//! A message gets here only when nothing is buffered, because only then does a receiver wait; so all messages here are
//! older than those in the buffer. A goroutine that waits behind a future that was told stays there, since that message
//! is the future's. If a message is sent to that goroutine, it gets the oldest here, and the new one stays here.
//!
//! While there are messages here, `Core::buffer` is [`Buffer::Ahead`], and the real buffer is
//! [`Ahead::behind`](super::state::Ahead::behind): so the usual case, in which there are none, checks nothing more.

use std::mem;

use super::{
    blocks::{Block, Blocks},
    buffer::{Buffer, Room},
    state::Core,
};

impl<T> Core<T> {
    /// Returns whether messages lie ahead of the buffer.
    #[inline(always)]
    pub(super) fn is_ahead(&self) -> bool {
        matches!(self.buffer, Buffer::Ahead)
    }

    /// The buffer, wherever it is.
    #[inline(always)]
    pub(super) fn main(&self) -> &Buffer<T> {
        match &self.buffer {
            Buffer::Ahead => &self.ahead.behind,
            buffer => buffer,
        }
    }

    #[inline(always)]
    pub(super) fn main_mut(&mut self) -> &mut Buffer<T> {
        match &mut self.buffer {
            Buffer::Ahead => &mut self.ahead.behind,
            buffer => buffer,
        }
    }

    /// Returns whether the channel has no buffer: messages go from a sender to a receiver directly.
    pub(super) fn is_rendezvous(&self) -> bool {
        matches!(self.main(), Buffer::None)
    }

    /// The room for a message without a waiting receiver.
    pub(super) fn room(&self) -> Room {
        self.main().room()
    }

    /// All messages that are here.
    pub(super) fn len(&self) -> usize {
        self.ahead.messages.len() + self.main().len()
    }

    /// Returns whether there is a message that no told future is to get, so that it may go to a waiter in `recvq`.
    pub(super) fn has_unclaimed(&self) -> bool {
        self.ahead.messages.len() > self.ahead.told || self.main().len() > 0
    }

    /// Moves the message at `msg` behind those that are ahead of the buffer.
    ///
    /// # Safety
    ///
    /// [`Ahead::has_room`](super::state::Ahead::has_room); `msg` points at a message, which is the channel's from now on.
    pub(super) unsafe fn push_ahead(&mut self, msg: *const T) {
        if !self.is_ahead() {
            mem::swap(&mut self.buffer, &mut self.ahead.behind);
        }
        // SAFETY: the caller knows that there is room, and gives the message up.
        unsafe { self.ahead.messages.push(msg) };
    }

    /// Moves the message at `msg` into the buffer that is behind.
    ///
    /// # Safety
    ///
    /// [`Core::is_ahead`], and there is room; `msg` points at a message, which is the channel's from now on.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn push_behind(&mut self, msg: *const T) {
        // SAFETY: messages are ahead, so the buffer is behind, and the caller knows that it has room.
        unsafe { self.ahead.behind.push(msg) };
    }

    /// Moves the oldest message to `out`. No place becomes free in the buffer. Returns what memory it leaves over, to be
    /// dropped without the lock.
    ///
    /// # Safety
    ///
    /// [`Core::is_ahead`]; `out` may be written, and what is there then is the caller's.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn pop_ahead(&mut self, out: *mut T) -> Option<Box<Block<T>>> {
        // SAFETY: while messages are ahead there is at least one.
        let spent = unsafe { self.ahead.messages.pop(out) };
        if self.ahead.messages.len() == 0 {
            mem::swap(&mut self.buffer, &mut self.ahead.behind);
        }
        spent
    }

    /// Takes all messages out, to be dropped without the lock; what is sent from now on has no place.
    pub(super) fn take_messages(&mut self) -> [Buffer<T>; 2] {
        let ahead = mem::replace(&mut self.ahead.messages, Blocks::new());
        let main = mem::replace(self.main_mut(), Buffer::Closed);
        self.buffer = Buffer::Closed;
        self.ahead.behind = Buffer::Ahead;
        [Buffer::Blocks(ahead), main]
    }
}

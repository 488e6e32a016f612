//! Channels: how goroutines and threads pass each other messages. Names and shapes are those of
//! `crossbeam-channel`.
//!
//! | made with        | `send` waits                     | `recv` waits        |
//! |------------------|----------------------------------|---------------------|
//! | [`bounded`]`(0)` | until a receiver takes the message | for a sender      |
//! | [`bounded`]`(n)` | while n messages are buffered    | while none is there |
//! | [`unbounded`]    | never                            | while none is there |
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! use goroutines::{chan, go};
//!
//! let (questions, todo) = chan::bounded(0);
//! let (answer, answers) = chan::bounded(0);
//! go(move || todo.iter().for_each(|n: u32| answer.send(n * n).unwrap()));
//! questions.send(12).unwrap();
//! assert_eq!(answers.recv(), Ok(144));
//! ```
//!
//! Every operation works from goroutines and from plain OS threads, on either end. Among threads alone
//! channels work even without a running runtime.
//!
//! What differs from `crossbeam-channel`: when the last receiver of a bounded channel is dropped, what is
//! buffered is dropped at once, as in an unbounded one, and not only with the last sender; and the `Debug`
//! texts of the errors with a message have no quotation marks.

// # How it works
//
// Invariants, whenever the lock is free ("waiter": one whose wait is still open):
//
// I1  recvq and sendq are not both non-empty. (A select may wait in both; it is its own counterpart
//     in neither.)
// I2  A receiver waits only if nothing is buffered.
// I3  A sender waits only if the buffer is full; without a buffer, only if no receiver waits.
// I4  Messages of one sender are received in the order in which it sent them: the buffer and both
//     queues are FIFO, a receiver takes from the buffer before it takes from a sender, and what a
//     waiting sender has goes to the end of the buffer in the moment a place becomes free.
// I5  A message is in exactly one place: on the sender's stack, in the buffer, in a waiter's slot,
//     on the receiver's stack. Whoever moves it owns both ends: by the lock, or by having taken the
//     waiter out of its queue.
// I6  When receivers_gone is set the buffer is closed and sendq is empty, for ever. When senders_gone
//     is set recvq is empty, for ever.
//
// Send                                             Receive
// S1  lock                                         R1  lock
// S2  receivers gone: unlock, give back            R2  a message is buffered: pop it; a waiting sender:
// S3  a receiver waits: take it out, unlock,           take it out, its message into the free place;
//     write into its slot, ready(it)                   unlock, ready(it)
// S4  room: push, unlock                           R3  a sender waits: take it out, unlock, read its
// S5  else: own node, message in its slot, into        slot, ready(it)
//     sendq; park(commit: unlock)                  R4  senders gone: unlock, tell
// S6  woken: served, or disconnected and the       R5  else: own node into recvq; park(commit: unlock)
//     message still there                          R6  woken: the slot is full, or disconnected
//
// A waiter can be taken out only with the lock, which its commit gives free once its context is saved:
// so nobody writes to the stack of, or wakes, a goroutine that still runs. From the moment it was
// taken out it is the taker's until `ready`: messages are copied without the lock.
//
// With a timeout (and in a select) the node holds a ticket. The taker must win the ticket, still under
// the lock, or else drop the node and take the next: a message is only ever moved to or from a waiter
// that will not also time out. The one that timed out takes the lock, to know that no taker looks at
// its node any more, and unlinks it if it is still in.
//
// Under the lock: no user code (no clone, no drop, no panic of a message), no park, and no allocation,
// except that a wait with a deadline may make the P's timer heap grow. A message is moved, never looked
// at.
//
// On one P an unbuffered stream costs one switch and two locks a message: the receiver that was given
// message 1 finds the sender already waiting with message 2, takes it and makes the sender ready,
// which does not cost it its turn. `send` and `recv` are inlined down to the call of the park: so
// there are at most two frames whose return the CPU mispredicts after the switch.
//
// What is left for later has its place: a select is one ticket in the nodes of several channels,
// claimed with the number of its case (waiter.rs); `after`, `at`, `tick` and `never` are receivers
// without senders, variants beside `Receiver`'s handle; `close` is `disconnect_senders` by hand.

mod blocks;
mod buffer;
mod case;
mod channel;
mod choose;
mod clock;
mod counter;
mod error;
mod few;
mod iter;
mod locked;
mod macros;
mod operation;
mod receiver;
mod ring;
mod select;
mod sender;
mod shelter;
mod stash;
mod waiter;

pub use clock::{after, at, never, tick};
pub use error::{
    ReadyTimeoutError, RecvError, RecvTimeoutError, SelectTimeoutError, SendError,
    SendTimeoutError, TryReadyError, TryRecvError, TrySelectError, TrySendError,
};
pub use iter::{IntoIter, Iter, TryIter};
#[doc(hidden)]
pub use operation::expansion;
pub use receiver::Receiver;
pub use select::{Select, SelectedOperation};
pub use sender::Sender;

#[doc(inline)]
pub use crate::{__chan_select as select, __chan_select_biased as select_biased};

use channel::Channel;

/// A channel that buffers up to `capacity` messages; with 0, `send` and `recv` meet.
///
/// The buffer is allocated here, once.
///
/// # Panics
///
/// When a buffer of `capacity` messages is larger than the address space.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// let (tx, rx) = goroutines::chan::bounded(1);
/// goroutines::go(move || {
///     tx.send(1).unwrap(); // goes into the buffer
///     tx.send(2).unwrap(); // waits until 1 was received
/// });
/// assert_eq!(rx.recv(), Ok(1));
/// assert_eq!(rx.recv(), Ok(2));
/// ```
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    pair(Channel::bounded(capacity))
}

/// A channel that buffers any number of messages: `send` never waits.
///
/// # Examples
///
/// ```
/// let (tx, rx) = goroutines::chan::unbounded();
/// (0..1000).for_each(|n| tx.send(n).unwrap());
/// assert_eq!(rx.len(), 1000);
/// assert_eq!(rx.recv(), Ok(0));
/// ```
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    pair(Channel::unbounded())
}

fn pair<T>(channel: Channel<T>) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = counter::new(channel);
    (Sender { handle: sender }, Receiver { handle: receiver })
}

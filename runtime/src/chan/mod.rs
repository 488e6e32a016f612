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
//! [`select!`](macro@select), [`select_biased!`] and [`Select`] wait for the first of several operations. Receivers without
//! senders are made with
//!
//! | [`after`], [`at`] | one message, when it is due |
//! |---|---|
//! | [`tick`] | a message every so often |
//! | [`never`](fn@never) | none |
//!
//! `close` ends a channel by hand, for both sides.
//!
//! What differs from `crossbeam-channel`: when the last receiver of a bounded channel is dropped, what is
//! buffered is dropped at once, as in an unbounded one, and not only with the last sender. Otherwise whoever waits for
//! an answer to a buffered question would wait for ever, and a message that holds a sender of its own channel
//! would never be freed. A message whose expression panics, or leaves, in a `send` case does not keep anybody waiting:
//! the case is undone. And a deadline holds while a select on the other side makes its message: the receiver leaves, and
//! the message, since its case was chosen, stays in the channel for whoever receives next, also in one without a buffer.

// # How it works
//
// Invariants, whenever the lock is free ("waiter": one whose wait is still open):
//
// I1  recvq and sendq are not both non-empty. (A select may wait in both; it is its own counterpart
//     in neither. Those who watch, and those engaged, do not count. Where selects have reserved all of a buffer, further
//     senders may wait although receivers do: the messages of those selects come first.)
// I2  A receiver waits only if nothing is buffered, and only if every message ahead of the buffer has a
//     future that was told of it.
// I3  A sender waits only if the buffer is full; without a buffer, only if no receiver waits.
// I4  Messages of one sender are received in the order in which it sent them: what lies ahead of the
//     buffer is older than what is in it, and both and the queues are FIFO. A receiver takes what is
//     ahead, then what is buffered, then from a sender; and what a waiting sender has goes to the end
//     of the buffer in the moment a place becomes free.
// I5  A message is in exactly one place: with its sender (on its stack, in its shelter, in its future's
//     node), ahead of the buffer, in the buffer, in a select's stash, or with its receiver (on its stack,
//     in its shelter). Whoever moves it owns both ends: by the lock, or by having taken the waiter out
//     of its queue. It is never a future's that receives: that takes one when it is polled.
// I6  When receivers_gone is set and the channel was not closed by hand, nothing is buffered or ahead of
//     the buffer, for ever. With receivers_gone nobody comes to wait in sendq, with senders_gone nobody
//     in recvq; who waits there is woken.
// I7  There are as many promises as receivers in engaged, plus unmet (core/promise.rs).
//
// Send                                             Receive
// S1  lock                                         R1  lock
// S2  receivers gone: unlock, give back            R2  a message is ahead or buffered: pop it; a waiting
// S3  a receiver waits: take it out, unlock,           sender: take it out, its message into the free
//     write into its slot, ready(it)                   place; unlock, ready(it)
//     a future waits, or messages are ahead: the   R3  a sender waits: take it out, unlock, read its
//     message to the end of those; take the            slot, ready(it)
//     receiver out: the oldest into its slot, or       a select waits: core/promise.rs
//     tell the future; unlock, wake it             R4  senders gone: unlock, tell
// S4  room: push, unlock                           R5  else: own node into recvq; park(commit: unlock)
// S5  else: own node, message in its slot, into    R6  woken: the slot is full, or disconnected
//     sendq; park(commit: unlock)
// S6  woken: served, or disconnected and the
//     message still there
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
// Under the lock: no user code (no clone, no drop, no panic of a message or a waker), no park, nobody is made
// ready, and no allocation, except that a wait with a deadline may make the P's timer heap grow. A message is
// moved, never looked at. Nothing takes longer because many wait: who leaves a queue unlinks itself, a future
// is dropped in constant time, and when a side is gone its waiters are taken out some at a time. Who is passed
// on the way is passed once: a waiter that has left already is taken out, and one that watches is told. (Only
// the looks of `Select::ready` pass others who watch, which leave when somebody comes for more.)
//
// On one P an unbuffered stream costs one switch and two locks a message: the receiver that was given
// message 1 finds the sender already waiting with message 2, takes it and makes the sender ready,
// which does not cost it its turn. `send` and `recv` are inlined down to the call of the park: so
// there are at most two frames whose return the CPU mispredicts after the switch.
//
// Select: one ticket in the nodes of several channels, each with the number of its case. Its steps are
// in select/choose.rs, what it knows of a channel in select/case.rs.
//
// - A receive that a select has won is done: the message lies in its stash. A send is won before there is a
//   message, because the expression is evaluated only then: what is won is room in the buffer (`Ring::reserve`),
//   or, without a buffer, a promise (core/promise.rs).
// - Room that is reserved counts as full for senders and as empty for receivers: I2 and I3 hold with it. When the
//   message comes it goes to a waiting receiver, or into the room.
// - Neither side holds anything of the other's meanwhile, and no handle: an operation may be dropped on a thread to
//   which no message may go.
// - Those who only watch (`Select::ready`) take part in none of the invariants. They are told, and leave the queue,
//   whenever somebody looks for a counterpart there, or a select comes to wait on the other side.
//
// `after`, `at` and `tick` are channels whose buffer is a clock (core/clock.rs, core/timekeeper.rs). `close` sets both sides gone, but the buffer
// stays, until it was received or the receivers are gone.
//
// Futures: core/future_wait.rs says how they wait, core/ahead.rs where their messages are.

mod core;
mod door;
mod error;
mod future;
mod iter;
mod receiver;
mod select;
mod sender;
mod timed;
mod with_context;

pub use error::{
    ReadyTimeoutError, RecvError, RecvTimeoutError, SelectTimeoutError, SendError,
    SendTimeoutError, TryReadyError, TryRecvError, TrySelectError, TrySendError,
};
pub use future::{RecvFut, RecvStream, SendFut};
pub(crate) use iter::receiver_iterators;
pub use iter::{IntoIter, Iter, TryIter};
pub use receiver::Receiver;
#[doc(hidden)]
pub use select::expansion;
pub use select::{Select, SelectedOperation};
pub use sender::Sender;
pub use timed::{after, at, never, tick};
pub use with_context::{RecvCtxError, SendCtxError};
pub(crate) use with_context::{disconnect, done, wait_done, wait_either};

/// Waits for the first of several operations on channels, and does it. If several need not wait, each is as
/// likely; with [`select_biased!`] the first is chosen.
///
/// ```text
/// recv(receiver) -> pattern => expression       pattern: a Result<T, RecvError>
/// send(sender, message) -> pattern => expression   pattern: a Result<(), SendError<T>>
/// default => expression                         if all others would wait
/// default(timeout) => expression                if they do for so long
/// ```
///
/// Receivers and senders are expressions, evaluated once; a message is evaluated only if its case is chosen. An operation that
/// would fail, because its channel is disconnected, need not wait. Without any case it waits for ever.
///
/// Receivers and senders are borrowed until the operation is done, and not while an arm runs: an arm may assign to its
/// own receiver. A message is evaluated while its sender is borrowed, so `send(self.tx, self.next())` with a
/// `next(&mut self)` does not compile (crossbeam's macro accepts it). Evaluate such a message before the `select!`.
///
/// # Parks
///
/// While it waits.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::chan::{bounded, select, unbounded};
/// use std::time::Duration;
///
/// let (questions, todo) = unbounded::<u32>();
/// let (answers, answered) = bounded::<u32>(1);
/// questions.send(6).unwrap();
/// for _ in 0..3 {
///     select! {
///         recv(todo) -> n => answers.send(n.unwrap() * 7).unwrap(),
///         recv(answered) -> n => {
///             assert_eq!(n, Ok(42));
///             questions.send(1).unwrap();
///         }
///         default(Duration::from_secs(1)) => unreachable!("there is always something"),
///     }
/// }
/// ```
#[doc(inline)]
pub use crate::__chan_select as select;

/// As [`select!`](macro@select), but of several operations that need not wait the first is chosen.
///
/// # Parks
///
/// While it waits.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::chan::{select_biased, unbounded};
///
/// let (urgent, first) = unbounded();
/// let (usual, second) = unbounded();
/// usual.send("usual").unwrap();
/// urgent.send("urgent").unwrap();
/// let next = select_biased! {
///     recv(first) -> msg => msg,
///     recv(second) -> msg => msg,
/// };
/// assert_eq!(next, Ok("urgent"));
/// ```
#[doc(inline)]
pub use crate::__chan_select_biased as select_biased;

use self::core::{counter, locked::Channel};

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

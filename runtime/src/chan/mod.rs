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
//! buffered is dropped at once, as in an unbounded one, and not only with the last sender. Otherwise a goroutine that
//! waits for an answer to a buffered question would wait for ever, and a message that holds a sender of its own channel
//! would never be freed. A `send` case whose message expression panics, or leaves, is undone, and no receiver waits for
//! it. And a deadline holds while a select on the other side makes its message: the receiver leaves, and the message,
//! since its case was chosen, stays in the channel for the next receive, also in a channel without a buffer.

// The protocol is in core/mod.rs, how a select chooses in select/choose.rs. A file or folder imports only from those
// before it:
//
//     door < core < error < sender < receiver < iter < timed < select < future < with_context < mod

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

/// Waits for the first of several operations on channels, and does it. If several need not wait, one is chosen at
/// random, each as likely; with [`select_biased!`] the first is chosen.
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
///
/// Until a [context](crate::context) is done, with a case for [`Context::done`](crate::context::Context::done). (The current
/// context alone does not end a `select!`.)
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::{chan::{Receiver, select, unbounded}, context::Context, go};
///
/// fn total(numbers: &Receiver<u32>, ctx: &Context) -> u32 {
///     let mut sum = 0;
///     loop {
///         select! {
///             recv(numbers) -> n => match n {
///                 Ok(n) => sum += n,
///                 Err(_) => return sum,
///             },
///             recv(ctx.done()) -> _ => return sum,
///         }
///     }
/// }
///
/// let (ctx, canceller) = Context::background().with_cancel();
/// let (_tx, numbers) = unbounded();
/// let worker = go(move || total(&numbers, &ctx));
/// canceller.cancel();
/// assert_eq!(worker.join().unwrap(), 0);
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

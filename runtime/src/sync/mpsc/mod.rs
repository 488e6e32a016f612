//! `std::sync::mpsc` for goroutines: channels with one receiver. They are those of
//! [`chan`](mod@crate::chan), with the names of std; the error types are std's own.
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! use goroutines::sync::mpsc;
//!
//! let (tx, rx) = mpsc::channel();
//! for n in 0..3 {
//!     let tx = tx.clone();
//!     goroutines::go(move || tx.send(n).unwrap());
//! }
//! drop(tx);
//! let mut all: Vec<u32> = rx.iter().collect();
//! all.sort();
//! assert_eq!(all, [0, 1, 2]);
//! ```

mod iter;
mod receiver;
mod sender;

pub use iter::{IntoIter, Iter, TryIter};
pub use receiver::Receiver;
pub use sender::{Sender, SyncSender};
pub use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};

use crate::chan;

/// A channel that buffers any number of messages: `send` never waits.
///
/// # Examples
///
/// ```
/// let (tx, rx) = goroutines::sync::mpsc::channel();
/// tx.send("hello").unwrap();
/// assert_eq!(rx.recv(), Ok("hello"));
/// ```
#[must_use]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (tx, rx) = chan::unbounded();
    (Sender { inner: tx }, Receiver::new(rx))
}

/// A channel that buffers up to `bound` messages: `send` waits while it is full. With 0 each `send`
/// waits until its message is received.
///
/// # Panics
///
/// When a buffer of `bound` messages is larger than the address space.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// let (tx, rx) = goroutines::sync::mpsc::sync_channel(0);
/// goroutines::go(move || tx.send("received at once").unwrap());
/// assert_eq!(rx.recv(), Ok("received at once"));
/// ```
#[must_use]
pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
    let (tx, rx) = chan::bounded(bound);
    (SyncSender { inner: tx }, Receiver::new(rx))
}

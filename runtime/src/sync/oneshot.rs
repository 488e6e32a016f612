//! A channel for one value.
//!
//! [`channel`] makes a [`Sender`], which is used up by its one message, and a [`Receiver`] of [`chan`]: it waits, with a
//! timeout, under a context, in a `select!`, or as a future.
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! use goroutines::{go, sync::oneshot};
//!
//! let (answer, answered) = oneshot::channel();
//! go(move || answer.send(6 * 7));
//! assert_eq!(answered.recv(), Ok(42));
//!
//! // A sender that is dropped ends the wait.
//! let (answer, answered) = oneshot::channel::<u32>();
//! go(move || drop(answer));
//! assert!(answered.recv().is_err());
//! ```

use std::fmt;

use crate::chan::{self, Receiver, TrySendError};

/// The side that sends the value.
pub struct Sender<T>(chan::Sender<T>);

/// A channel for one value.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = chan::bounded(1);
    (Sender(sender), receiver)
}

impl<T> Sender<T> {
    /// Sends the value. Does not wait. The receiver may take it later.
    ///
    /// # Errors
    ///
    /// The value, when the receiver is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = goroutines::sync::oneshot::channel();
    /// drop(receiver);
    /// assert_eq!(sender.send("nobody"), Err("nobody"));
    /// ```
    pub fn send(self, value: T) -> Result<(), T> {
        // There is room for the one message.
        self.0.try_send(value).map_err(TrySendError::into_inner)
    }

    /// Returns whether the receiver is gone, or has closed the channel: a value would come back.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

//! The receiving side.

use std::{
    cell::Cell,
    fmt,
    marker::PhantomData,
    panic::{RefUnwindSafe, UnwindSafe},
    time::Duration,
};

use super::{
    RecvError, RecvTimeoutError, TryRecvError,
    iter::{Iter, TryIter},
};
use crate::chan;

/// Receives from a [`channel`](super::channel) or [`sync_channel`](super::sync_channel): shaped as
/// [`std::sync::mpsc::Receiver`].
///
/// There is one, and one goroutine or thread at a time uses it. When it is dropped senders get an error,
/// and what is buffered is dropped.
pub struct Receiver<T> {
    inner: chan::Receiver<T>,
    /// As std's.
    _not_sync: PhantomData<Cell<()>>,
}

impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

impl<T> Receiver<T> {
    pub(super) fn new(inner: chan::Receiver<T>) -> Receiver<T> {
        Receiver {
            inner,
            _not_sync: PhantomData,
        }
    }

    /// The next message; waits until there is one.
    ///
    /// # Parks
    ///
    /// While it waits: only the goroutine. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// When the channel is empty and every sender is gone, at once or while waiting.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::sync::mpsc::{RecvError, channel};
    ///
    /// let (tx, rx) = channel();
    /// goroutines::go(move || tx.send(5).unwrap());
    /// assert_eq!(rx.recv(), Ok(5));
    /// assert_eq!(rx.recv(), Err(RecvError));
    /// ```
    #[inline]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.inner.recv().map_err(|_| RecvError)
    }

    /// The next message, if there is one without waiting: buffered, or from a waiting sender.
    ///
    /// # Errors
    ///
    /// When there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::sync::mpsc::{TryRecvError, channel};
    ///
    /// let (tx, rx) = channel();
    /// assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    /// tx.send(5).unwrap();
    /// drop(tx);
    /// assert_eq!(rx.try_recv(), Ok(5));
    /// assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.inner.try_recv().map_err(|error| match error {
            chan::TryRecvError::Empty => TryRecvError::Empty,
            chan::TryRecvError::Disconnected => TryRecvError::Disconnected,
        })
    }

    /// As [`recv`](Receiver::recv), but waits at most for `timeout`.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When the time is up, and when the channel is empty and every sender is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::sync::mpsc::{RecvTimeoutError, channel};
    /// use std::time::Duration;
    ///
    /// let (tx, rx) = channel::<u8>();
    /// assert_eq!(rx.recv_timeout(Duration::from_millis(2)), Err(RecvTimeoutError::Timeout));
    /// drop(tx);
    /// assert_eq!(rx.recv_timeout(Duration::MAX), Err(RecvTimeoutError::Disconnected));
    /// ```
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.inner
            .recv_timeout(timeout)
            .map_err(|error| match error {
                chan::RecvTimeoutError::Timeout => RecvTimeoutError::Timeout,
                chan::RecvTimeoutError::Disconnected => RecvTimeoutError::Disconnected,
            })
    }

    /// Messages until the channel is empty and every sender is gone; `next` waits for each.
    ///
    /// # Parks
    ///
    /// `next` does, while it waits.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// let (tx, rx) = goroutines::sync::mpsc::sync_channel(0);
    /// goroutines::go(move || (0..3).for_each(|n| tx.send(n).unwrap()));
    /// assert_eq!(rx.iter().collect::<Vec<_>>(), [0, 1, 2]);
    /// ```
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { rx: self }
    }

    /// The messages that are there; ends where a `recv` would wait.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = goroutines::sync::mpsc::channel();
    /// tx.send(1).unwrap();
    /// tx.send(2).unwrap();
    /// assert_eq!(rx.try_iter().collect::<Vec<_>>(), [1, 2]);
    /// assert_eq!(rx.try_iter().next(), None);
    /// # drop(tx);
    /// ```
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { rx: self }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

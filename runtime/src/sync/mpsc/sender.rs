//! The sending sides: of a channel without a bound, and of one with.

use std::fmt;

use super::{SendError, TrySendError};
use crate::chan;

/// Sends into a [`channel`](super::channel): shaped as [`std::sync::mpsc::Sender`].
///
/// Clones send into the same channel. When the last one is dropped the receiver gets what is buffered,
/// and then an error.
pub struct Sender<T> {
    pub(super) inner: chan::Sender<T>,
}

/// Sends into a [`sync_channel`](super::sync_channel): shaped as [`std::sync::mpsc::SyncSender`].
///
/// Clones send into the same channel. When the last one is dropped the receiver gets what is buffered,
/// and then an error.
pub struct SyncSender<T> {
    pub(super) inner: chan::Sender<T>,
}

impl<T> Sender<T> {
    /// Sends `t`. The buffer has no bound, so `send` never waits.
    ///
    /// # Parks
    ///
    /// Never.
    ///
    /// # Errors
    ///
    /// When the receiver is gone. The message is in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::sync::mpsc::{SendError, channel};
    ///
    /// let (tx, rx) = channel();
    /// assert_eq!(tx.send(1), Ok(()));
    /// drop(rx);
    /// assert_eq!(tx.send(2), Err(SendError(2)));
    /// ```
    #[inline]
    pub fn send(&self, t: T) -> Result<(), SendError<T>> {
        self.inner
            .send(t)
            .map_err(|chan::SendError(t)| SendError(t))
    }
}

impl<T> SyncSender<T> {
    /// Sends `t`; waits while the buffer is full, in a channel without a buffer until the receiver
    /// takes it.
    ///
    /// # Parks
    ///
    /// While it waits: only the goroutine. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// When the receiver is gone, at once or while waiting. The message is in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// let (tx, rx) = goroutines::sync::mpsc::sync_channel(1);
    /// goroutines::go(move || (0..10).for_each(|n| tx.send(n).unwrap()));
    /// assert!(rx.iter().eq(0..10));
    /// ```
    #[inline]
    pub fn send(&self, t: T) -> Result<(), SendError<T>> {
        self.inner
            .send(t)
            .map_err(|chan::SendError(t)| SendError(t))
    }

    /// Sends `t` if that can be done without waiting: there is room, or the receiver waits.
    ///
    /// # Errors
    ///
    /// When there is neither, and when the receiver is gone. The message is in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::sync::mpsc::{TrySendError, sync_channel};
    ///
    /// let (tx, rx) = sync_channel(1);
    /// assert_eq!(tx.try_send(1), Ok(()));
    /// assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
    /// drop(rx);
    /// assert_eq!(tx.try_send(3), Err(TrySendError::Disconnected(3)));
    /// ```
    #[inline]
    pub fn try_send(&self, t: T) -> Result<(), TrySendError<T>> {
        self.inner.try_send(t).map_err(|error| match error {
            chan::TrySendError::Full(t) => TrySendError::Full(t),
            chan::TrySendError::Disconnected(t) => TrySendError::Disconnected(t),
        })
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender {
            inner: self.inner.clone(),
        }
    }
}

impl<T> Clone for SyncSender<T> {
    fn clone(&self) -> SyncSender<T> {
        SyncSender {
            inner: self.inner.clone(),
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for SyncSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncSender").finish_non_exhaustive()
    }
}

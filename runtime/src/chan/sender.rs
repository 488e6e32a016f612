//! The sending side.

use std::{
    fmt,
    mem::ManuallyDrop,
    panic::{RefUnwindSafe, UnwindSafe},
    time::{Duration, Instant},
};

use super::{
    core::{counter::Handle, side::Side, timeout::Timeout, waiter::End},
    error::{SendError, SendTimeoutError, TrySendError},
};

/// The sending side of a channel. Clones send into the same channel; when the last one is dropped the
/// channel is disconnected: receivers get what is buffered, and then an error.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// let (tx, rx) = goroutines::chan::unbounded();
/// for name in ["a", "b"] {
///     let tx = tx.clone();
///     goroutines::go(move || tx.send(name).unwrap());
/// }
/// drop(tx);
/// let mut names: Vec<_> = rx.iter().collect();
/// names.sort();
/// assert_eq!(names, ["a", "b"]);
/// ```
pub struct Sender<T> {
    pub(super) handle: Handle<T>,
}

// SAFETY: a sender moves messages to other threads, so T is Send; all it shares is the channel, which
// is Sync then.
unsafe impl<T: Send> Send for Sender<T> {}
// SAFETY: a shared sender moves messages to other threads, so T is Send; all it shares is the channel, which
// is Sync then.
unsafe impl<T: Send> Sync for Sender<T> {}

impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}

impl<T> Sender<T> {
    /// Sends `msg`; waits while the buffer is full, in a channel without a buffer until a receiver
    /// takes it.
    ///
    /// # Parks
    ///
    /// While it waits: only the goroutine. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// When every receiver is gone, at once or while waiting. The message is in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::chan::{SendError, bounded};
    ///
    /// let (tx, rx) = bounded(1);
    /// assert_eq!(tx.send(1), Ok(()));
    /// goroutines::go(move || assert_eq!(rx.recv(), Ok(1)));
    /// while tx.send(2).is_ok() {}
    /// assert_eq!(tx.send(3), Err(SendError(3)));
    /// ```
    #[inline]
    pub fn send(&self, msg: T) -> Result<(), SendError<T>> {
        match self.send_with(msg, Timeout::Never) {
            Ok(()) => Ok(()),
            Err((_, msg)) => Err(SendError(msg)),
        }
    }

    /// Sends `msg` if that can be done without waiting: there is room, or a receiver waits.
    ///
    /// # Errors
    ///
    /// When there is neither, and when every receiver is gone. The message is in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::chan::{TrySendError, bounded};
    ///
    /// let (tx, rx) = bounded(1);
    /// assert_eq!(tx.try_send(1), Ok(()));
    /// assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
    /// drop(rx);
    /// assert_eq!(tx.try_send(3), Err(TrySendError::Disconnected(3)));
    /// ```
    #[inline]
    pub fn try_send(&self, msg: T) -> Result<(), TrySendError<T>> {
        match self.send_with(msg, Timeout::Now) {
            Ok(()) => Ok(()),
            Err((End::Disconnected, msg)) => Err(TrySendError::Disconnected(msg)),
            Err((_, msg)) => Err(TrySendError::Full(msg)),
        }
    }

    /// As [`send`](Sender::send), but waits at most for `timeout`.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When the time is up, and when every receiver is gone. The message is in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use std::time::Duration;
    ///
    /// let (tx, rx) = goroutines::chan::bounded(0);
    /// let late = tx.send_timeout("not received", Duration::from_millis(2)).unwrap_err();
    /// assert!(late.is_timeout());
    /// assert_eq!(late.into_inner(), "not received");
    /// # drop(rx);
    /// ```
    pub fn send_timeout(&self, msg: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.send_deadline(msg, deadline),
            None => self.send(msg).map_err(SendTimeoutError::from),
        }
    }

    /// As [`send`](Sender::send), but waits at most until `deadline`. What can be sent without
    /// waiting is sent even when the deadline has passed.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When the time is up, and when every receiver is gone. The message is in the error.
    pub fn send_deadline(&self, msg: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        match self.send_with(msg, Timeout::Until(deadline)) {
            Ok(()) => Ok(()),
            Err((End::Disconnected, msg)) => Err(SendTimeoutError::Disconnected(msg)),
            Err((_, msg)) => Err(SendTimeoutError::Timeout(msg)),
        }
    }

    /// The message stays where it is until it is passed on: a large one is copied once.
    #[inline(always)]
    fn send_with(&self, msg: T, timeout: Timeout) -> Result<(), (End, T)> {
        let mut msg = ManuallyDrop::new(msg);
        // SAFETY: `msg` is a message, and given up if the end is `Served`.
        match unsafe { self.handle.channel().send(&raw mut *msg, timeout) } {
            End::Served => Ok(()),
            End::UnderContext => self.send_under_context(ManuallyDrop::into_inner(msg), timeout),
            end => Err((end, ManuallyDrop::into_inner(msg))),
        }
    }

    /// Returns whether no message is buffered: always for a channel without a buffer, but for messages whose receiver
    /// has left (see [`Receiver::is_empty`](super::Receiver::is_empty)).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether the buffer is full: always for a channel without a buffer, never for an unbounded one.
    pub fn is_full(&self) -> bool {
        self.handle.channel().is_full()
    }

    /// How many messages are buffered.
    pub fn len(&self) -> usize {
        self.handle.channel().len()
    }

    /// How many messages can be buffered; `None` for an unbounded channel.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::chan::{bounded, unbounded};
    ///
    /// assert_eq!(bounded::<u8>(0).0.capacity(), Some(0));
    /// assert_eq!(bounded::<u8>(7).0.capacity(), Some(7));
    /// assert_eq!(unbounded::<u8>().0.capacity(), None);
    /// ```
    pub fn capacity(&self) -> Option<usize> {
        self.handle.channel().capacity()
    }

    /// Closes the channel for both sides: a send from now on returns an error, what is buffered can still be
    /// received, and all waiters are woken.
    ///
    /// Returns whether it was open: not closed before, and with handles on both sides.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// let (tx, rx) = goroutines::chan::bounded::<u32>(1);
    /// let workers: Vec<_> = (0..3)
    ///     .map(|_| {
    ///         let rx = rx.clone();
    ///         goroutines::go(move || rx.recv())
    ///     })
    ///     .collect();
    /// assert!(tx.close());
    /// assert!(workers.into_iter().all(|w| w.join().unwrap().is_err()));
    /// assert_eq!(tx.send(5).unwrap_err().into_inner(), 5);
    /// ```
    pub fn close(&self) -> bool {
        self.handle.channel().close()
    }

    /// Returns whether a send can no longer succeed: the channel was closed, or every receiver is gone.
    pub fn is_closed(&self) -> bool {
        self.handle.channel().is_closed()
    }

    /// Returns whether the two send into the same channel.
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        self.handle.is_same(&other.handle)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender {
            handle: self.handle.acquire(Side::Sender),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // SAFETY: this is a sender's handle, and its end.
        unsafe { self.handle.release(Side::Sender) };
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

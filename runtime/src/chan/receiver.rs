//! The receiving side.

use std::{
    fmt,
    mem::MaybeUninit,
    panic::{RefUnwindSafe, UnwindSafe},
    time::{Duration, Instant},
};

use goroutines_sched::give_way;

use super::{
    core::{counter::Handle, side::Side, timeout::Timeout, waiter::End},
    error::{RecvError, RecvTimeoutError, TryRecvError},
};

/// The receiving side of a channel. Clones share the messages: each message goes to one of them. When
/// the last one is dropped the channel is disconnected: senders get an error, and what is buffered is
/// dropped.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// let (tx, rx) = goroutines::chan::bounded(8);
/// let workers: Vec<_> = (0..3)
///     .map(|_| {
///         let rx = rx.clone();
///         goroutines::go(move || rx.iter().sum::<u64>())
///     })
///     .collect();
/// (1..=100).for_each(|n| tx.send(n).unwrap());
/// drop(tx);
/// assert_eq!(workers.into_iter().map(|w| w.join().unwrap()).sum::<u64>(), 5050);
/// ```
pub struct Receiver<T> {
    pub(super) handle: Handle<T>,
}

// SAFETY: a receiver gets messages from other threads, so T is Send; all it shares is the channel,
// which is Sync then.
unsafe impl<T: Send> Send for Receiver<T> {}
// SAFETY: a shared receiver gets messages from other threads, so T is Send; all it shares is the channel,
// which is Sync then.
unsafe impl<T: Send> Sync for Receiver<T> {}

impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

impl<T> Receiver<T> {
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
    /// use goroutines::chan::{RecvError, bounded};
    ///
    /// let (tx, rx) = bounded(0);
    /// goroutines::go(move || tx.send(5).unwrap());
    /// assert_eq!(rx.recv(), Ok(5));
    /// assert_eq!(rx.recv(), Err(RecvError));
    /// ```
    #[inline]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.recv_with(Timeout::Never).map_err(|_| RecvError)
    }

    /// The next message, if there is one without waiting: buffered, or from a waiting sender.
    ///
    /// # Parks
    ///
    /// Only if the sender is a waiting `select!`: while that one evaluates its message, for a millisecond at most.
    /// A message that takes longer can be received later.
    ///
    /// # Errors
    ///
    /// When there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::chan::{TryRecvError, unbounded};
    ///
    /// let (tx, rx) = unbounded();
    /// assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    /// tx.send(5).unwrap();
    /// drop(tx);
    /// assert_eq!(rx.try_recv(), Ok(5));
    /// assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.recv_with(Timeout::Now).map_err(|end| match end {
            End::Disconnected => TryRecvError::Disconnected,
            _ => TryRecvError::Empty,
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
    /// use goroutines::chan::{RecvTimeoutError, bounded};
    /// use std::time::Duration;
    ///
    /// let (tx, rx) = bounded::<u8>(1);
    /// assert_eq!(rx.recv_timeout(Duration::from_millis(2)), Err(RecvTimeoutError::Timeout));
    /// drop(tx);
    /// assert_eq!(rx.recv_timeout(Duration::MAX), Err(RecvTimeoutError::Disconnected));
    /// ```
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.recv_deadline(deadline),
            None => self.recv().map_err(RecvTimeoutError::from),
        }
    }

    /// As [`recv`](Receiver::recv), but waits at most until `deadline`. A message that is there is
    /// received even when the deadline has passed.
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When the time is up, and when the channel is empty and every sender is gone.
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_with(Timeout::Until(deadline))
            .map_err(|end| match end {
                End::Disconnected => RecvTimeoutError::Disconnected,
                _ => RecvTimeoutError::Timeout,
            })
    }

    #[inline(always)]
    fn recv_with(&self, timeout: Timeout) -> Result<T, End> {
        let mut msg = MaybeUninit::uninit();
        // SAFETY: `msg` can be written.
        match unsafe { self.handle.channel().recv(msg.as_mut_ptr(), timeout) } {
            End::Served => {
                if !matches!(timeout, Timeout::Now) {
                    give_way();
                }
                // SAFETY: it was.
                Ok(unsafe { msg.assume_init() })
            }
            End::UnderContext => self.recv_under_context(timeout),
            end => Err(end),
        }
    }

    /// Returns whether no message is buffered. True for a channel without a buffer, unless a message is there whose
    /// receiver has left (see [`recv_async`](Receiver::recv_async) and [the module](crate::chan)).
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
    pub fn capacity(&self) -> Option<usize> {
        self.handle.channel().capacity()
    }

    /// Returns whether the two receive from the same channel. All of [`never`](super::never)'s do.
    pub fn same_channel(&self, other: &Receiver<T>) -> bool {
        let never = |receiver: &Receiver<T>| receiver.handle.channel().is_never();
        self.handle.is_same(&other.handle) || (never(self) && never(other))
    }

    /// Closes the channel for both sides: a send from now on returns an error, what is buffered can still be
    /// received, and all waiters are woken. Receivers of [`tick`](super::tick)'s kind get only what is due
    /// already.
    ///
    /// Returns whether it was open: not closed before, and with handles on both sides.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = goroutines::chan::unbounded();
    /// tx.send(1).unwrap();
    /// assert!(rx.close());
    /// assert!(!rx.close());
    /// assert!(tx.send(2).is_err());
    /// assert_eq!(rx.iter().collect::<Vec<_>>(), [1]);
    /// ```
    pub fn close(&self) -> bool {
        self.handle.channel().close()
    }

    /// Returns whether nothing more will be sent: the channel was closed, or every sender is gone. There
    /// may still be messages.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = goroutines::chan::unbounded();
    /// tx.send(1).unwrap();
    /// assert!(!rx.is_closed());
    /// drop(tx);
    /// assert!(rx.is_closed());
    /// assert_eq!(rx.recv(), Ok(1));
    /// ```
    pub fn is_closed(&self) -> bool {
        self.handle.channel().is_closed()
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        Receiver {
            handle: self.handle.acquire(Side::Receiver),
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // SAFETY: this is a receiver's handle, and its end.
        unsafe { self.handle.release(Side::Receiver) };
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

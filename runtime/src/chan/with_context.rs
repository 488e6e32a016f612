//! Channel operations that end with a context.

use std::{convert::Infallible, error::Error, fmt, time::Instant};

use goroutines_sched::WaitReason;

use super::{
    core::{buffer::Buffer, counter, locked::Channel, timeout::Timeout, waiter::End},
    receiver::Receiver,
    select::Select,
    sender::Sender,
};
use crate::context::Context;

/// A receiver that tells that a context is done: disconnected by [`disconnect`], or when `deadline` comes.
pub(crate) fn done(deadline: Option<Instant>) -> Receiver<Infallible> {
    Receiver {
        handle: counter::new_receiver(Channel::new(Buffer::Done(deadline), Some(0))),
    }
}

/// See [`done`].
pub(crate) fn disconnect(done: &Receiver<Infallible>) {
    done.handle.channel().disconnect_senders();
}

/// Waits, for `reason`, until `done` is disconnected, at most until `deadline`. Returns whether it is.
pub(crate) fn wait_done(
    reason: WaitReason,
    done: &Receiver<Infallible>,
    deadline: Option<Instant>,
) -> bool {
    let mut select = Select::new_biased();
    select.recv(done);
    let timeout = deadline.map_or(Timeout::Never, Timeout::Until);
    match select.choose_as(timeout, true, reason) {
        Some(over) => over.recv(done).is_err(),
        None => false,
    }
}

/// Waits, for `reason`, until `done` or `other` is disconnected. Returns whether `done` is.
pub(crate) fn wait_either(
    reason: WaitReason,
    done: &Receiver<Infallible>,
    other: &Receiver<Infallible>,
) -> bool {
    let mut select = Select::new_biased();
    let first = select.recv(done);
    select.recv(other);
    let Some(over) = select.choose_as(Timeout::Never, false, reason) else {
        unreachable!("goroutines: a select without a timeout timed out");
    };
    let was_first = over.index() == first;
    let _ = over.recv(if was_first { done } else { other });
    was_first
}

impl<T> Receiver<T> {
    /// As [`recv`](Receiver::recv), until `ctx` is done at most. A message that is there is received even then.
    ///
    /// Only `ctx` counts, and not the caller's [`Context::current`].
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When `ctx` is done ([`Context::err`] says why), and when the channel is empty and every sender is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{chan::{self, RecvCtxError}, context::Context};
    /// use std::time::Duration;
    ///
    /// let (tx, rx) = chan::bounded::<u32>(1);
    /// let (ctx, _) = Context::background().with_timeout(Duration::from_millis(5));
    /// assert_eq!(rx.recv_ctx(&ctx), Err(RecvCtxError::ContextDone));
    /// tx.send(1).unwrap();
    /// assert_eq!(rx.recv_ctx(&ctx), Ok(1));
    /// ```
    pub fn recv_ctx(&self, ctx: &Context) -> Result<T, RecvCtxError> {
        self.recv_until_done(ctx, Timeout::Never)
            .map_err(|end| match end {
                End::Disconnected => RecvCtxError::Disconnected,
                _ => RecvCtxError::ContextDone,
            })
    }

    fn recv_until_done(&self, ctx: &Context, timeout: Timeout) -> Result<T, End> {
        let done = ctx.done();
        let mut select = Select::new_biased();
        let mine = select.recv(self);
        select.recv(&done);
        let Some(operation) = select.choose_as(timeout, true, WaitReason::ChanReceive) else {
            return Err(End::TimedOut);
        };
        if operation.index() == mine {
            return operation.recv(self).map_err(|_| End::Disconnected);
        }
        let _ = operation.recv(&done);
        Err(End::UnderContext)
    }

    /// As [`recv`](Receiver::recv) under the caller's context, whose end looks as if the senders were gone.
    #[cold]
    #[inline(never)]
    pub(super) fn recv_under_context(&self, timeout: Timeout) -> Result<T, End> {
        let received = self.recv_until_done(&Context::current(), timeout);
        received.map_err(|end| match end {
            End::UnderContext => End::Disconnected,
            end => end,
        })
    }
}

impl<T> Sender<T> {
    /// As [`send`](Sender::send), until `ctx` is done at most. What can be sent without waiting is sent even then.
    ///
    /// Only `ctx` counts, and not the caller's [`Context::current`].
    ///
    /// # Parks
    ///
    /// While it waits.
    ///
    /// # Errors
    ///
    /// When `ctx` is done ([`Context::err`] says why), and when every receiver is gone. The message is in the error.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{chan, context::Context};
    ///
    /// let (tx, rx) = chan::bounded(1);
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// canceller.cancel();
    /// assert!(tx.send_ctx(1, &ctx).is_ok());
    /// let error = tx.send_ctx(2, &ctx).unwrap_err();
    /// assert!(error.is_context_done());
    /// assert_eq!(error.into_inner(), 2);
    /// # drop(rx);
    /// ```
    pub fn send_ctx(&self, msg: T, ctx: &Context) -> Result<(), SendCtxError<T>> {
        self.send_until_done(msg, ctx, Timeout::Never)
            .map_err(|(end, msg)| match end {
                End::Disconnected => SendCtxError::Disconnected(msg),
                _ => SendCtxError::ContextDone(msg),
            })
    }

    fn send_until_done(&self, msg: T, ctx: &Context, timeout: Timeout) -> Result<(), (End, T)> {
        let done = ctx.done();
        let mut select = Select::new_biased();
        let mine = select.send(self);
        select.recv(&done);
        let Some(operation) = select.choose_as(timeout, true, WaitReason::ChanSend) else {
            return Err((End::TimedOut, msg));
        };
        if operation.index() == mine {
            let sent = operation.send(self, msg);
            return sent.map_err(|error| (End::Disconnected, error.into_inner()));
        }
        let _ = operation.recv(&done);
        Err((End::UnderContext, msg))
    }

    /// As [`send`](Sender::send) under the caller's context, whose end looks as if the receivers were gone.
    #[cold]
    #[inline(never)]
    pub(super) fn send_under_context(&self, msg: T, timeout: Timeout) -> Result<(), (End, T)> {
        let sent = self.send_until_done(msg, &Context::current(), timeout);
        sent.map_err(|(end, msg)| match end {
            End::UnderContext => (End::Disconnected, msg),
            end => (end, msg),
        })
    }
}

/// Why [`Receiver::recv_ctx`] has no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecvCtxError {
    /// The context was cancelled, or its deadline has passed.
    ContextDone,
    /// The channel is empty and every sender is gone.
    Disconnected,
}

impl fmt::Display for RecvCtxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecvCtxError::ContextDone => "the context was done while waiting on receive",
            RecvCtxError::Disconnected => "channel is empty and disconnected",
        })
    }
}

impl Error for RecvCtxError {}

/// Why [`Sender::send_ctx`] has not sent, and the message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendCtxError<T> {
    /// The context was cancelled, or its deadline has passed.
    ContextDone(T),
    /// Every receiver is gone.
    Disconnected(T),
}

impl<T> SendCtxError<T> {
    /// The message.
    pub fn into_inner(self) -> T {
        match self {
            SendCtxError::ContextDone(msg) | SendCtxError::Disconnected(msg) => msg,
        }
    }

    /// Returns whether the context was done.
    pub fn is_context_done(&self) -> bool {
        matches!(self, SendCtxError::ContextDone(_))
    }
}

impl<T> fmt::Debug for SendCtxError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendCtxError::ContextDone(_) => "ContextDone(..)",
            SendCtxError::Disconnected(_) => "Disconnected(..)",
        })
    }
}

impl<T> fmt::Display for SendCtxError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendCtxError::ContextDone(_) => "the context was done while waiting on send",
            SendCtxError::Disconnected(_) => "sending on a disconnected channel",
        })
    }
}

impl<T> Error for SendCtxError<T> {}

//! Contexts: work that is to stop when it is cancelled, or when its time is up.
//!
//! A [`Context`] is *done* once it was cancelled, or its deadline has passed, or its parent is done. Nothing is
//! stopped by force: a goroutine looks at the context, waits with it, or runs under it.
//!
//! - Calls that take one: [`Receiver::recv_ctx`], [`Sender::send_ctx`](crate::chan::Sender::send_ctx),
//!   [`Context::sleep`], [`Context::block_on`], [`JoinHandle::join_ctx`](crate::JoinHandle::join_ctx),
//!   [`JoinSet::join_next_ctx`](crate::JoinSet::join_next_ctx); of the [locks](crate::sync)
//!   [`Mutex::lock_ctx`](crate::sync::Mutex::lock_ctx), [`Condvar::wait_ctx`](crate::sync::Condvar::wait_ctx),
//!   [`Semaphore::acquire_ctx`](crate::sync::Semaphore::acquire_ctx) and their kin. In a `select!` there is
//!   [`Context::done`]. What need not wait is done even when the context is done.
//! - Calls of a goroutine that runs under one ([`Context::run`]; goroutines inherit it from their spawner): a send or a
//!   receive that would have to wait ends, once the context is done, as if the other side were gone: the message is
//!   returned. [`sleep`](crate::sleep()) and [`sleep_until`](crate::thread::sleep_until) return early, and the wait for
//!   a [name](crate::net::ToSocketAddrs) ends. A goroutine that only computes checks `Context::current().err()` now and
//!   then.
//! - Everything else waits on: `lock`, `join`, `park`, `block_on`, `select!`. They have no value to return early.
//!
//! [`Context::with_value`] gives a context a value that goroutines under it inherit, such as the number of a trace.
//!
//! No message is lost by it: what was sent was received, and what was not sent is returned. A program without contexts
//! pays one look at a null pointer where a channel operation is about to wait.
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! use goroutines::{chan, context::Context, go};
//!
//! let (ctx, canceller) = Context::background().with_cancel();
//! let (tx, rx) = chan::bounded::<u32>(0);
//! let worker = ctx.run(|| go(move || rx.iter().sum::<u32>())); // its loop ends with the context
//! tx.send(1).unwrap();
//! tx.send(2).unwrap();
//! canceller.cancel();
//! assert_eq!(worker.join().unwrap(), 3);
//! ```

mod family;
#[cfg(feature = "insight")]
pub(crate) mod report;
mod values;

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use goroutines_sched::{self as sched, Inherited, WaitReason};

use crate::{
    chan::{self, Receiver},
    drive::drive,
    sync::raw::limit::Limit,
};
use family::Inner;

/// When to stop: see [the module](self). Clones are the same context.
#[doc(alias = "CancellationToken")]
#[derive(Clone)]
pub struct Context(Option<Arc<Inner>>);

/// Why a [`Context`] is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContextError {
    /// It was cancelled, or one that it descends from was.
    Cancelled,
    /// Its deadline has passed, or that of one that it descends from.
    DeadlineExceeded,
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ContextError::Cancelled => "context cancelled",
            ContextError::DeadlineExceeded => "context deadline exceeded",
        })
    }
}

impl Error for ContextError {}

impl Context {
    /// The one that is never done: where others begin.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::context::Context;
    /// assert!(!Context::background().is_cancelled());
    /// ```
    pub fn background() -> Context {
        Context(None)
    }

    /// The one that the caller runs under: see [`run`](Context::run).
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{context::{Context, ContextError}, go};
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let digger = ctx.run(|| {
    ///     go(|| {
    ///         while Context::current().err().is_none() {
    ///             goroutines::yield_now();
    ///         }
    ///         Context::current().err()
    ///     })
    /// });
    /// canceller.cancel();
    /// assert_eq!(digger.join().unwrap(), Some(ContextError::Cancelled));
    /// ```
    pub fn current() -> Context {
        Context(sched::inherited().and_then(|inherited| inherited.downcast::<Inner>().ok()))
    }

    fn child(&self, deadline: Option<Instant>) -> (Context, Canceller) {
        let deadline = match (self.deadline(), deadline) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let inner = Inner::new(self.0.as_ref(), deadline);
        let canceller = Canceller(Arc::clone(&inner));
        (Context(Some(inner)), canceller)
    }

    /// A context that is done when its canceller says so, or this one is done.
    ///
    /// Dropping the canceller cancels nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::context::{Context, ContextError};
    ///
    /// let (parent, canceller) = Context::background().with_cancel();
    /// let (child, _) = parent.with_cancel();
    /// canceller.cancel();
    /// assert_eq!(child.err(), Some(ContextError::Cancelled));
    /// ```
    #[doc(alias = "WithCancel")]
    pub fn with_cancel(&self) -> (Context, Canceller) {
        self.child(None)
    }

    /// As [`with_cancel`](Context::with_cancel), and done when `deadline` comes. A later deadline than its parent's
    /// has no effect. Nothing runs for it: a goroutine that waits has the deadline.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::context::{Context, ContextError};
    /// use std::time::Instant;
    ///
    /// let (ctx, _) = Context::background().with_deadline(Instant::now());
    /// assert_eq!(ctx.err(), Some(ContextError::DeadlineExceeded));
    /// ```
    #[doc(alias = "WithDeadline")]
    pub fn with_deadline(&self, deadline: Instant) -> (Context, Canceller) {
        self.child(Some(deadline))
    }

    /// As [`with_deadline`](Context::with_deadline), in `timeout` from now. A timeout that no clock can hold is none.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::context::{Context, ContextError};
    /// use std::time::Duration;
    ///
    /// let (ctx, _) = Context::background().with_timeout(Duration::from_millis(5));
    /// assert_eq!(ctx.sleep(Duration::from_secs(60)), Err(ContextError::DeadlineExceeded));
    /// ```
    #[doc(alias = "WithTimeout")]
    pub fn with_timeout(&self, timeout: Duration) -> (Context, Canceller) {
        self.child(Instant::now().checked_add(timeout))
    }

    /// Returns whether it is done, which it also is when its deadline has passed.
    pub fn is_cancelled(&self) -> bool {
        self.err().is_some()
    }

    /// Why it is done, if it is.
    pub fn err(&self) -> Option<ContextError> {
        self.0.as_ref().and_then(|inner| inner.err())
    }

    /// When it will be done at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.as_ref().and_then(|inner| inner.deadline)
    }

    /// A receiver that gets no message and is disconnected once the context is done: for `select!`.
    ///
    /// Its [`close`](Receiver::close) does nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{chan, context::Context, go};
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// let (_tx, rx) = chan::unbounded::<u32>();
    /// go(move || canceller.cancel());
    /// chan::select! {
    ///     recv(rx) -> _ => unreachable!("no message was sent"),
    ///     recv(ctx.done()) -> _ => assert!(ctx.is_cancelled()),
    /// }
    /// ```
    #[doc(alias = "Done")]
    #[doc(alias = "cancelled")]
    pub fn done(&self) -> Receiver<Infallible> {
        match &self.0 {
            Some(inner) => inner.done.clone(),
            None => chan::never(),
        }
    }

    /// Waits for `duration`, unless the context is done before.
    ///
    /// # Parks
    ///
    /// While it waits: only the goroutine. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// When the context is done, at once or while waiting.
    pub fn sleep(&self, duration: Duration) -> Result<(), ContextError> {
        self.sleep_until(Instant::now().checked_add(duration))
    }

    pub(crate) fn sleep_until(&self, deadline: Option<Instant>) -> Result<(), ContextError> {
        match self.err() {
            Some(error) => Err(error),
            None if chan::wait_done(WaitReason::Sleep, &self.done(), deadline) => {
                Err(self.must_err())
            }
            None => Ok(()),
        }
    }

    /// Why it is done. The caller knows that it is.
    pub(crate) fn must_err(&self) -> ContextError {
        // Who is woken by a canceller sees that it is cancelled. So only the deadline is left, which a timer may see a
        // moment before this thread's clock.
        self.err().unwrap_or(ContextError::DeadlineExceeded)
    }

    /// The answer of a wait for a lock under this context, which came to its end in time, or else at the context's.
    pub(crate) fn answer(&self, in_time: bool) -> Result<(), ContextError> {
        match in_time {
            true => Ok(()),
            false => Err(self.must_err()),
        }
    }

    /// The limit of a wait for a lock.
    pub(crate) fn limit(&self) -> Option<Limit<'_>> {
        let inner = self.0.as_ref()?;
        Some(Limit::under(&inner.waits, inner.deadline))
    }

    /// Calls `f` under this context: it is the [`current`](Context::current) one there, and for goroutines that are
    /// started there, for as long as they run. What that means stands in [the module](self).
    ///
    /// Under the [`background`](Context::background) context everything waits as long as it takes: so a part of `f`
    /// can be protected.
    ///
    /// # Panics
    ///
    /// With what `f` panics.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{chan, context::Context};
    /// use std::time::Duration;
    ///
    /// let (tx, rx) = chan::bounded(0);
    /// let (ctx, _) = Context::background().with_timeout(Duration::from_millis(5));
    /// let sent = ctx.run(|| tx.send("not received"));
    /// assert_eq!(sent.unwrap_err().into_inner(), "not received");
    /// # drop(rx);
    /// ```
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Restore(Option<Inherited>);
        impl Drop for Restore {
            fn drop(&mut self) {
                drop(sched::replace_inherited(self.0.take()));
            }
        }
        let mine = self.0.clone().map(|inner| -> Inherited { inner });
        let _restore = Restore(sched::replace_inherited(mine));
        f()
    }

    /// As [`block_on`](crate::block_on), unless the context is done before: then the future is dropped.
    ///
    /// A future that is ready at once gives its output even if the context is done.
    ///
    /// # Parks
    ///
    /// While the future is pending.
    ///
    /// # Errors
    ///
    /// When the context is done.
    ///
    /// # Panics
    ///
    /// With what the future panics.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::context::{Context, ContextError};
    /// use std::{future::pending, time::Duration};
    ///
    /// let (ctx, _) = Context::background().with_timeout(Duration::from_millis(5));
    /// assert_eq!(ctx.block_on(async { 1 }), Ok(1));
    /// assert_eq!(ctx.block_on(pending::<i32>()), Err(ContextError::DeadlineExceeded));
    /// ```
    pub fn block_on<F: IntoFuture>(&self, future: F) -> Result<F::Output, ContextError> {
        let done = self.done();
        let mut ended = done.recv_async().without_alarms();
        let interrupt = |cx: &mut std::task::Context<'_>| Pin::new(&mut ended).poll(cx).map(|_| ());
        drive(future.into_future(), self.deadline(), interrupt).map_err(|_| self.must_err())
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("deadline", &self.deadline())
            .field("err", &self.err())
            .finish_non_exhaustive()
    }
}

/// The right to cancel a [`Context`] and all that descend from it.
pub struct Canceller(Arc<Inner>);

impl Clone for Canceller {
    fn clone(&self) -> Canceller {
        self.0.one_more_canceller();
        Canceller(Arc::clone(&self.0))
    }
}

impl Drop for Canceller {
    fn drop(&mut self) {
        self.0.one_canceller_less();
    }
}

impl Canceller {
    /// The context is done now, unless it was before. All goroutines that wait for that are woken.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// A guard that cancels when it is dropped: at the end of its block, also when that is left early or by a panic.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines::context::Context;
    ///
    /// let (context, canceller) = Context::background().with_cancel();
    /// {
    ///     let _cancel = canceller.cancel_on_drop();
    ///     assert!(!context.is_cancelled());
    /// }
    /// assert!(context.is_cancelled());
    /// ```
    #[doc(alias = "defer")]
    #[doc(alias = "drop_guard")]
    #[must_use = "it cancels when it is dropped"]
    pub fn cancel_on_drop(self) -> CancelOnDrop {
        CancelOnDrop(Some(self))
    }
}

/// Cancels a context when it is dropped: see [`Canceller::cancel_on_drop`].
#[derive(Debug)]
pub struct CancelOnDrop(Option<Canceller>);

impl CancelOnDrop {
    /// The canceller again; nothing is cancelled.
    pub fn disarm(mut self) -> Canceller {
        match self.0.take() {
            Some(canceller) => canceller,
            None => unreachable!("goroutines: a guard that was disarmed twice"),
        }
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(canceller) = &self.0 {
            canceller.cancel();
        }
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canceller").finish_non_exhaustive()
    }
}

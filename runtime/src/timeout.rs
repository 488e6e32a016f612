//! Work that has a time.

use std::{error::Error, fmt, time::Duration};

use crate::context::{Context, ContextError};

/// Calls `f` under a context that is done in `duration`, and returns what it returned, if it did so in time.
///
/// It reaches what takes a context, and nothing else: the calls that are given the one that `f` gets
/// ([`lock_ctx`](crate::sync::Mutex::lock_ctx), [`recv_ctx`](crate::chan::Receiver::recv_ctx),
/// [`join_ctx`](crate::JoinHandle::join_ctx), [`Context::block_on`], a `select!` with [`Context::done`]), and those that end
/// with the current one ([`Context::run`]): sends, receives and sleeps, also of goroutines that `f` starts. A computation, a
/// call of the system and a plain `lock` go on until they are done; `f` is not stopped by force, and `timeout` returns
/// when it has returned.
///
/// The context descends from the caller's, so a nearer end of that one ends the calls of `f` earlier.
///
/// # Parks
///
/// Where `f` does.
///
/// # Errors
///
/// [`Elapsed`] when the time was up, or an earlier deadline of the caller's context, before `f` had returned. What `f`
/// returned is in it, so that nothing is lost that came at the last moment. When the caller's context was cancelled the
/// result is what `f` made of that.
///
/// # Panics
///
/// With what `f` panics.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::{chan, sync::Mutex, timeout};
/// use std::time::Duration;
///
/// let (tx, rx) = chan::bounded(1);
/// tx.send(7).unwrap();
/// assert_eq!(timeout(Duration::from_secs(60), |_| rx.recv()).unwrap(), Ok(7));
/// assert!(timeout(Duration::from_millis(5), |_| rx.recv()).is_err());
///
/// let count = Mutex::new(0);
/// let busy = count.lock().unwrap();
/// let added = timeout(Duration::from_millis(5), |ctx| {
///     *count.lock_ctx(ctx)?.unwrap() += 1;
///     Ok::<(), goroutines::context::ContextError>(())
/// });
/// assert_eq!(added.unwrap_err().to_string(), "deadline has elapsed");
/// # drop((tx, busy));
/// ```
#[doc(alias = "WithTimeout")]
#[doc(alias = "deadline")]
pub fn timeout<T, F>(duration: Duration, f: F) -> Result<T, Elapsed<T>>
where
    F: FnOnce(&Context) -> T,
{
    let (ctx, _) = Context::current().with_timeout(duration);
    let value = ctx.run(|| f(&ctx));
    match ctx.err() {
        Some(ContextError::DeadlineExceeded) => Err(Elapsed(value)),
        Some(ContextError::Cancelled) | None => Ok(value),
    }
}

/// The time of a [`timeout`] was up before its function had returned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Elapsed<T>(T);

impl<T> Elapsed<T> {
    /// What the function returned, too late.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use std::time::Duration;
    ///
    /// let late = goroutines::timeout(Duration::ZERO, |_| 5).unwrap_err();
    /// assert_eq!(late.into_inner(), 5);
    /// ```
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Elapsed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Elapsed(..)")
    }
}

impl<T> fmt::Display for Elapsed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline has elapsed")
    }
}

impl<T> Error for Elapsed<T> {}

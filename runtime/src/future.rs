//! Futures: how goroutines wait for them, and how they wait for goroutines.

use std::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
    pin::Pin,
    task::{Context, Poll},
    thread,
};

use goroutines_sched::JoinFuture;

use crate::{
    context,
    drive::{Interrupted, drive},
    go::JoinHandle,
};

/// Runs `future` to its end on the caller, and returns its output.
///
/// Its waker may be kept, cloned and called from anywhere, at any time and often, also after `block_on` has returned.
/// Calling it costs making a goroutine ready. One allocation for each call of `block_on`, none for each poll.
///
/// May be nested: a future may itself call `block_on`, and waits there.
///
/// A future that wakes itself lets the goroutines that are runnable go before it is polled again, as
/// [`yield_now`](crate::yield_now) does.
///
/// This is no executor: futures that need one, for their timers and sockets, run there. Hand the future to it and wait
/// for what it returns, as in `block_on(handle.spawn(future))` with tokio, which works on goroutines and on threads.
/// Do not keep an executor *entered* on a goroutine (tokio's `Handle::enter`): the guard belongs to the thread. While
/// this goroutine waits, others run there under the guard, and this one may resume on another thread without it. That
/// breaks the promise of [`start`](crate::start).
///
/// A `select!` takes channels and no futures. To wait for either, run the future on a goroutine of its own that sends
/// the output:
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::{block_on, chan, go};
/// use std::time::Duration;
///
/// let (tx, output) = chan::bounded(1);
/// go(move || tx.send(block_on(async { 6 * 7 })));
/// chan::select! {
///     recv(output) -> n => assert_eq!(n, Ok(42)),
///     recv(chan::after(Duration::from_secs(60))) -> _ => panic!("too late"),
/// }
/// ```
///
/// A goroutine whose stack is copied ([`Builder::copy_stack`](crate::Builder::copy_stack)) keeps its run window
/// during the call, because other threads may reach what the future has pinned through its wakers. The goroutines that
/// share the window cannot run until the call returns, so the future must not wait for one of them.
///
/// # Parks
///
/// While the future is pending: only the goroutine. A plain OS thread sleeps.
///
/// # Panics
///
/// With what the future panics.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::{block_on, go};
///
/// let sum = go(|| {
///     let parts = [go(|| 1), go(|| 2), go(|| 3)];
///     block_on(async {
///         let mut sum = 0;
///         for part in parts {
///             sum += part.await.unwrap();
///         }
///         sum
///     })
/// });
/// assert_eq!(sum.join().unwrap(), 6);
/// ```
pub fn block_on<F: IntoFuture>(future: F) -> F::Output {
    match drive(future.into_future(), None, |_| Poll::Pending) {
        Ok(output) => output,
        Err(Interrupted) => unreachable!("goroutines: block_on was interrupted"),
    }
}

/// A goroutine's result, as a future: what `.await` makes of a [`JoinHandle`].
///
/// Its output is what [`JoinHandle::join`] returns. It can be awaited by any executor, in [`block_on`], and in
/// macros that take futures by reference: it is [`Unpin`] and loses nothing if it is not polled again. Dropping it
/// detaches the goroutine, as dropping the handle does; [`into_handle`](Join::into_handle) gives the handle back.
///
/// # Panics
///
/// When it is polled after it was ready.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// let answer = goroutines::go(|| 42);
/// assert_eq!(goroutines::block_on(async { answer.await.unwrap() }), 42);
/// ```
#[must_use = "futures do nothing unless they are polled; dropping this one detaches the goroutine"]
pub struct Join<T>(JoinFuture<T>);

// As the handle.
impl<T> UnwindSafe for Join<T> {}
impl<T> RefUnwindSafe for Join<T> {}

impl<T> Join<T> {
    /// The handle again, if the goroutine still runs.
    ///
    /// # Errors
    ///
    /// The future, when the goroutine has ended or is about to: the future will give the result, or has given it.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// let (tx, rx) = goroutines::chan::bounded::<u32>(0);
    /// let future = goroutines::go(move || rx.recv().unwrap()).into_future();
    /// let handle = future.into_handle().unwrap();
    /// tx.send(5).unwrap();
    /// assert_eq!(handle.join().unwrap(), 5);
    /// ```
    pub fn into_handle(mut self) -> Result<JoinHandle<T>, Join<T>> {
        match self.0.into_task() {
            Some(task) => Ok(JoinHandle::of(task)),
            None => Err(self),
        }
    }
}

impl<T> Future for Join<T> {
    type Output = thread::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<thread::Result<T>> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> fmt::Debug for Join<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").finish_non_exhaustive()
    }
}

impl<T> JoinHandle<T> {
    /// As [`join`](JoinHandle::join), until `ctx` is done at most: then the handle is returned.
    ///
    /// # Parks
    ///
    /// Until the goroutine has ended, or `ctx` is done.
    ///
    /// # Errors
    ///
    /// The handle, when `ctx` is done and the goroutine has not ended.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{chan, context::Context, go};
    /// use std::time::Duration;
    ///
    /// let (tx, rx) = chan::bounded::<u32>(0);
    /// let worker = go(move || rx.recv());
    /// let (ctx, _) = Context::background().with_timeout(Duration::from_millis(5));
    /// let worker = worker.join_ctx(&ctx).unwrap_err();
    /// tx.send(7).unwrap();
    /// assert_eq!(worker.join().unwrap(), Ok(7));
    /// ```
    pub fn join_ctx(self, ctx: &context::Context) -> Result<thread::Result<T>, JoinHandle<T>> {
        let mut join = self.into_future();
        match ctx.block_on(&mut join) {
            Ok(result) => Ok(result),
            Err(_) => match join.into_handle() {
                Ok(handle) => Err(handle),
                Err(join) => Ok(block_on(join)), // it is about to end
            },
        }
    }
}

impl<T> IntoFuture for JoinHandle<T> {
    type Output = thread::Result<T>;
    type IntoFuture = Join<T>;

    fn into_future(self) -> Join<T> {
        Join(JoinFuture::new(self.into_task()))
    }
}

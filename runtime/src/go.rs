//! Starting goroutines, and waiting for them.

use std::{fmt, io, thread, time::Duration, time::Instant};

use goroutines_sched::{self as sched, Options, Task};

use crate::{context::Context, thread::current::Thread};

/// Starts the runtime with the default [`Config`](crate::Config). Once per process, before the first
/// [`go`]. After it a child of a `fork` may only `exec`: see [the crate](crate#signals-and-forks).
///
/// # Errors
///
/// See [`StartError`](crate::StartError). Nothing has been started then.
///
/// # Safety
///
#[doc = include_str!("safety.md")]
///
/// # Examples
///
/// ```
/// fn main() -> Result<(), goroutines::StartError> {
///     // SAFETY: no code of this program keeps thread-local storage over a call that can park.
///     unsafe { goroutines::start()? };
///     assert_eq!(goroutines::go(|| 6 * 7).join().unwrap(), 42);
///     Ok(())
/// }
/// ```
pub unsafe fn start() -> Result<(), crate::StartError> {
    // SAFETY: the caller promises what `Config::start` asks for.
    unsafe { crate::Config::new().start() }
}

/// Starts a goroutine that runs `f`. Dropping the handle detaches it.
///
/// # Panics
///
/// When the runtime has not been started, and when there is no memory or address space for one more
/// goroutine; [`Builder::spawn`](crate::Builder::spawn) returns that as an error.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// let (tx, rx) = goroutines::chan::unbounded();
/// for i in 0..3 {
///     let tx = tx.clone();
///     goroutines::go(move || tx.send(i).unwrap());
/// }
/// drop(tx);
/// assert_eq!(rx.iter().sum::<i32>(), 3);
/// ```
#[doc(alias = "coroutine")]
#[doc(alias = "fiber")]
#[inline]
#[track_caller]
pub fn go<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    match sched::spawn(Options::default(), f) {
        Ok(task) => JoinHandle(task),
        Err(error) => no_goroutine("goroutines::go", "Builder::spawn", &error),
    }
}

#[cold]
#[track_caller]
pub(crate) fn no_goroutine(function: &str, fallible: &str, error: &io::Error) -> ! {
    panic!(
        "{function}: cannot make a goroutine: {error}; use {fallible} to handle this as an error"
    );
}

/// The right to a goroutine's result: shaped as [`std::thread::JoinHandle`].
///
/// Dropping it detaches the goroutine, which runs on.
pub struct JoinHandle<T>(Task<T>);

impl<T> JoinHandle<T> {
    pub(crate) fn of(task: Task<T>) -> JoinHandle<T> {
        JoinHandle(task)
    }

    pub(crate) fn into_task(self) -> Task<T> {
        self.0
    }

    /// Waits for the end of the goroutine and returns what it returned, or the payload of the panic
    /// that ended it.
    ///
    /// # Parks
    ///
    /// Until the goroutine has ended. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// The payload, when the goroutine panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// let failed = goroutines::go(|| panic!("oh no")).join();
    /// assert_eq!(*failed.unwrap_err().downcast::<&str>().unwrap(), "oh no");
    /// ```
    #[inline]
    pub fn join(self) -> thread::Result<T> {
        self.0.join()
    }

    /// As [`join`](JoinHandle::join), but for `timeout` at most: then the handle is returned. A timeout that no clock
    /// can hold is none.
    ///
    /// # Parks
    ///
    /// Until the goroutine has ended or the time is up. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// The handle, when the goroutine has not ended in time.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{go, thread};
    /// use std::time::Duration;
    ///
    /// let parked = go(thread::park);
    /// let parked = parked.join_timeout(Duration::from_millis(1)).unwrap_err();
    /// parked.thread().unpark();
    /// parked.join_timeout(Duration::MAX).unwrap().unwrap();
    /// ```
    pub fn join_timeout(self, timeout: Duration) -> Result<thread::Result<T>, JoinHandle<T>> {
        let deadline = Instant::now().checked_add(timeout);
        self.0.join_until(deadline).map_err(JoinHandle)
    }

    /// As [`join`](JoinHandle::join), but until `deadline` at most: then the handle is returned.
    ///
    /// # Parks
    ///
    /// Until the goroutine has ended or the deadline has come. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// The handle, when the goroutine has not ended by then.
    pub fn join_deadline(self, deadline: Instant) -> Result<thread::Result<T>, JoinHandle<T>> {
        self.0.join_until(Some(deadline)).map_err(JoinHandle)
    }

    /// A handle on the goroutine, for [`unpark`](Thread::unpark). It can be kept after the goroutine has ended.
    pub fn thread(&self) -> &Thread {
        Thread::of(self.0.identity())
    }

    /// Returns whether the goroutine has ended.
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// The name that [`Builder::name`](crate::Builder::name) gave it.
    pub fn name(&self) -> Option<&str> {
        self.0.name()
    }

    /// Its number, counted from 1, as messages about it say.
    pub fn id(&self) -> u64 {
        self.0.id()
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.id())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// Lets the other runnable goroutines go first. On a plain OS thread as [`std::thread::yield_now`].
///
/// # Parks
///
/// The goroutine goes to the tail of the run queue.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// let done = goroutines::go(|| ());
/// while !done.is_finished() {
///     goroutines::yield_now();
/// }
/// ```
#[doc(alias = "Gosched")]
#[inline]
pub fn yield_now() {
    sched::yield_now();
}

/// Waits for `duration`: only this goroutine, others run meanwhile. A plain OS thread sleeps. As a send or a receive it ends
/// early when the caller's [`Context`] is done, and at once if it is done already; [`Context::sleep`] says whether it did.
///
/// # Parks
///
/// For `duration`, or a little longer; less when the caller's [`Context`] is done before. A duration that no clock
/// can hold never ends.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use std::time::{Duration, Instant};
/// let start = Instant::now();
/// goroutines::go(|| goroutines::sleep(Duration::from_millis(5))).join().unwrap();
/// assert!(start.elapsed() >= Duration::from_millis(5));
/// ```
pub fn sleep(duration: Duration) {
    sleep_at_most(Instant::now().checked_add(duration));
}

/// Sleeps until `deadline`, or the end of the caller's context.
pub(crate) fn sleep_at_most(deadline: Option<Instant>) {
    if sched::inherited().is_some() {
        let _ = Context::current().sleep_until(deadline);
        return;
    }
    match deadline {
        Some(deadline) => sched::sleep_until(deadline),
        None => sched::sleep_forever(),
    }
}

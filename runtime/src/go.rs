//! Starting goroutines, and waiting for them.

use std::{fmt, io, thread, time::Duration, time::Instant};

use goroutines_sched::{self as sched, Class, Options, Step, Task};

use crate::{context::Context, thread::Thread};

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
    sched::start(&sched::Config::new())
}

/// Starts a goroutine that runs `f`. Dropping the handle detaches it.
///
/// # Panics
///
/// When the runtime has not been started, and when there is no memory or address space for one more
/// goroutine; [`Builder::spawn`] returns that as an error.
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
#[inline]
#[track_caller]
pub fn go<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    match sched::spawn(Options::default(), f) {
        Ok(task) => JoinHandle(task),
        Err(error) => no_goroutine(&error),
    }
}

#[cold]
#[track_caller]
fn no_goroutine(error: &io::Error) -> ! {
    panic!(
        "goroutines::go: cannot make a goroutine: {error}; use Builder::spawn to handle this as an \
         error"
    );
}

/// What a goroutine is started with: shaped as [`std::thread::Builder`].
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// let worker = goroutines::Builder::new()
///     .name("worker".to_owned())
///     .stack_size(1 << 20)
///     .spawn(|| 1 + 1)
///     .unwrap();
/// assert_eq!(worker.name(), Some("worker"));
/// assert_eq!(worker.join().unwrap(), 2);
/// ```
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until `spawn`"]
pub struct Builder {
    name: Option<String>,
    stack_size: Option<usize>,
    copied: bool,
    stack_start: Option<usize>,
}

impl Builder {
    /// A goroutine without a name, with the stack size of [`Config`](crate::Config).
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Its name, for messages. Without null bytes, as std asks of it.
    pub fn name(mut self, name: String) -> Builder {
        self.name = Some(name);
        self
    }

    /// How far its stack may grow, in bytes; rounded up to 64 KiB, 256 KiB, 1 MiB, 8 MiB, 64 MiB or
    /// 1 GiB. Memory is used page by page, as the stack needs it.
    pub fn stack_size(mut self, bytes: usize) -> Builder {
        self.stack_size = Some(bytes);
        self
    }

    /// Its stack is copied: the goroutine runs in a window that it shares with others, and while another
    /// one needs the window its live bytes wait in a small image. A parked goroutine then costs what is
    /// alive on its stack, some hundred bytes, instead of a page. The price is paid when goroutines of one
    /// window take turns: the bytes of one are copied out and those of the other in. As long as nobody else
    /// wants the window nothing is copied.
    ///
    /// The window is as large as [`Config::stack_size`](crate::Config::stack_size) says;
    /// [`stack_size`](Builder::stack_size) has no say in it.
    ///
    /// # Safety
    ///
    /// While the goroutine is parked (in any function whose documentation has a section *Parks*), nothing
    /// but the goroutine's own resumption may use a pointer or reference into its stack: no other
    /// goroutine, no thread, no signal handler, and not the kernel (no asynchronous I/O into a buffer
    /// there). In particular, across such a call the goroutine
    ///
    /// - lends no local variable to another goroutine or thread: no [`std::thread::scope`] around it, no
    ///   reference sent through a channel by unsafe code;
    /// - leaves no node of an intrusive list, no pinned future, no completion record on its stack where
    ///   others reach it.
    ///
    /// What this crate itself leaves in its wait queues is not on the stack of such a goroutine.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// let (tx, rx) = goroutines::chan::bounded(0);
    /// // SAFETY: the closure lends nothing of its stack to anybody.
    /// let builder = unsafe { goroutines::Builder::new().copy_stack() };
    /// let double = builder.spawn(move || rx.recv().map(|n: u32| n * 2)).unwrap();
    /// tx.send(21).unwrap();
    /// assert_eq!(double.join().unwrap(), Ok(42));
    /// ```
    pub unsafe fn copy_stack(mut self) -> Builder {
        self.copied = true;
        self
    }

    /// With how much stack it starts, in bytes; rounded up to 2 KiB, 16 KiB, 64 KiB and so on by four.
    ///
    /// It grows by itself whatever it starts with, so this is about accounting and not about need: unless told otherwise
    /// the whole of a stack can be used, and memory appears page by page. With this a guard page stands where the start
    /// ends, and moves down as it is hit: `stack_start(2048)` notices every step from the first 2 KiB on, as tests want it.
    /// Each such goroutine costs some system calls more. On kernels before Linux 6.13 it has no effect.
    pub fn stack_start(mut self, bytes: usize) -> Builder {
        self.stack_start = Some(bytes);
        self
    }

    /// A goroutine that stays on the thread of its spawner, and needs no `Send` for that: see
    /// [`PinnedBuilder`](crate::PinnedBuilder).
    pub fn pinned(self) -> crate::PinnedBuilder {
        crate::PinnedBuilder(self)
    }

    /// What the scheduler is told.
    #[track_caller]
    pub(crate) fn options(self) -> io::Result<Options> {
        if let Some(name) = &self.name
            && name.contains('\0')
        {
            panic!("Builder::name: {name:?} contains a null byte; give a name without one");
        }
        let class = self.stack_size.map(Class::for_size).transpose();
        let class = class.map_err(|error| invalid("stack_size", &error))?;
        let start = self.stack_start.map(Step::for_start).transpose();
        let start = start.map_err(|error| invalid("stack_start", &error))?;
        let name = self.name.map(String::into_boxed_str);
        let copied = self.copied;
        Ok(Options {
            name,
            class,
            start,
            copied,
        })
    }

    /// Starts a goroutine that runs `f`. Dropping the handle detaches it.
    ///
    /// # Errors
    ///
    /// When the stack size is 0 or above the largest window, or the stack's start is 0
    /// ([`io::ErrorKind::InvalidInput`]), or when there is no memory or address space for the goroutine. Then none was made and `f` is
    /// dropped.
    ///
    /// # Panics
    ///
    /// When the runtime has not been started, or the name contains a null byte.
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        sched::spawn(self.options()?, f).map(JoinHandle)
    }

    /// As [`spawn`](Builder::spawn), for a closure and a result that borrow. [`scope`](crate::thread::scope()) does
    /// the same and is safe.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Builder::spawn).
    ///
    /// # Panics
    ///
    /// As [`spawn`](Builder::spawn).
    ///
    /// # Safety
    ///
    /// What `f` borrows stays, unchanged by others, until the goroutine has been joined; what the result borrows
    /// stays until the result is gone, or, if the handle is dropped, until the goroutine has ended and has dropped
    /// it. If it lies on the stack of a goroutine, that one's stack is not copied
    /// ([`copy_stack`](Builder::copy_stack)).
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// let text = String::from("borrowed");
    /// // SAFETY: the handle is joined before `text` goes, and the caller's stack is its own.
    /// let length = unsafe { goroutines::Builder::new().spawn_unchecked(|| text.len()) };
    /// assert_eq!(length.unwrap().join().unwrap(), 8);
    /// ```
    #[track_caller]
    pub unsafe fn spawn_unchecked<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        // SAFETY: passed on: a goroutine that was joined, or has dropped its result, uses neither any more.
        unsafe { sched::spawn_unchecked(self.options()?, f) }.map(JoinHandle)
    }
}

/// What [`Builder::spawn`] answers to a setting that cannot be.
#[cold]
fn invalid(setting: &str, error: &dyn fmt::Display) -> io::Error {
    let text = format!("Builder::{setting}: {error}");
    io::Error::new(io::ErrorKind::InvalidInput, text)
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

    /// As [`join`](JoinHandle::join), but for `timeout` at most: then the handle comes back. A timeout that no clock
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

    /// As [`join`](JoinHandle::join), but until `deadline` at most: then the handle comes back.
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

    /// A handle on the goroutine, for [`unpark`](Thread::unpark), and to keep when it has ended.
    pub fn thread(&self) -> &Thread {
        Thread::of(self.0.identity())
    }

    /// Has the goroutine ended?
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// The name that [`Builder::name`] gave it.
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
#[inline]
pub fn yield_now() {
    sched::yield_now();
}

/// Waits for `duration`: only this goroutine, others run meanwhile. A plain OS thread sleeps.
///
/// # Parks
///
/// For `duration`, or a little longer; less when the caller's [`Context`] is done before. A duration that no clock
/// can hold is for ever.
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

/// Until `deadline`, or the end of the caller's context.
pub(crate) fn sleep_at_most(deadline: Option<Instant>) {
    if sched::heritage().is_some() {
        let _ = Context::current().sleep_until(deadline);
        return;
    }
    match deadline {
        Some(deadline) => sched::sleep_until(deadline),
        None => sched::sleep_forever(),
    }
}

//! The goroutine or thread that calls, as a handle.

use std::{
    fmt, io,
    num::{NonZero, NonZeroUsize},
    panic::RefUnwindSafe,
    panic::UnwindSafe,
};

use goroutines_sched::Identity;

/// A handle on a goroutine or a plain OS thread: shaped as [`std::thread::Thread`].
///
/// From [`current`] and [`JoinHandle::thread`](crate::JoinHandle::thread). It may be kept after what it names has
/// ended. The first handle of a goroutine costs an allocation; a goroutine whose handle is never asked for has none.
#[derive(Clone)]
#[repr(transparent)]
pub struct Thread(Identity);

impl UnwindSafe for Thread {}
impl RefUnwindSafe for Thread {}

impl Thread {
    pub(crate) fn of(identity: &Identity) -> &Thread {
        // SAFETY: a Thread is a transparent Identity.
        unsafe { &*std::ptr::from_ref(identity).cast::<Thread>() }
    }

    /// Wakes it from [`park`](crate::thread::park), or makes its next `park` return at once. Does nothing if it has
    /// ended.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::thread;
    ///
    /// let parked = thread::spawn(thread::park);
    /// parked.thread().unpark();
    /// parked.join().unwrap();
    /// ```
    pub fn unpark(&self) {
        self.0.unpark();
    }

    /// Its number, which no other goroutine or thread of this process has or had.
    pub fn id(&self) -> ThreadId {
        match NonZero::new(self.0.number()) {
            Some(number) => ThreadId(number),
            None => unreachable!("goroutines: an identity with the number 0"),
        }
    }

    /// The name that [`Builder::name`](crate::Builder::name) gave it, or for an OS thread std's.
    pub fn name(&self) -> Option<&str> {
        self.0.name()
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread")
            .field("id", &self.id())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// Tells goroutines and OS threads of a process apart: shaped as [`std::thread::ThreadId`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ThreadId(NonZero<u64>);

impl fmt::Debug for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Identity::split(self.0.get()) {
            (true, number) => write!(f, "ThreadId({number})"),
            (false, number) => write!(f, "ThreadId(os {number})"),
        }
    }
}

/// A handle on the goroutine that calls this, or on the plain OS thread.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::{Builder, thread};
///
/// let worker = Builder::new().name("worker".to_owned());
/// let handle = worker.spawn(thread::current).unwrap().join().unwrap();
/// assert_eq!(handle.name(), Some("worker"));
/// assert_ne!(handle.id(), thread::current().id());
/// ```
pub fn current() -> Thread {
    Thread(Identity::current())
}

/// How many goroutines run at the same time: [`gomaxprocs`](crate::gomaxprocs), or what
/// [`std::thread::available_parallelism`] says before the runtime was started.
///
/// # Errors
///
/// As std's, and only before the start.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// let workers = goroutines::thread::available_parallelism().unwrap().get();
/// assert_eq!(workers, goroutines::gomaxprocs());
/// ```
pub fn available_parallelism() -> io::Result<NonZeroUsize> {
    match NonZeroUsize::new(crate::gomaxprocs()) {
        Some(procs) => Ok(procs),
        None => std::thread::available_parallelism(),
    }
}

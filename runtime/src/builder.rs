//! What a goroutine is started with.

use std::{fmt, io};

use goroutines_sched::{self as sched, Class, Options, Step};

use crate::go::JoinHandle;

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
    copied: Option<bool>,
    stack_start: Option<usize>,
}

impl Builder {
    /// A goroutine without a name, with the stack size of [`Config`](crate::Config).
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Its name, for messages. It must not contain null bytes, as with std.
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
    /// window take turns: the bytes of one are copied out and those of the other in. As long as no other
    /// goroutine needs the window, nothing is copied.
    ///
    /// The window is as large as [`Config::stack_size`](crate::Config::stack_size) says;
    /// [`stack_size`](Builder::stack_size) has no effect on it.
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
    /// A guard page stands in the window as in a stack with [`stack_start(2048)`](Builder::stack_start), whose
    /// documentation names three cases in which it cannot be handled; they hold here as well.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// let (tx, rx) = goroutines::chan::bounded(0);
    /// // SAFETY: the closure lends nothing of its stack to another goroutine or thread.
    /// let builder = unsafe { goroutines::Builder::new().copy_stack() };
    /// let double = builder.spawn(move || rx.recv().map(|n: u32| n * 2)).unwrap();
    /// tx.send(21).unwrap();
    /// assert_eq!(double.join().unwrap(), Ok(42));
    /// ```
    pub unsafe fn copy_stack(mut self) -> Builder {
        self.copied = Some(true);
        self
    }

    /// Its stack is its own, also where [`Config::copy_stacks`](crate::Config::copy_stacks) says that stacks are copied:
    /// for a goroutine that lends what lies on its stack to others while it is parked. A builder that asks for a
    /// [`stack_size`](Builder::stack_size) or a [`stack_start`](Builder::stack_start) has asked for it already.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// let own = goroutines::Builder::new().own_stack().spawn(|| {
    ///     let mut squares = [0; 4];
    ///     std::thread::scope(|scope| {
    ///         for (i, square) in squares.iter_mut().enumerate() {
    ///             scope.spawn(move || *square = i * i);
    ///         }
    ///     });
    ///     squares
    /// });
    /// assert_eq!(own.unwrap().join().unwrap(), [0, 1, 4, 9]);
    /// ```
    pub fn own_stack(mut self) -> Builder {
        self.copied = Some(false);
        self
    }

    /// The size of the stack at its start, in bytes; rounded up to 2 KiB, 16 KiB, 64 KiB and so on by four: a *guarded* stack.
    ///
    /// By default all of a stack can be used, and memory appears page by page. With this a guard page stands
    /// where the start ends, and moves down when a function entry hits it: `stack_start(2048)` notices every step from the
    /// first 2 KiB on, so that what a goroutine needed is known exactly. Each step costs some microseconds, each such
    /// goroutine some system calls more. On kernels before Linux 6.13 it has no effect.
    ///
    /// A guard that is hit has to be handled for the goroutine to continue. In three cases it cannot be; call
    /// [`reserve_stack`](crate::reserve_stack) before them:
    ///
    /// 1. *SIGSEGV is blocked*: the process dies without a message. The C library blocks all signals inside
    ///    `pthread_create` and `posix_spawn`, so [`std::thread::spawn`] and [`std::process::Command`] are such calls.
    /// 2. *The kernel touches the guard*, and not the program: a system call that is given a buffer which nothing has
    ///    touched yet answers EFAULT, and the frame of a signal handler without `SA_ONSTACK` cannot be written, so that
    ///    the signal is lost, or the process dies.
    /// 3. *Another handler of SIGSEGV has replaced this crate's* and does not call it. Crash reporters that are
    ///    installed after the start do that. Install them before.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// let builder = goroutines::Builder::new().stack_start(2048);
    /// let exact = builder.spawn(|| {
    ///     goroutines::reserve_stack(32 << 10);
    ///     std::thread::spawn(|| 6 * 7).join().unwrap()
    /// });
    /// assert_eq!(exact.unwrap().join().unwrap(), 42);
    /// ```
    pub fn stack_start(mut self, bytes: usize) -> Builder {
        self.stack_start = Some(bytes);
        self
    }

    /// A goroutine that stays on the thread of its spawner, and needs no `Send` for that: see
    /// [`PinnedBuilder`](crate::PinnedBuilder).
    pub fn pinned(self) -> crate::PinnedBuilder {
        crate::PinnedBuilder(self)
    }

    /// The settings that the scheduler gets.
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
    /// ([`io::ErrorKind::InvalidInput`]), or when there is no memory or address space for the goroutine. Then none was
    /// made and `f` is dropped.
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
        sched::spawn(self.options()?, f).map(JoinHandle::of)
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
        // SAFETY: what `f` and its result borrow lives as long as the caller of `spawn_unchecked` promised:
        // until the goroutine was joined, or has dropped its result.
        unsafe { sched::spawn_unchecked(self.options()?, f) }.map(JoinHandle::of)
    }
}

/// The error of [`Builder::spawn`] for a setting that is not possible.
#[cold]
fn invalid(setting: &str, error: &dyn fmt::Display) -> io::Error {
    let text = format!("Builder::{setting}: {error}");
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

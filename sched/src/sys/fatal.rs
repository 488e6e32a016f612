//! Messages of the runtime on stderr, and the two ways to end the process: `fatal` for the program's bug, `throw` for
//! ours.
//!
//! Nothing here takes std's lock of stderr. A goroutine may be parked while it holds that lock (an `eprintln!` whose
//! argument waits for a channel), and a thread of the runtime that waits for it may be the one that has to wake the
//! goroutine. In the child of a fork the holder does not exist.
//!
//! # The end
//!
//! ```text
//! the thread that finds the error          other threads, which run on meanwhile
//! N1 is the first: notes its number        find an error too: wait for N5
//! N2 the message                           make a fault that nobody handles: abort (goroutines-stack)
//! N3 the hook: a dump, for some seconds    return from `main`: wait for N5 (atexit)
//!    at most
//! N4 the message again, below the dump
//! N5 abort
//! ```
//!
//! So the process ends by SIGABRT whatever happens during the hook. The message is written again only where stderr takes it
//! at once. `throw` calls the hook only where the program asked for that: the runtime has contradicted itself, and what it
//! does meanwhile may be wrong.

use std::{
    fmt::{self, Write},
    sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering},
    thread,
    time::Duration,
};

use crate::sys::tasks;

/// What [`before_fatal`] was given: a `fn() -> bool`, or null.
static HOOK: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// Whether [`throw`] calls it too.
static AT_THROW: AtomicBool = AtomicBool::new(false);

/// The thread that is at N1 or behind: its number. 0 for none.
static ENDING: AtomicI32 = AtomicI32::new(0);

/// How long other threads wait for N5. More than a hook takes.
const LONG: Duration = Duration::from_secs(60);

/// What a pipe that can be written takes in one piece, in bytes.
const PIECE: usize = 4096;

/// Lets `hook` run after the message of a fatal error, before the process is aborted: once, on the thread that has found the
/// error, which may hold locks of the runtime. It must return within some seconds, must not panic, and returns whether it has
/// written to stderr. `at_throw`: also at an internal error.
pub fn before_fatal(hook: fn() -> bool, at_throw: bool) {
    // Release: partner is the swap in `run_once`, for both.
    AT_THROW.store(at_throw, Ordering::Release);
    HOOK.store(hook as *mut (), Ordering::Release);
}

/// What [`before_fatal_in_signal`] was given: a `fn() -> bool`, or null.
static IN_SIGNAL: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// As [`before_fatal`], for errors that are found in signal handlers: `hook` runs in the handler.
pub fn before_fatal_in_signal(hook: fn() -> bool) {
    // Release: partner is the swap in `run_once`.
    IN_SIGNAL.store(hook as *mut (), Ordering::Release);
}

/// N1 to N5, with this line.
fn end(line: &str, has_hook: bool) -> ! {
    let own = tasks::own();
    // Relaxed: a number that a thread compares with its own.
    let first = ENDING.compare_exchange(0, own, Ordering::Relaxed, Ordering::Relaxed);
    write(line.as_bytes());
    match first {
        Ok(_) if has_hook && !HOOK.load(Ordering::Relaxed).is_null() => {
            goroutines_stack::abort_at_faults();
            keep_from_exiting();
            if run_once(&HOOK) {
                write_at_once(line.as_bytes());
            }
        }
        Ok(_) => {}
        // An error in the hook.
        Err(thread) if thread == own => {}
        Err(_) => thread::sleep(LONG),
    }
    std::process::abort();
}

/// From here on a thread that returns from `main`, or calls `exit`, waits for N5.
fn keep_from_exiting() {
    /// Of the process that ends, and not of a child that it forks.
    static PROCESS: AtomicI32 = AtomicI32::new(0);
    extern "C" fn wait() {
        // SAFETY: takes nothing and always succeeds.
        let own = unsafe { libc::getpid() };
        // Relaxed: the registration of this function orders it.
        if PROCESS.load(Ordering::Relaxed) == own {
            thread::sleep(LONG);
            std::process::abort();
        }
    }
    // SAFETY: `getpid` takes nothing; `wait` is a function for good, and does not unwind. If the C library has no memory for
    // the registration, nothing has changed.
    unsafe {
        PROCESS.store(libc::getpid(), Ordering::Relaxed);
        libc::atexit(wait);
    }
}

/// Returns what the hook returns; false without one. Another error, in the hook too, does not run it again.
fn run_once(hook: &AtomicPtr<()>) -> bool {
    // Acquire: partner is the store of the hook.
    let hook = hook.swap(std::ptr::null_mut(), Ordering::Acquire);
    if hook.is_null() {
        return false;
    }
    // SAFETY: what is not null was a `fn() -> bool` when it was stored.
    let hook = unsafe { std::mem::transmute::<*mut (), fn() -> bool>(hook) };
    hook()
}

/// Prints `message` and aborts: the program did something that cannot be continued.
#[cold]
pub(crate) fn fatal(message: fmt::Arguments<'_>) -> ! {
    end(&line(format_args!("fatal: {message}")), true);
}

/// As [`fatal`], where memory must not be allocated: in the child of a fork.
#[cold]
pub(crate) fn fatal_raw(message: &str) -> ! {
    say_raw(message);
    std::process::abort();
}

/// As [`fatal_raw`], in signal handlers.
#[cold]
pub(crate) fn fatal_in_signal(message: &str) -> ! {
    say_raw(message);
    if run_once(&IN_SIGNAL) && takes_at_once() {
        say_raw(message);
    }
    std::process::abort();
}

fn say_raw(message: &str) {
    for part in ["goroutines: fatal: ", message, "\n"] {
        write(part.as_bytes());
    }
}

/// Prints `message` and aborts: the runtime contradicts itself.
#[cold]
pub(crate) fn throw(message: fmt::Arguments<'_>) -> ! {
    let line = line(format_args!("internal error: {message}; please report it"));
    // Relaxed: stored at the start of the runtime, before the hook.
    end(&line, AT_THROW.load(Ordering::Relaxed));
}

/// Ends the process at once: no destructor and no handler of `atexit` runs, which might wait for what is stuck.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: takes a number, and does not return.
    unsafe { libc::_exit(status) }
}

/// Prints a line that begins with the name of the crate.
pub(crate) fn say(message: fmt::Arguments<'_>) {
    write(line(message).as_bytes());
}

fn line(message: fmt::Arguments<'_>) -> String {
    let mut line = String::from("goroutines: ");
    // Writing to a string does not fail.
    let _ = writeln!(line, "{message}");
    line
}

/// N4: writes `bytes` if stderr takes them without a wait.
fn write_at_once(bytes: &[u8]) {
    if takes_at_once() {
        write(&bytes[..bytes.len().min(PIECE)]);
    }
}

/// Returns whether stderr takes [`PIECE`] bytes now. Async-signal-safe.
fn takes_at_once() -> bool {
    let mut asked = libc::pollfd {
        fd: libc::STDERR_FILENO,
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one pollfd, which lives during the call; it does not wait.
    let ready = unsafe { libc::poll(&raw mut asked, 1, 0) };
    ready == 1 && asked.revents & libc::POLLOUT != 0
}

/// Writes `bytes` to stderr, in one call where the system takes them at once, so that lines of several threads do not
/// mix. An error is ignored: stderr may be closed.
pub fn write(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the buffer is that of `bytes`.
        let written =
            unsafe { libc::write(libc::STDERR_FILENO, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(written) {
            Ok(0) => return,
            Ok(written) => bytes = &bytes[written..],
            Err(_) if is_interrupted() => {}
            Err(_) => return,
        }
    }
}

fn is_interrupted() -> bool {
    std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
}

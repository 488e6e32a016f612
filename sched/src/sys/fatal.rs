//! Messages of the runtime on stderr, and the two ways to end the process: `fatal` for the program's bug, `throw` for
//! ours.
//!
//! Nothing here takes std's lock of stderr. A goroutine may be parked while it holds that lock (an `eprintln!` whose
//! argument waits for a channel), and a thread of the runtime that waits for it may be the one that has to wake the
//! goroutine. In the child of a fork the holder does not exist.

use std::{
    fmt::{self, Write},
    sync::atomic::{AtomicPtr, Ordering},
};

/// What [`before_fatal`] was given: a `fn()`, or null.
static HOOK: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// Lets `hook` run after the message of a fatal error, before the process is aborted: once, on the thread that has found the
/// error, which may hold locks of the runtime. It must return, and must not panic.
pub fn before_fatal(hook: fn()) {
    // Release: partner is the swap in `run_once`.
    HOOK.store(hook as *mut (), Ordering::Release);
}

/// What [`before_fatal_in_signal`] was given: a `fn()`, or null.
static IN_SIGNAL: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// As [`before_fatal`], for errors that are found in signal handlers: `hook` runs in the handler.
pub fn before_fatal_in_signal(hook: fn()) {
    // Release: partner is the swap in `run_once`.
    IN_SIGNAL.store(hook as *mut (), Ordering::Release);
}

/// Runs the hook, and aborts.
fn end() -> ! {
    run_once(&HOOK);
    std::process::abort();
}

/// Another error, in the hook too, does not run it again.
fn run_once(hook: &AtomicPtr<()>) {
    // Acquire: partner is the store of the hook.
    let hook = hook.swap(std::ptr::null_mut(), Ordering::Acquire);
    if !hook.is_null() {
        // SAFETY: what is not null was a `fn()` when it was stored.
        let hook = unsafe { std::mem::transmute::<*mut (), fn()>(hook) };
        hook();
    }
}

/// Prints `message` and aborts: the program did something that cannot be continued.
#[cold]
pub(crate) fn fatal(message: fmt::Arguments<'_>) -> ! {
    say(format_args!("fatal: {message}"));
    end();
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
    run_once(&IN_SIGNAL);
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
    say(format_args!("internal error: {message}; please report it"));
    end();
}

/// Ends the process at once: no destructor and no handler of `atexit` runs, which might wait for what is stuck.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: takes a number, and does not return.
    unsafe { libc::_exit(status) }
}

/// Prints a line that begins with the name of the crate.
pub(crate) fn say(message: fmt::Arguments<'_>) {
    let mut line = String::from("goroutines: ");
    // Writing to a string does not fail.
    let _ = writeln!(line, "{message}");
    write(line.as_bytes());
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

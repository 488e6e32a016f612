//! The signal mask of the runtime's threads.
//!
//! They start with the mask of the thread that called `start`: a daemon that blocks its signals there and waits for
//! them on one thread needs them blocked on the runtime's threads as well. Two kinds of signals must not be blocked.
//! Signals that report a fault of the thread itself end the process without a message when they are blocked, and
//! growth faults are such signals. A profiler's signal must reach every thread that runs goroutines.

use std::{ffi::c_int, io, mem, ptr};

/// Never blocked when a thread of the runtime starts: faults, `abort`, what a system call filter or a debugger raises,
/// and the signal of profilers.
const NEEDED: [c_int; 8] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGABRT,
    libc::SIGPROF,
];

/// Unblocks on the calling thread the signals that a thread of the runtime needs, and `also`.
///
/// # Errors
///
/// When the system refuses, as a seccomp filter may.
pub(crate) fn unblock_needed(also: Option<c_int>) -> io::Result<()> {
    // SAFETY: `set` is a whole set that sigemptyset initialises; the numbers are signals; pthread_sigmask reads it.
    let error = unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in NEEDED.into_iter().chain(also) {
            libc::sigaddset(&raw mut set, signal);
        }
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut())
    };
    match error {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

//! The handler of SIGQUIT that wakes the threads of debug/dumper.rs.

use std::{
    io,
    os::fd::{IntoRawFd, OwnedFd, RawFd},
    sync::atomic::{AtomicI32, AtomicU8, AtomicU32, Ordering},
};

use super::handler::run_on_signal_stack;

/// Where the handler writes, and what.
static FD: AtomicI32 = AtomicI32::new(-1);
static BYTE: AtomicU8 = AtomicU8::new(0);

/// Where it writes the same while [`WANTED`] is not 0.
static URGENT: AtomicI32 = AtomicI32::new(-1);

/// Signals whose dumps are not written yet.
static WANTED: AtomicU32 = AtomicU32::new(0);

/// Dumps that are written.
static WRITTEN: AtomicU32 = AtomicU32::new(0);

/// Installs the handler, in addition to those that are there. It writes `byte` to `fd`, and also to `urgent` if the dump of a
/// signal before is not [written](is_written) yet. Both stay open for good. Once.
///
/// # Errors
///
/// What the system says.
pub(crate) fn install(fd: OwnedFd, urgent: OwnedFd, byte: u8) -> io::Result<()> {
    // Relaxed (all): `register` is a system call of this thread, and follows.
    BYTE.store(byte, Ordering::Relaxed);
    FD.store(fd.into_raw_fd(), Ordering::Relaxed);
    URGENT.store(urgent.into_raw_fd(), Ordering::Relaxed);
    // SAFETY: the action makes system calls that POSIX lists as safe in a handler, and cannot panic. Its registry keeps
    // `errno`.
    unsafe { signal_hook_registry::register(libc::SIGQUIT, caught) }?;
    run_on_signal_stack(libc::SIGQUIT)
}

/// The dump of a signal is written.
pub(crate) fn is_written() {
    // Relaxed (both): a count; nothing is read by who sees it.
    WRITTEN.fetch_add(1, Ordering::Relaxed);
    WANTED.fetch_sub(1, Ordering::Relaxed);
}

/// How many dumps are written so far.
pub(crate) fn written() -> u32 {
    // Relaxed: as in `is_written`.
    WRITTEN.load(Ordering::Relaxed)
}

/// Returns whether the dumps of all signals so far are written.
pub(crate) fn is_written_by_now() -> bool {
    // Relaxed: as in `is_written`.
    WANTED.load(Ordering::Relaxed) == 0
}

fn caught() {
    // Relaxed (all): stored before the handler was installed; the count as in `is_written`.
    let byte = BYTE.load(Ordering::Relaxed);
    let before = WANTED.fetch_add(1, Ordering::Relaxed);
    if !send(FD.load(Ordering::Relaxed), byte) {
        // There will be no dump of this signal.
        WANTED.fetch_sub(1, Ordering::Relaxed);
    }
    if before > 0 {
        send(URGENT.load(Ordering::Relaxed), byte);
    }
}

/// Sends `byte` to a socket, without waiting. Returns false if it is full; then there are bytes that wake its reader.
/// Async-signal-safe.
pub(crate) fn send(fd: RawFd, byte: u8) -> bool {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: one byte of this frame; a descriptor that is not open, or not a socket, is an error.
    unsafe { libc::send(fd, (&raw const byte).cast(), 1, flags) == 1 }
}

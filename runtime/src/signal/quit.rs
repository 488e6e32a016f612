//! The handler of SIGQUIT that wakes the thread of debug/dumper.rs.

use std::{
    io,
    os::fd::{IntoRawFd, OwnedFd},
    sync::atomic::{AtomicI32, AtomicU8, Ordering},
};

use super::handler::run_on_signal_stack;

/// Where the handler writes, and what.
static FD: AtomicI32 = AtomicI32::new(-1);
static BYTE: AtomicU8 = AtomicU8::new(0);

/// Installs the handler, in addition to those that are there. It writes `byte` to `fd`, which stays open for good. Once.
///
/// # Errors
///
/// What the system says.
pub(crate) fn install(fd: OwnedFd, byte: u8) -> io::Result<()> {
    // Relaxed (both): `register` is a system call of this thread, and follows.
    BYTE.store(byte, Ordering::Relaxed);
    FD.store(fd.into_raw_fd(), Ordering::Relaxed);
    // SAFETY: the action makes one system call that POSIX lists as safe in a handler, and cannot panic. Its registry keeps
    // `errno`.
    unsafe { signal_hook_registry::register(libc::SIGQUIT, caught) }?;
    run_on_signal_stack(libc::SIGQUIT)
}

fn caught() {
    // Relaxed (both): stored before the handler was installed.
    let (fd, byte) = (FD.load(Ordering::Relaxed), BYTE.load(Ordering::Relaxed));
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // If it fails, the socket is full, so there are bytes that wake the thread.
    // SAFETY: one byte of this frame, and a descriptor that stays open.
    unsafe { libc::send(fd, (&raw const byte).cast(), 1, flags) };
}

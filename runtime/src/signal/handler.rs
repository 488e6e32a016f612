//! The handler of signals, and how it is installed.

use std::{
    io, mem,
    os::fd::{IntoRawFd, OwnedFd},
    ptr,
    sync::atomic::{AtomicI32, AtomicU64, Ordering},
};

pub use libc::{
    SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN,
    SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH,
};

/// Signals that cannot be caught, and those that a fault of the thread itself raises: the handler would return into it.
pub(super) const FORBIDDEN: [i32; 6] = [
    libc::SIGKILL,
    libc::SIGSTOP,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
];

/// The signals that came, and were not taken.
static PENDING: AtomicU64 = AtomicU64::new(0);

/// Where the handler writes its byte.
static FD: AtomicI32 = AtomicI32::new(-1);

/// From here on handlers write to `fd`, which stays open for good.
pub(super) fn write_to(fd: OwnedFd) {
    // Relaxed: `install` is a system call of this thread, and follows.
    FD.store(fd.into_raw_fd(), Ordering::Relaxed);
}

/// The signals that came since the last call.
pub(super) fn take() -> u64 {
    // Acquire: partner is the fetch_or in `caught`, which the byte that was read follows.
    PENDING.swap(0, Ordering::Acquire)
}

/// The handler. It makes two steps that POSIX lists as safe in a handler.
fn caught(bit: u64) {
    // Release: partner is the swap in `take`.
    PENDING.fetch_or(bit, Ordering::Release);
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // Relaxed: written before any handler was installed.
    let fd = FD.load(Ordering::Relaxed);
    // If it fails, the pipe is full, so there are bytes that wake the reader.
    // SAFETY: one byte of a constant, and a descriptor that stays open.
    unsafe { libc::send(fd, b"!".as_ptr().cast(), 1, flags) };
}

/// Installs the handler of `signal`, in addition to those that are there.
///
/// # Errors
///
/// What the system says.
pub(super) fn install(signal: i32, bit: u64) -> io::Result<()> {
    // SAFETY: the action is safe in a handler (see `caught`), and cannot panic. Its registry keeps `errno`.
    unsafe { signal_hook_registry::register(signal, move || caught(bit)) }?;
    run_on_signal_stack(signal)
}

/// The registry's handler runs on the stack that the signal interrupts. A goroutine's may have no room for it, and the
/// kernel, which writes the first frame, does not make it grow.
pub(super) fn run_on_signal_stack(signal: i32) -> io::Result<()> {
    // SAFETY: an action of zeros is valid: the default one.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: `action` lives until both calls return; the second one changes nothing but a flag that every handler
    // bears, because the stack that it asks for is the thread's own one for this purpose.
    let failed = unsafe {
        libc::sigaction(signal, ptr::null(), &raw mut action) != 0 || {
            action.sa_flags |= libc::SA_ONSTACK;
            libc::sigaction(signal, &raw const action, ptr::null_mut()) != 0
        }
    };
    match failed {
        true => Err(io::Error::last_os_error()),
        false => Ok(()),
    }
}

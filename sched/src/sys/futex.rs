//! Sleeping on a 32-bit word, and waking a thread that sleeps there.

use std::{ptr, sync::atomic::AtomicU32, time::Duration};

use crate::sys::errno;

/// A word to sleep on.
pub(crate) struct Futex(AtomicU32);

impl Futex {
    pub(crate) const fn new(value: u32) -> Futex {
        Futex(AtomicU32::new(value))
    }

    #[inline]
    pub(crate) fn word(&self) -> &AtomicU32 {
        &self.0
    }

    /// Sleeps while the word is `expected`, until a wake, or for `timeout_ns` nanoseconds. May
    /// return early for no reason: callers read the word again.
    pub(crate) fn wait(&self, expected: u32, timeout_ns: Option<u64>) {
        // `errno` is kept: a thread that waits must find it unchanged, as a goroutine does that parks.
        let _errno = errno::keep();
        let timeout = timeout_ns.map(|ns| libc::timespec {
            tv_sec: (ns / 1_000_000_000) as libc::time_t,
            tv_nsec: (ns % 1_000_000_000) as libc::c_long,
        });
        let timeout_ptr = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: the word is a live, aligned u32 for the whole call, and `timeout_ptr` is null or
        // points at `timeout`, which outlives the call.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                expected,
                timeout_ptr,
            );
        }
    }

    /// Wakes one sleeper, if there is one.
    pub(crate) fn wake_one(&self) {
        // SAFETY: FUTEX_WAKE only uses the address as a key; the word is a live, aligned u32.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                1,
            );
        }
    }
}

/// Takes this thread off its CPU for about `microseconds`. A spinning lock does this when spinning has failed.
pub(crate) fn nap(microseconds: u32) {
    let _errno = errno::keep();
    std::thread::sleep(Duration::from_micros(u64::from(microseconds)));
}

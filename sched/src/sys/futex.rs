//! Sleeping on a 32-bit word, and waking a thread that sleeps there.

use std::{ptr, sync::atomic::AtomicU32, time::Duration};

use crate::sys::errno;

/// A word to sleep on.
pub(crate) struct Futex(AtomicU32);

/// What the system call takes: two words on every CPU, whatever the C library's `timespec` is.
#[repr(C)]
struct Timeout {
    seconds: libc::c_long,
    nanoseconds: libc::c_long,
}

impl Timeout {
    fn new(ns: u64) -> Timeout {
        // A longer sleep ends early, which it may.
        let seconds = libc::c_long::try_from(ns / 1_000_000_000).unwrap_or(libc::c_long::MAX);
        Timeout {
            seconds,
            nanoseconds: (ns % 1_000_000_000) as libc::c_long,
        }
    }
}

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
        let timeout = timeout_ns.map(Timeout::new);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_of_any_length_is_one_that_the_system_takes() {
        for ns in [0, 1, 999_999_999, 1_000_000_000, 1_500_000_000, u64::MAX] {
            let Timeout {
                seconds,
                nanoseconds,
            } = Timeout::new(ns);
            let exact = seconds as u64 * 1_000_000_000 + nanoseconds as u64 == ns;
            assert!(exact || seconds == libc::c_long::MAX, "{ns}");
            assert!((0..1_000_000_000).contains(&nanoseconds));
        }
    }

    #[test]
    fn a_sleep_ends_by_its_time_and_not_before() {
        let futex = Futex::new(7);
        let begin = std::time::Instant::now();
        // It may return early for no reason, but not each time.
        let slept = (0..10).any(|_| {
            futex.wait(7, Some(20_000_000));
            begin.elapsed() >= Duration::from_millis(20)
        });
        assert!(slept);
        futex.wait(8, None);
    }
}

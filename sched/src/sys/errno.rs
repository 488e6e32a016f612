//! `errno`, which the runtime's own system calls must not change under the code that called the runtime.

use std::{ffi::c_int, io};

/// Restores `errno` when it is dropped, on the thread where it is dropped.
pub(crate) struct Kept(c_int);

/// Keeps `errno` as it is now.
#[inline]
pub(crate) fn keep() -> Kept {
    // SAFETY: the address that the C library answers with is this thread's `errno`.
    Kept(unsafe { *libc::__errno_location() })
}

/// The remedy for `error` where the system refuses a thread, a call or memory, as the end of a message. Empty where
/// no remedy is known.
pub(crate) fn remedy(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES | libc::ENOSYS) => {
            "; a filter of system calls (seccomp) refuses it: let it allow this call"
        }
        Some(libc::EAGAIN) => {
            "; raise the limit of threads: RLIMIT_NPROC (`ulimit -u`), the control group's pids.max, or kernel.threads-max"
        }
        Some(libc::ENOMEM) => MEMORY,
        None if error.kind() == io::ErrorKind::OutOfMemory => MEMORY,
        _ => "",
    }
}

const MEMORY: &str = "; raise the limit of memory: RLIMIT_AS (`ulimit -v`), the control group's memory.max, or vm.max_map_count";

impl Drop for Kept {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the address is that of this thread's `errno`, which lives as long as the thread.
        unsafe { *libc::__errno_location() = self.0 };
    }
}

#[cfg(test)]
mod tests {
    use std::io::Error;

    use super::*;

    #[test]
    fn it_is_put_back_at_the_end_of_the_block() {
        // SAFETY: -1 is no open file.
        unsafe { libc::close(-1) };
        {
            let _kept = keep();
            // SAFETY: answers that the address is bad.
            unsafe { libc::pipe(std::ptr::null_mut()) };
            assert_eq!(Error::last_os_error().raw_os_error(), Some(libc::EFAULT));
        }
        assert_eq!(Error::last_os_error().raw_os_error(), Some(libc::EBADF));
    }
}

//! `errno`, which the runtime's own system calls shall not change under the code that called the runtime.

use std::ffi::c_int;

/// Puts `errno` back when it is dropped: that of the thread it is dropped on.
pub(crate) struct Kept(c_int);

/// Keeps `errno` as it is now.
#[inline]
pub(crate) fn keep() -> Kept {
    // SAFETY: the address that the C library answers with is this thread's `errno`.
    Kept(unsafe { *libc::__errno_location() })
}

impl Drop for Kept {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: as in `keep`.
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

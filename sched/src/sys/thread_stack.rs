//! Where the stack that the system gave to a thread lies.

use std::{mem::MaybeUninit, ops::Range, ptr};

/// The stack of the calling thread, without its guard; `None` where the system does not say (no /proc, a seccomp filter).
#[cold]
pub(crate) fn own() -> Option<Range<usize>> {
    // SAFETY: the caller's thread has not ended.
    unsafe { of(libc::pthread_self()) }
}

/// As [`own`], of another thread.
///
/// # Safety
///
/// The thread has not ended.
pub(crate) unsafe fn of(thread: libc::pthread_t) -> Option<Range<usize>> {
    let mut attr = MaybeUninit::uninit();
    let (mut start, mut size, mut guard) = (ptr::null_mut(), 0, 0);
    // SAFETY: the thread has not ended. `attr` is initialised by the first call, where it succeeds, and destroyed by the last;
    // the others read it and write to the variables above.
    let known = unsafe {
        if libc::pthread_getattr_np(thread, attr.as_mut_ptr()) != 0 {
            return None;
        }
        let known = libc::pthread_attr_getstack(attr.as_ptr(), &mut start, &mut size) == 0
            && libc::pthread_attr_getguardsize(attr.as_ptr(), &mut guard) == 0;
        libc::pthread_attr_destroy(attr.as_mut_ptr());
        known
    };
    // Some C libraries count the guard in, some do not.
    known.then(|| start.addr() + guard..start.addr() + size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_is_on_the_stack() {
        let here = 0_u8;
        let stack = own().expect("the system says");
        assert!(stack.contains(&(&raw const here).addr()), "{stack:x?}");
    }
}

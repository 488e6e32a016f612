//! Where the stack that the system gave to a thread lies.

use std::{mem::MaybeUninit, ops::Range, ptr};

/// The stack of the calling thread, without its guard; `None` where the system does not say (no /proc, a seccomp filter).
#[cold]
pub(crate) fn own() -> Option<Range<usize>> {
    let mut attr = MaybeUninit::uninit();
    let (mut start, mut size, mut guard) = (ptr::null_mut(), 0, 0);
    // SAFETY: `attr` is initialised by the first call, where it succeeds, and destroyed by the last;
    // the others read it and write to the variables above.
    let known = unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attr.as_mut_ptr()) != 0 {
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

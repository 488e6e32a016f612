//! Reading memory of this process that may go away at any time.

use std::mem::MaybeUninit;

/// The word at `address`. `None` where there is no memory, or where the system does not read it for us (a filter of system
/// calls, an old kernel).
pub(crate) fn word(address: usize) -> Option<usize> {
    let mut word = MaybeUninit::<usize>::uninit();
    let size = size_of::<usize>();
    let to = libc::iovec {
        iov_base: word.as_mut_ptr().cast(),
        iov_len: size,
    };
    let from = libc::iovec {
        iov_base: std::ptr::without_provenance_mut(address),
        iov_len: size,
    };
    // SAFETY: `to` is the word above. The kernel reads what is at `from`, and answers with an error where that is nothing.
    let read = unsafe { libc::process_vm_readv(libc::getpid(), &to, 1, &from, 1, 0) };
    // SAFETY: the kernel has written all of it.
    (usize::try_from(read) == Ok(size)).then(|| unsafe { word.assume_init() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_and_one_that_is_not_there_is_not() {
        let there = 0x1234_5678_usize;
        assert_eq!(word((&raw const there).addr()), Some(there));
        assert_eq!(word(0), None);
        assert_eq!(word(usize::MAX - 7), None);
    }
}

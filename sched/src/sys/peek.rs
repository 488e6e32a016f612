//! Reading memory of this process that may go away at any time: the kernel reads it, and what is not there is an error, and no
//! fault.

use std::{array, io, mem, ptr};

/// Most places that are read with one system call.
pub(crate) const PLACES: usize = 32;

/// Reads as many words as there is room for in `found` from each of `places`, in order, of which there are [`PLACES`] at
/// most. Returns how many of `found` were read, which ends at the first that is not all there. Async-signal-safe.
///
/// # Errors
///
/// `EFAULT` if nothing is at the first place, and what the system says that does not read for us (a filter of system calls,
/// an old kernel).
pub(crate) fn all<const N: usize>(places: &[usize], found: &mut [[usize; N]]) -> io::Result<usize> {
    let there: [_; PLACES] = array::from_fn(|index| {
        let place = places.get(index).copied().unwrap_or(0);
        memory(ptr::with_exposed_provenance_mut(place), N)
    });
    let here = memory(found.as_mut_ptr().cast(), found.as_flattened().len());
    let there = &there[..places.len()];
    // SAFETY: `here` is memory of the caller. The kernel checks what is `there`, and writes nothing to it.
    let read = unsafe {
        let (from, count) = (there.as_ptr(), there.len() as libc::c_ulong);
        libc::process_vm_readv(libc::getpid(), &raw const here, 1, from, count, 0)
    };
    let read = usize::try_from(read).map_err(|_| io::Error::last_os_error())?;
    Ok(read / size_of::<[usize; N]>())
}

fn memory(start: *mut libc::c_void, words: usize) -> libc::iovec {
    libc::iovec {
        iov_base: start,
        iov_len: words * mem::size_of::<usize>(),
    }
}

/// Copies the words at `address` into `found`; false if not all of them could be read. Async-signal-safe.
#[must_use]
pub fn read_memory<const N: usize>(address: usize, found: &mut [usize; N]) -> bool {
    all(&[address], array::from_mut(found)).is_ok_and(|read| read == 1)
}

/// The word at `address`; `None` where there is no memory, or the system does not read it for us.
pub(crate) fn word(address: usize) -> Option<usize> {
    let mut word = [0];
    read_memory(address, &mut word).then_some(word[0])
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

//! Address space: anonymous memory that is reserved but costs nothing until it is touched.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use memmap2::{Advice, MmapMut, MmapOptions};

/// The kernel's page size in bytes.
#[inline]
pub(crate) fn page_size() -> usize {
    static SIZE: AtomicUsize = AtomicUsize::new(0);
    // Relaxed: every thread computes the same value, and nothing else is published with it.
    match SIZE.load(Ordering::Relaxed) {
        0 => {
            // SAFETY: sysconf has no preconditions.
            let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
            let size = usize::try_from(size).expect("sysconf(_SC_PAGESIZE) is positive");
            // Relaxed: pairs with the Relaxed load above, see there.
            SIZE.store(size, Ordering::Relaxed);
            size
        }
        size => size,
    }
}

/// Reserves `len` readable and writable zero bytes, aligned to `align`, for the rest of the process's life.
///
/// # Errors
///
/// The kernel's, when there is no address space left (or, under strict overcommit, no memory to promise).
pub(crate) fn reserve(len: usize, align: usize, huge_pages: bool) -> io::Result<NonNull<u8>> {
    let slack = if align > page_size() { align } else { 0 };
    let total = len
        .checked_add(slack)
        .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
    let map = anonymous(total)?;
    if !huge_pages {
        // A kernel without huge pages refuses the advice; then it also is not needed.
        let _ = map.advise(Advice::NoHugePage);
    }
    // Never dropped, so never unmapped: stacks and descriptors in it stay valid memory for the life of the process.
    let mut map = std::mem::ManuallyDrop::new(map);
    let start = map.as_mut_ptr();
    let before = start.align_offset(align);
    if cfg!(target_pointer_width = "32") && slack > 0 {
        // Address space is scarce, and the largest windows are as large as their chunk.
        // SAFETY: whole pages of the new mapping, to which nothing refers: `align` and the mapping's start are multiples of
        // a page, and what is returned are the `len` bytes between.
        unsafe {
            libc::munmap(start.cast(), before);
            let end = (before + len).next_multiple_of(page_size());
            libc::munmap(start.wrapping_add(end).cast(), total.saturating_sub(end));
        }
    }
    let aligned = start.wrapping_add(before);
    Ok(NonNull::new(aligned).expect("a mapping is never at address 0"))
}

/// Returns whether the process locks new memory (`mlockall(MCL_FUTURE)`): then the kernel fills every reservation at once.
pub(crate) fn new_memory_is_locked() -> bool {
    let Ok(mut page) = anonymous(page_size()) else {
        return false;
    };
    // Locked memory is the only kind that cannot be given back.
    // SAFETY: the mapping is `page`'s, of which nothing was written or will be read.
    let refused =
        unsafe { libc::madvise(page.as_mut_ptr().cast(), page.len(), libc::MADV_DONTNEED) };
    refused != 0
}

static WATCHED: AtomicBool = AtomicBool::new(false);

/// Says that a tool like valgrind watches this process: it keeps a record of every byte of address space and does not
/// pass on the faults in guard pages of the kernel's own kind. From here on reservations are small, and guards are made
/// with `mprotect` unless the environment says otherwise.
///
/// Call it before the first stack is made.
pub fn assume_watched() {
    // Relaxed: pairs with `is_watched`; a setting that guards no other memory.
    WATCHED.store(true, Ordering::Relaxed);
}

/// Returns whether [`assume_watched`] was called.
pub(crate) fn is_watched() -> bool {
    WATCHED.load(Ordering::Relaxed) // Relaxed: pairs with `assume_watched`.
}

/// One anonymous, private, not reserved mapping, unmapped on drop.
pub(crate) fn anonymous(len: usize) -> io::Result<MmapMut> {
    MmapOptions::new().len(len).no_reserve_swap().map_anon()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_is_aligned_and_zero() {
        for align in [64, page_size(), 1 << 20] {
            let base = reserve(1 << 20, align, false).unwrap();
            assert_eq!(base.as_ptr() as usize % align, 0);
            // SAFETY: the reservation is 1 MiB of readable memory that nothing else uses.
            let (first, last) = unsafe { (*base.as_ptr(), *base.as_ptr().add((1 << 20) - 1)) };
            assert_eq!((first, last), (0, 0));
        }
    }

    #[test]
    fn more_than_the_address_space_is_an_error() {
        assert!(reserve(usize::MAX, 1 << 20, false).is_err());
        assert!(reserve(usize::MAX / 8 * 7, 4096, false).is_err());
    }
}

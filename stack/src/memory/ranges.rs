//! Ranges: one advice for the pages of several, by one system call, `process_madvise`.
//!
//! A call for each guard costs as much again as the guard. The kernel takes guards in a list since Linux 6.13, from a
//! process that gives it for itself, and since 6.15 that process has a number which is no descriptor: none has to be opened,
//! which the program could close, and which in the child of a fork would be the parent.
//!
//! Older kernels and filters of seccomp refuse the call. The first call finds out, and looks whether it had an effect; what
//! is refused once is not tried again, and the caller does it range by range.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::memory::guard::{self, MADV_GUARD_INSTALL};

/// The most ranges of a list. They are 512 bytes on the caller's stack.
pub(crate) const MOST: usize = 32;

/// `PIDFD_SELF`: the process of the calling thread.
const SELF: libc::c_int = -10_000;

/// Whether guards can be placed by list.
static LISTS: AtomicU8 = AtomicU8::new(UNTRIED);
const UNTRIED: u8 = 0;
const WORK: u8 = 1;
const REFUSED: u8 = 2;

/// A list of ranges of whole pages.
pub(crate) struct Ranges {
    list: [libc::iovec; MOST],
    len: usize,
}

impl Ranges {
    pub(crate) fn new() -> Ranges {
        let none = libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        };
        Ranges {
            list: [none; MOST],
            len: 0,
        }
    }

    /// Returns whether the kernel has refused a list: then none need be made.
    pub(crate) fn are_refused() -> bool {
        // Relaxed: pairs with the stores in `guard`; who reads an old state makes a list that is refused.
        LISTS.load(Ordering::Relaxed) == REFUSED
    }

    /// Adds a range.
    ///
    /// # Panics
    ///
    /// When there are [`MOST`] already.
    pub(crate) fn push(&mut self, start: *mut u8, len: usize) {
        self.list[self.len] = libc::iovec {
            iov_base: start.cast(),
            iov_len: len,
        };
        self.len += 1;
    }

    /// The bytes in all of them.
    pub(crate) fn bytes(&self) -> usize {
        self.list[..self.len]
            .iter()
            .map(|range| range.iov_len)
            .sum()
    }

    /// Makes the ranges guards of the `madvise` flavour, the first of them first. Returns how many bytes are guards now: all,
    /// or those of some of the first ranges, or none. The others may be guarded one by one, which also tells why.
    ///
    /// # Safety
    ///
    /// As for [`guard::install`], of each range.
    pub(crate) unsafe fn guard(&self) -> usize {
        // Relaxed: pairs with the stores below. Each thread that reads an old state tries for itself.
        let state = LISTS.load(Ordering::Relaxed);
        let Some(first) = self.list[..self.len].first() else {
            return 0;
        };
        // SAFETY: the caller promises that nothing in these pages is needed.
        let result = unsafe { self.advise(MADV_GUARD_INSTALL) };
        match result {
            Ok(done) if done > 0 => {
                if state == UNTRIED {
                    let found = match guard::is_accessible(first.iov_base.cast()) {
                        true => REFUSED,
                        false => WORK,
                    };
                    // Relaxed: pairs with the load above.
                    LISTS.store(found, Ordering::Relaxed);
                    if found == REFUSED {
                        return 0;
                    }
                }
                done
            }
            // There is no memory for page tables now. There may be later.
            Err(libc::ENOMEM) => 0,
            _ => {
                LISTS.store(REFUSED, Ordering::Relaxed); // Relaxed: pairs with the load above.
                0
            }
        }
    }

    /// How many bytes the advice was taken for, or the errno.
    ///
    /// # Safety
    ///
    /// The ranges are mapped, and what the advice does to their contents is what the caller wants.
    unsafe fn advise(&self, advice: libc::c_int) -> Result<usize, i32> {
        // SAFETY: the kernel reads `len` entries of the list, which has them; the caller answers for the ranges.
        let done = unsafe {
            libc::syscall(
                libc::SYS_process_madvise,
                SELF,
                self.list.as_ptr(),
                self.len,
                advice,
                0,
            )
        };
        usize::try_from(done).map_err(|_| nix::errno::Errno::last_raw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::map;

    #[test]
    fn a_list_guards_all_its_ranges_and_nothing_between_or_says_that_it_did_not() {
        let len = map::page_size();
        let mut pages = map::anonymous(6 * len).unwrap();
        pages.fill(1);
        let start = pages.as_mut_ptr();
        let mut ranges = Ranges::new();
        for place in [1, 3, 4] {
            ranges.push(start.wrapping_add(place * len), len);
        }
        // SAFETY: the pages are of `pages`, and nothing reads those that become guards.
        let done = unsafe { ranges.guard() } / len;
        let guards = &[1, 3, 4][..done];
        for place in 0..6 {
            let accessible = guard::is_accessible(start.wrapping_add(place * len));
            assert_eq!(accessible, !guards.contains(&place), "{place} of {done}");
        }
    }

    #[test]
    fn what_follows_a_range_that_is_refused_is_not_counted() {
        let len = map::page_size();
        let mut pages = map::anonymous(3 * len).unwrap();
        let start = pages.as_mut_ptr();
        let mut ranges = Ranges::new();
        // The second is no page's start.
        for offset in [0, len + 1, 2 * len] {
            ranges.push(start.wrapping_add(offset), len);
        }
        // SAFETY: the pages are of `pages`, and nothing reads or writes them.
        let done = unsafe { ranges.guard() };
        assert!(done <= len, "{done}");
        assert_eq!(guard::is_accessible(start), done == 0);
        assert!(guard::is_accessible(start.wrapping_add(2 * len)));
    }

    #[test]
    fn an_empty_list_is_nothing() {
        // SAFETY: there is no range.
        assert_eq!(unsafe { Ranges::new().guard() }, 0);
    }
}

//! Guards: pages that fault when they are touched.
//!
//! Two flavours, chosen once, before the first guard is placed:
//!
//! 1. `madvise`: `MADV_GUARD_INSTALL` and `MADV_GUARD_REMOVE` (Linux 6.13). The marker lives in the page table, no memory
//!    area is split, so a million guarded windows are one area.
//! 2. `mprotect`: works everywhere, but each guard is a memory area of its own. Only the hard guard is placed, because
//!    two areas a window are half of what four would be: `vm.max_map_count` (65530 by default) ends it at about 32 700
//!    windows. All stacks are paged then.
//!
//! The choice is made by trying, and by looking at the effect: emulators return 0 for advice they do not know. Touching
//! the page would need a signal handler; a system call that writes to it answers EFAULT instead.
//!
//! Guards of several windows are placed together where the kernel does that: `ranges.rs`.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use crate::memory::class::LARGEST_PAGE;
use crate::memory::map;

/// The variable that forces a flavour, for tests and for kernels where the choice should not be left to trying.
const VARIABLE: &str = "GOROUTINE_GUARD";

/// Pages that [`any_in_use`] looks at, at most.
pub(crate) const MOST_PAGES: usize = 16;

pub(crate) const MADV_GUARD_INSTALL: libc::c_int = 102;
const MADV_GUARD_REMOVE: libc::c_int = 103;

/// How guards are made in this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Flavour {
    Madvise = 1,
    Mprotect = 2,
}

/// Whether the kernel also removes guards of its own kind. Some seccomp filters allow one advice and not the other.
static REMOVABLE: AtomicBool = AtomicBool::new(false);

/// 0 until decided, then a `Flavour`.
static FLAVOUR: AtomicU8 = AtomicU8::new(0);

/// The flavour in use; `None` before [`decide`].
///
/// Async-signal-safe.
#[inline]
pub(crate) fn flavour() -> Option<Flavour> {
    // Relaxed: pairs with the store in `decide`; the flavour is a number that guards no other memory, and each thread that
    // holds a window got it through the arena's lock, after that store.
    match FLAVOUR.load(Ordering::Relaxed) {
        1 => Some(Flavour::Madvise),
        2 => Some(Flavour::Mprotect),
        _ => None,
    }
}

/// Returns whether there can be guarded stacks: these need guards that are no memory areas and can be removed.
#[inline]
pub fn has_steps() -> bool {
    // Relaxed: pairs with the store in `decide`, which comes before the flavour's; each thread that holds a window got it
    // through the arena's lock, after both.
    flavour() == Some(Flavour::Madvise) && REMOVABLE.load(Ordering::Relaxed)
}

/// Chooses the flavour; later calls return the same choice.
///
/// # Errors
///
/// When the environment variable names no flavour, or one that this kernel does not have, or when there is no memory to try with.
pub(crate) fn decide() -> io::Result<Flavour> {
    if let Some(flavour) = flavour() {
        return Ok(flavour);
    }
    let forced = std::env::var_os(VARIABLE);
    let removable = match forced.as_deref().map(|v| v.to_string_lossy()) {
        None if map::is_watched() => None,
        None => try_madvise()?.ok(),
        Some(name) if name == "mprotect" => None,
        Some(name) if name == "madvise" => Some(try_madvise()?.map_err(no_madvise)?),
        Some(name) => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{VARIABLE}={name}: unset it, or set it to madvise or mprotect"),
            ));
        }
    };
    let choice = match removable {
        Some(_) => Flavour::Madvise,
        None => Flavour::Mprotect,
    };
    // Relaxed: pairs with the load in `has_steps`, which looks at it only in the flavour that is stored below.
    REMOVABLE.store(removable == Some(true), Ordering::Relaxed);
    // The first choice stands, so that two threads never use different flavours.
    // Relaxed: pairs with the load in `flavour`, see there.
    let _ = FLAVOUR.compare_exchange(0, choice as u8, Ordering::Relaxed, Ordering::Relaxed);
    Ok(flavour().expect("just decided"))
}

/// Tries on a used page whether `MADV_GUARD_INSTALL` makes it inaccessible. `Ok` if so, with whether `MADV_GUARD_REMOVE`
/// makes it accessible again; else the errno, which is 0 where the call succeeds and has no effect.
///
/// # Errors
///
/// When there is no memory to try with.
fn try_madvise() -> io::Result<Result<bool, i32>> {
    let len = map::page_size();
    let mut page = map::anonymous(len)?;
    page[0] = 1;
    let start = page.as_mut_ptr();
    // SAFETY: the page belongs to `page`, of which nothing is read before it is unmapped.
    if unsafe { libc::madvise(start.cast(), len, MADV_GUARD_INSTALL) } != 0 {
        return Ok(Err(nix::errno::Errno::last_raw()));
    }
    if is_accessible(start) {
        return Ok(Err(0));
    }
    // SAFETY: `MADV_GUARD_INSTALL` has just made this page a guard.
    let removed = unsafe { remove(start, len) };
    Ok(Ok(removed && is_accessible(start)))
}

/// Returns whether the page at `start` can be written, as a system call finds it: one that can is written.
pub(crate) fn is_accessible(start: *mut u8) -> bool {
    // SAFETY: a page holds a `utsname` (390 bytes). The kernel writes it, or fails with EFAULT and writes nothing.
    unsafe { libc::uname(start.cast()) == 0 }
}

/// The variable asks for guards that this process cannot have.
fn no_madvise(errno: i32) -> io::Error {
    let text = match errno {
        libc::EPERM | libc::EACCES | libc::ENOSYS => format!(
            "{VARIABLE}=madvise: the system refuses guard pages ({}), most likely a seccomp filter: allow madvise with \
             the advice 102 and 103, unset the variable or use mprotect",
            io::Error::from_raw_os_error(errno)
        ),
        _ => format!(
            "{VARIABLE}=madvise: this kernel has no guard pages (Linux 6.13): unset it or use mprotect"
        ),
    };
    io::Error::new(io::ErrorKind::Unsupported, text)
}

/// Makes `len` bytes at `start` fault. Their contents go back to the kernel (`madvise`) or are kept (`mprotect`).
/// Async-signal-safe.
///
/// # Errors
///
/// The kernel's errno, which [`explain`] turns into a text.
///
/// # Safety
///
/// The range is whole pages of an arena, and nothing reads or writes it before the guard is removed.
pub(crate) unsafe fn install(start: *mut u8, len: usize) -> Result<(), i32> {
    let failed = match flavour() {
        // SAFETY: the advice changes whole pages of an arena, in which nothing is read or written while the guard stands.
        Some(Flavour::Madvise) => unsafe { libc::madvise(start.cast(), len, MADV_GUARD_INSTALL) },
        // SAFETY: mprotect takes the access from pages of an arena that nothing accesses while the guard stands.
        _ => unsafe { libc::mprotect(start.cast(), len, libc::PROT_NONE) },
    };
    match failed {
        0 => Ok(()),
        _ => Err(nix::errno::Errno::last_raw()),
    }
}

/// Makes a guard accessible again; its bytes are zero. Returns whether the kernel did it. Async-signal-safe.
///
/// # Safety
///
/// The range is a guard that [`install`] made in the `madvise` flavour.
pub(crate) unsafe fn remove(start: *mut u8, len: usize) -> bool {
    // SAFETY: the range is a guard, which holds no data: the pages are zero afterwards, and nothing refers to them.
    unsafe { libc::madvise(start.cast(), len, MADV_GUARD_REMOVE) == 0 }
}

/// Makes a guard of the `mprotect` flavour accessible again, so that the kernel can merge memory areas.
///
/// # Safety
///
/// The range is a guard that [`install`] made in the `mprotect` flavour.
pub(crate) unsafe fn open(start: *mut u8, len: usize) {
    // A refusal leaves the page as it is, and mprotect of the next carve makes no difference to it.
    // SAFETY: the pages are a guard in an arena, mapped private and writable before; nothing refers to them.
    unsafe { libc::mprotect(start.cast(), len, libc::PROT_READ | libc::PROT_WRITE) };
}

/// Gives the memory of a range back to the kernel; guards in it stay.
///
/// # Safety
///
/// The range is whole pages of an arena, and their contents are not needed any more.
pub(crate) unsafe fn discard(start: *mut u8, len: usize) {
    // Refused only for locked memory (mlockall), which then stays where it is: more memory, same behaviour.
    // SAFETY: the range is private anonymous memory; it reads as zeroes afterwards, and its contents are not needed.
    unsafe { libc::madvise(start.cast(), len, libc::MADV_DONTNEED) };
}

/// Returns whether any page of a range of at most [`MOST_PAGES`] is memory. Pages that were swapped out do not count.
pub(crate) fn any_in_use(start: *mut u8, len: usize) -> bool {
    /// The bytes that are written for one page at most: emulators write one for each page of the system that they run on.
    const BYTES: usize = LARGEST_PAGE / (4 << 10);
    let mut resident = [0_u8; MOST_PAGES * BYTES];
    assert!(len <= MOST_PAGES * map::page_size());
    // SAFETY: mincore reads page tables and writes one byte for each page, or for each 4 KiB; `resident` has room for those
    // of `MOST_PAGES`, asserted above.
    let failed = unsafe { libc::mincore(start.cast(), len, resident.as_mut_ptr()) };
    failed == 0 && resident.iter().any(|&page| page & 1 != 0)
}

/// Memory areas that a new thread may need: its stack, its signal stacks with their guards, what the allocator makes for it.
const AREAS_OF_A_THREAD: usize = 24;

/// Returns whether the process may have as many more memory areas as a new thread needs.
///
/// Where std starts a thread too near to the limit, it ends the process.
pub fn has_room_for_thread() -> bool {
    let page = map::page_size();
    let Ok(mut probe) = map::anonymous(AREAS_OF_A_THREAD * page) else {
        return false;
    };
    let start = probe.as_mut_ptr();
    (0..AREAS_OF_A_THREAD).step_by(2).all(|i| {
        let place = start.wrapping_add(i * page);
        // SAFETY: the page is one of `probe`, of which nothing is read or written.
        unsafe { libc::mprotect(place.cast(), page, libc::PROT_NONE) == 0 }
    })
}

/// The error for an errno of [`install`], after `stacks` windows got their guards: with the limit that was hit and the
/// remedy.
pub(crate) fn explain(errno: i32, stacks: usize) -> io::Error {
    explain_of(flavour(), io::Error::from_raw_os_error(errno), stacks)
}

fn explain_of(flavour: Option<Flavour>, cause: io::Error, stacks: usize) -> io::Error {
    let remedy = match (flavour, cause.raw_os_error()) {
        (Some(Flavour::Mprotect), Some(libc::ENOMEM)) => {
            "the process has as many memory areas as the sysctl vm.max_map_count allows, and each stack needs two: \
             raise it (`sysctl -w vm.max_map_count=1000000`) or use Linux 6.13 or newer, which needs none"
        }
        (Some(Flavour::Madvise), Some(libc::EINVAL)) => {
            "memory was locked after the first stack was made: call mlockall before that, or set GOROUTINE_GUARD=mprotect"
        }
        (_, Some(libc::EPERM | libc::EACCES | libc::ENOSYS)) => {
            "the system has begun to refuse guards, most likely by a seccomp filter: install it before the first stack is \
             made, so that guards are tried under it, or set GOROUTINE_GUARD=mprotect"
        }
        _ => "the kernel has no memory for its page tables: have fewer stacks alive at once",
    };
    io::Error::new(
        cause.kind(),
        format!("cannot guard one more goroutine stack after {stacks}: {cause}: {remedy}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_made_by_effect_and_stays() {
        let first = decide().unwrap();
        assert_eq!(decide().unwrap(), first);
        assert_eq!(flavour(), Some(first));
        if try_madvise().unwrap().is_ok() && std::env::var_os(VARIABLE).is_none() {
            assert_eq!(first, Flavour::Madvise);
        }
    }

    #[test]
    fn touched_pages_are_told_from_untouched_ones() {
        let len = map::page_size();
        let mut pages = map::anonymous(4 * len).unwrap();
        pages[len] = 1;
        let start = pages.as_mut_ptr();
        assert!(any_in_use(start, 2 * len));
        assert!(!any_in_use(start, len));
        assert!(!any_in_use(start.wrapping_add(2 * len), 2 * len));
    }

    #[test]
    fn a_refused_guard_is_explained_with_the_remedy() {
        let text = |flavour, errno| {
            let error = explain_of(Some(flavour), io::Error::from_raw_os_error(errno), 17);
            error.to_string()
        };
        assert!(text(Flavour::Mprotect, libc::ENOMEM).contains("vm.max_map_count"));
        assert!(text(Flavour::Mprotect, libc::ENOMEM).contains("after 17"));
        assert!(text(Flavour::Madvise, libc::EINVAL).contains("mlockall"));
        assert!(text(Flavour::Madvise, libc::ENOMEM).contains("page tables"));
        assert!(text(Flavour::Madvise, libc::EPERM).contains("seccomp"));
    }

    #[test]
    fn guards_that_were_asked_for_and_are_refused_are_explained_by_the_errno() {
        assert!(no_madvise(libc::EPERM).to_string().contains("seccomp"));
        assert!(no_madvise(libc::EINVAL).to_string().contains("6.13"));
        assert!(no_madvise(0).to_string().contains("6.13"));
    }
}

//! Guards: pages that fault when they are touched.
//!
//! Two flavours, chosen once, before the first guard is placed:
//!
//! 1. `madvise`: `MADV_GUARD_INSTALL` and `MADV_GUARD_REMOVE` (Linux 6.13). The marker lives in the page table, no memory
//!    area is split, so a million guarded windows are one area.
//! 2. `mprotect`: works everywhere, but each guard is a memory area of its own. Only the hard guard is placed, because
//!    two areas a window are half of what four would be: `vm.max_map_count` (65530 by default) ends it at about 32 700
//!    windows. The memory of a window is then supplied on demand without steps, and because nobody knows how much of it a
//!    goroutine used, each release gives it back: one system call more.
//!
//! The choice is made by trying, and by looking at the effect: emulators return 0 for advice they do not know. Touching
//! the page would need a signal handler; a system call that writes to it answers EFAULT instead.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::arena;
use crate::map;

/// The variable that forces a flavour, for tests and for kernels where the choice should not be left to trying.
const VARIABLE: &str = "GOROUTINE_GUARD";

const MADV_GUARD_INSTALL: libc::c_int = 102;
const MADV_GUARD_REMOVE: libc::c_int = 103;

/// How guards are made in this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Flavour {
    Madvise = 1,
    Mprotect = 2,
}

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

/// Whether stacks grow in steps, which takes guards that cost nothing.
pub fn has_steps() -> bool {
    flavour() == Some(Flavour::Madvise)
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
    let choice = match forced.as_deref().map(|v| v.to_string_lossy()) {
        None if map::is_watched() => Flavour::Mprotect,
        None => match madvise_has_effect()? {
            true => Flavour::Madvise,
            false => Flavour::Mprotect,
        },
        Some(name) if name == "mprotect" => Flavour::Mprotect,
        Some(name) if name == "madvise" => match madvise_has_effect()? {
            true => Flavour::Madvise,
            false => {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    format!(
                        "{VARIABLE}=madvise: this kernel has no guard pages (Linux 6.13): unset it or use mprotect"
                    ),
                ));
            }
        },
        Some(name) => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{VARIABLE}={name}: unset it, or set it to madvise or mprotect"),
            ));
        }
    };
    // The first choice stands, so that two threads never use different flavours.
    // Relaxed: pairs with the load in `flavour`, see there.
    let _ = FLAVOUR.compare_exchange(0, choice as u8, Ordering::Relaxed, Ordering::Relaxed);
    Ok(flavour().expect("just decided"))
}

/// Whether `MADV_GUARD_INSTALL` makes a used page inaccessible.
fn madvise_has_effect() -> io::Result<bool> {
    let len = map::page_size();
    let mut page = map::anonymous(len)?;
    page[0] = 1;
    let start = page.as_mut_ptr();
    // SAFETY: the page belongs to `page`, which nothing reads any more before it is unmapped.
    if unsafe { libc::madvise(start.cast(), len, MADV_GUARD_INSTALL) } != 0 {
        return Ok(false);
    }
    // SAFETY: a page holds a `utsname` (390 bytes); the kernel writes it or answers EFAULT, and both are fine for us.
    let written = unsafe { libc::uname(start.cast()) };
    Ok(written == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT))
}

/// Makes `len` bytes at `start` fault; what was in them goes back to the kernel (`madvise`) or is kept (`mprotect`).
///
/// # Errors
///
/// Names the limit that was hit.
///
/// # Safety
///
/// As for [`place`].
pub(crate) unsafe fn install(start: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY: the caller keeps the same contract.
    if unsafe { place(start, len) } {
        return Ok(());
    }
    let cause = io::Error::last_os_error();
    Err(explain(flavour(), cause, arena::carved()))
}

/// [`install`] for the signal handler: async-signal-safe, says whether it worked and leaves the reason in errno.
///
/// # Safety
///
/// The range is whole pages of an arena, and nothing reads or writes it before the guard is removed.
pub(crate) unsafe fn place(start: *mut u8, len: usize) -> bool {
    let failed = match flavour() {
        // SAFETY: the caller gives us pages of an arena that nobody uses.
        Some(Flavour::Madvise) => unsafe { libc::madvise(start.cast(), len, MADV_GUARD_INSTALL) },
        // SAFETY: as above.
        _ => unsafe { libc::mprotect(start.cast(), len, libc::PROT_NONE) },
    };
    failed == 0
}

/// Makes a guard accessible again; its bytes are zero. Returns whether the kernel did it. Async-signal-safe.
///
/// # Safety
///
/// The range is a guard that [`place`] made in the `madvise` flavour.
pub(crate) unsafe fn remove(start: *mut u8, len: usize) -> bool {
    // SAFETY: removing a guard touches no data: the range holds none.
    unsafe { libc::madvise(start.cast(), len, MADV_GUARD_REMOVE) == 0 }
}

/// Makes a guard of the `mprotect` flavour accessible again, so that the kernel can merge memory areas.
///
/// # Safety
///
/// The range is such a guard.
pub(crate) unsafe fn open(start: *mut u8, len: usize) {
    // A refusal leaves the page as it is, and mprotect of the next carve makes no difference to it.
    // SAFETY: the pages are an arena's and hold nothing.
    unsafe { libc::mprotect(start.cast(), len, libc::PROT_READ | libc::PROT_WRITE) };
}

/// Gives the memory of a range back to the kernel; guards in it stay.
///
/// # Safety
///
/// The range is whole pages of an arena, and nobody needs what is in them.
pub(crate) unsafe fn discard(start: *mut u8, len: usize) {
    // Refused only for locked memory (mlockall), which then stays where it is: more memory, same behaviour.
    // SAFETY: the caller says that the contents are no longer needed.
    unsafe { libc::madvise(start.cast(), len, libc::MADV_DONTNEED) };
}

/// Whether the page at `start` holds data, as far as the kernel can tell. Async-signal-safe.
pub(crate) fn in_use(start: *mut u8) -> bool {
    let mut resident = 0u8;
    // SAFETY: mincore reads page tables and writes one byte a page; the range is one page and `resident` one byte.
    let failed = unsafe { libc::mincore(start.cast(), map::page_size(), &mut resident) };
    failed != 0 || resident & 1 != 0
}

/// The kernel's reason, with what can be done about it.
fn explain(flavour: Option<Flavour>, cause: io::Error, stacks: usize) -> io::Error {
    let remedy = match (flavour, cause.raw_os_error()) {
        (Some(Flavour::Mprotect), Some(libc::ENOMEM)) => {
            "the process has as many memory areas as the sysctl vm.max_map_count allows, and each stack needs two: \
             raise it (`sysctl -w vm.max_map_count=1000000`) or use Linux 6.13 or newer, which needs none"
        }
        (Some(Flavour::Madvise), Some(libc::EINVAL)) => {
            "memory was locked after the first stack was made: call mlockall before that, or set GOROUTINE_GUARD=mprotect"
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
        if madvise_has_effect().unwrap() && std::env::var_os(VARIABLE).is_none() {
            assert_eq!(first, Flavour::Madvise);
        }
    }

    #[test]
    fn in_use_tells_touched_pages_from_untouched_ones() {
        let len = map::page_size();
        let mut pages = map::anonymous(2 * len).unwrap();
        pages[0] = 1;
        let start = pages.as_mut_ptr();
        assert!(in_use(start));
        assert!(!in_use(start.wrapping_add(len)));
    }

    #[test]
    fn a_refused_guard_is_explained_with_the_remedy() {
        let text = |flavour, errno| {
            let error = explain(Some(flavour), io::Error::from_raw_os_error(errno), 17);
            error.to_string()
        };
        assert!(text(Flavour::Mprotect, libc::ENOMEM).contains("vm.max_map_count"));
        assert!(text(Flavour::Mprotect, libc::ENOMEM).contains("after 17"));
        assert!(text(Flavour::Madvise, libc::EINVAL).contains("mlockall"));
        assert!(text(Flavour::Madvise, libc::ENOMEM).contains("page tables"));
    }
}

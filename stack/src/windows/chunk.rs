//! Chunks, the reservations that an arena consists of, and ranges, the windows in them that are no stacks yet.

use std::io;
use std::ptr::NonNull;

use crate::memory::class::{Class, LARGEST_PAGE};
use crate::memory::guard::{self, Flavour};
use crate::memory::map;
use crate::memory::ranges::{self, Ranges};
use crate::windows::window::{Stack, start_in};

/// The size of the first chunk where address space is plentiful: 64 windows of the largest class. With 32 bits it is not:
/// then no chunk has more than this, or more than what was asked for.
#[cfg(target_pointer_width = "64")]
const CHUNK: usize = 64 << 30;
#[cfg(target_pointer_width = "32")]
const CHUNK: usize = 64 << 20;

/// Returns how many windows are asked for at least: see `arena.rs`, under scarcity.
fn least_chunk(class: Class, flavour: Flavour) -> usize {
    let little = map::new_memory_is_locked() || map::is_watched() || flavour == Flavour::Mprotect;
    match little {
        true => 0,
        false => CHUNK / class.window(),
    }
}

/// Returns how many windows are asked for, where `need` are needed and there are `present` ones.
pub(crate) fn wish(class: Class, flavour: Flavour, need: usize, present: usize) -> usize {
    let most = match usize::BITS {
        32 => CHUNK / class.window(),
        _ => usize::MAX,
    };
    let doubled = present.min(most);
    need.max(doubled).max(least_chunk(class, flavour))
}

/// Reserves a chunk: `wish` windows if possible, `need` at least.
pub(crate) fn reserve_chunk(
    class: Class,
    need: usize,
    wish: usize,
) -> io::Result<(NonNull<u8>, usize)> {
    let map = |windows: usize| {
        let bytes = windows
            .checked_mul(class.window())
            .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
        map::reserve(bytes, class.window(), false)
    };
    if let Ok(base) = map(wish) {
        return Ok((base, wish));
    }
    let mut windows = wish;
    while windows > need {
        windows = (windows / 2).max(need);
        // Only tried: dropping the mapping gives the address space back before the quarter is taken.
        if class
            .window()
            .checked_mul(windows)
            .map(map::anonymous)
            .is_some_and(|map| map.is_ok())
        {
            windows = (windows / 4).max(need);
            break;
        }
    }
    match map(windows) {
        Ok(base) => Ok((base, windows)),
        Err(cause) => Err(no_space(class, need, cause)),
    }
}

/// The error where there is no address space for `need` windows, with the remedy.
pub(crate) fn no_space(class: Class, need: usize, cause: impl std::fmt::Display) -> io::Error {
    let window = class.window();
    io::Error::new(
        io::ErrorKind::OutOfMemory,
        format!(
            "no address space for {need} more goroutine stacks of {window} bytes: {cause}: raise RLIMIT_AS and \
             RLIMIT_DATA (`ulimit -v`, `ulimit -d`), allow overcommit (sysctl vm.overcommit_memory=0), or use a smaller stack size"
        ),
    )
}

/// Refuses pages that are too large for the guards of a window.
///
/// # Errors
///
/// When they are; the error names a window that is large enough, if there is one.
pub(crate) fn check_page_size(class: Class) -> io::Result<()> {
    let page = map::page_size();
    let text = match page <= LARGEST_PAGE {
        true if class.is_usable() => return Ok(()),
        true => format!(
            "a stack of {} bytes has no room for guards of {page} bytes, the pages of this kernel: ask for {} bytes",
            class.window(),
            Class::usable()[0].window()
        ),
        false => format!(
            "goroutine stacks need pages of at most {LARGEST_PAGE} bytes, this kernel has {page}: use a kernel with smaller ones"
        ),
    };
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}

/// Windows that lie side by side and have no guards yet.
pub(crate) struct Range {
    base: NonNull<u8>,
    windows: usize,
}

// SAFETY: a `Range` owns its windows, which are memory bound to no thread.
unsafe impl Send for Range {}

impl Range {
    pub(crate) const EMPTY: Range = Range {
        base: NonNull::dangling(),
        windows: 0,
    };

    /// One window that has lost its guards.
    pub(crate) fn one(base: NonNull<u8>) -> Range {
        Range { base, windows: 1 }
    }

    /// A fresh reservation.
    pub(crate) fn new((base, windows): (NonNull<u8>, usize)) -> Range {
        Range { base, windows }
    }

    pub(crate) fn len(&self) -> usize {
        self.windows
    }

    /// Splits up to `n` windows off the start.
    pub(crate) fn split(&mut self, n: usize, class: Class) -> Range {
        let n = n.min(self.windows);
        let front = Range {
            base: self.base,
            windows: n,
        };
        // SAFETY: `n` windows lie in this range, so the result is at most the end of the reservation they are part of.
        self.base = unsafe { self.base.add(n * class.window()) };
        self.windows -= n;
        front
    }

    /// Makes a stack of the first window. On failure, which is an errno, the window stays in the range.
    pub(super) fn carve(&mut self, class: Class) -> Result<Stack, i32> {
        assert!(self.windows > 0, "carve: the range is empty");
        // SAFETY: the window belongs to this range alone, and is taken out of it below if it becomes a stack.
        let stack = unsafe { Stack::carve(self.base, class)? };
        self.split(1, class);
        Ok(stack)
    }

    /// Makes stacks of up to `n` of the first windows with one system call, for `keep`. Returns how many; the others are as
    /// fresh as they were. None, where the kernel does not place guards of several windows at once, or refuses the first.
    pub(super) fn carve_together(
        &mut self,
        class: Class,
        n: usize,
        mut keep: impl FnMut(Stack),
    ) -> usize {
        // A window has two guards at most.
        let n = n.min(self.windows).min(ranges::MOST / 2);
        if n < 2 || guard::flavour() != Some(Flavour::Madvise) || Ranges::are_refused() {
            return 0;
        }
        let (step, mut guards) = (start_in(class), Ranges::new());
        for i in 0..n {
            // SAFETY: `n` windows lie in this range, so the result is the start of one of them.
            let base = unsafe { self.base.add(i * class.window()) };
            Stack::list_guards(base, class, step, &mut guards);
        }
        let each = guards.bytes() / n;
        // SAFETY: the guards lie in windows that belong to this range alone, and are not in use.
        let done = unsafe { guards.guard() } / each;
        for _ in 0..done {
            let window = self.split(1, class);
            // SAFETY: it is one of the first `done` windows, whose guards were listed and stand; it is out of the range now.
            keep(unsafe { Stack::of_guarded(window.base, class, step) });
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use std::mem::ManuallyDrop;

    use super::*;

    /// Of windows that no arena knows: the stacks are never dropped.
    fn range(class: Class, windows: usize) -> Range {
        guard::decide().unwrap();
        Range::new(reserve_chunk(class, windows, windows).unwrap())
    }

    #[test]
    fn stacks_that_are_made_together_are_as_those_that_are_made_alone() {
        let page = map::page_size();
        let class = Class::usable()[0];
        let mut windows = range(class, 20);
        let mut made = Vec::new();
        let done = windows.carve_together(class, 16, |stack| made.push(ManuallyDrop::new(stack)));
        assert_eq!((done, windows.len()), (made.len(), 20 - made.len()));
        // None where guards are not placed by list.
        assert!(done == 16 || done == 0, "{done}");
        let alone = ManuallyDrop::new(windows.carve(class).unwrap());
        for (before, stack) in made.iter().enumerate() {
            let base = stack.base();
            assert_eq!(
                (alone.base().addr() - base.addr()) / class.window(),
                done - before
            );
            assert_eq!((stack.class(), stack.step()), (class, alone.step()));
            let end = base.wrapping_add(class.hard_guard());
            assert!(!guard::is_accessible(base));
            assert!(!guard::is_accessible(end.wrapping_sub(page)));
            assert!(guard::is_accessible(stack.top().wrapping_sub(512)));
            if stack.soft_guard().is_none() {
                assert!(guard::is_accessible(end));
            }
        }
    }

    #[test]
    fn as_many_are_made_together_as_there_are() {
        let class = Class::usable()[0];
        for there in [0, 1, 2, 5] {
            let mut windows = range(class, there.max(1));
            windows = windows.split(there, class);
            let mut made = 0;
            let done = windows.carve_together(class, 100, |stack| {
                made += 1;
                std::mem::forget(stack);
            });
            assert_eq!((done, windows.len()), (made, there - made));
        }
    }
}

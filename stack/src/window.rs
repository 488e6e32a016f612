//! A window in use: one goroutine's stack.
//!
//! ```text
//!  base + window ─┬──────────────────────┐
//!                 │ colour, 0 to 1920 B  │ 128 bytes times the window's number modulo 16
//!           top ──┼──────────────────────┤ the first page: at least 2 KB of it below `top`
//!                 │ step 0: 64 KiB       │ pages appear when they are touched
//!                 ├──────────────────────┤ one page, the soft guard of step 0: a touch moves it down
//!                 │ step 1: to 256 KiB   │
//!                 ├──────────────────────┤ where the soft guard of step 1 goes (1 MiB windows and larger)
//!                 │ ...                  │
//!  base + 16 KiB ─┼──────────────────────┤
//!                 │ hard guard           │ stays for good: a touch is an overflow
//!          base ──┴──────────────────────┘ aligned to the window's size
//! ```
//!
//! At any time a window has the hard guard and at most one soft guard, the one of its current step. The last step ends
//! at the hard guard and has no soft one. A window of 64 KiB has only the last step, and so has every window where
//! guards are made with `mprotect` (`guard.rs`).
//!
//! The colour exists because stack tops at one page offset fight for the same few cache sets: a thousand parked
//! goroutines would use 1/64 of the cache.

use std::fmt;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::arena;
use crate::class::{CLASSES, Class};
use crate::guard::{self, Flavour};
use crate::map;

/// Bytes at the bottom of a window that are never accessible.
pub(crate) const HARD_GUARD: usize = 16 << 10;

/// Where the first step ends, in bytes below the window's end. Each further step ends four times as far down.
const FIRST_STEP: usize = 64 << 10;
const STEP_SHIFT: u32 = 2;

const COLOURS: usize = 16;
const COLOUR: usize = 128;

/// One window in use: the memory of one goroutine's stack.
///
/// It is made by [`acquire`](crate::acquire) or [`Cache::acquire`](crate::Cache::acquire). Dropping it gives the window
/// to the shared list, like [`release`](crate::release).
///
/// One word, because caches and descriptors move it about: what follows from the class is computed, and class and step
/// lie in the bits that every top leaves free.
pub struct Stack {
    /// `top | class << 4 | step`. The step is written by the owner and by the fault handler, which interrupts the owner's
    /// own thread.
    word: AtomicPtr<u8>,
}

/// Tops are aligned to the colours' distance.
const TAGS: usize = COLOUR - 1;
const STEPS: usize = 0xf;
const CLASS_SHIFT: u32 = 4;

const _: () = assert!(
    CLASSES << CLASS_SHIFT <= COLOUR,
    "the class does not fit into the tag bits: use larger colours"
);

impl Stack {
    /// The exclusive upper end of the usable memory: coloured, aligned to 16 bytes and more.
    #[inline]
    pub fn top(&self) -> *mut u8 {
        self.word().map_addr(|word| word & !TAGS)
    }

    /// The class the window belongs to.
    #[inline]
    pub fn class(&self) -> Class {
        class_of(self.word())
    }

    /// Bytes from the top to the hard guard: all that can ever be used.
    pub fn limit(&self) -> usize {
        self.top() as usize - self.base() as usize - HARD_GUARD
    }

    /// Bytes from the top to the guard below it: what can be used before the stack grows again.
    pub fn committed(&self) -> usize {
        match self.soft_guard() {
            Some(guard) => self.top() as usize - guard as usize - map::page_size(),
            None => self.limit(),
        }
    }

    /// Whether `addr` lies in the window, its guards and its colour included.
    pub fn contains(&self, addr: usize) -> bool {
        addr.wrapping_sub(self.base() as usize) < self.class().window()
    }

    /// Makes a stack of a fresh window: places its guards, touches none of its memory.
    ///
    /// # Errors
    ///
    /// When the guards cannot be placed. The window then is as fresh as it was.
    ///
    /// # Safety
    ///
    /// `base` is the start of a window of an arena of this class that is in nobody's use.
    pub(crate) unsafe fn carve(base: NonNull<u8>, class: Class) -> io::Result<Stack> {
        let window = class.window();
        let colour = (base.addr().get() / window % COLOURS) * COLOUR;
        // Colour is at most 1920 and below the window's size, so this is inside the window or at its end.
        let top = base.as_ptr().wrapping_add(window - colour);
        let tag = class.index() << CLASS_SHIFT | usize::from(last_step(class));
        let stack = Stack {
            word: AtomicPtr::new(top.map_addr(|top| top | tag)),
        };
        // The window is not ours before its guards stand: without them, dropping the `Stack` would list it as usable.
        let stack = std::mem::ManuallyDrop::new(stack);
        // SAFETY: the pages are the bottom of a window that nobody uses.
        unsafe { guard::install(base.as_ptr(), HARD_GUARD)? };
        stack.install_first_soft_guard()?;
        Ok(std::mem::ManuallyDrop::into_inner(stack))
    }

    /// Whether the stack has grown beyond its first step (always so where there are no soft guards).
    #[inline]
    pub(crate) fn has_grown(&self) -> bool {
        self.step() != 0
    }

    /// Both at once, from a register: the owner's way to look, which no handler can interfere with.
    #[inline]
    pub(crate) fn class_and_growth(&mut self) -> (Class, bool) {
        let word = *self.word.get_mut();
        (class_of(word), word.addr() & STEPS != 0)
    }

    /// Brings a stack that nothing runs on back to its first step: the memory below it goes back to the kernel.
    #[cold]
    pub(crate) fn reset(&mut self) {
        let Some(first) = self.soft_guard_place(0) else {
            return;
        };
        if let Some(current) = self.soft_guard() {
            // A guard that stays would be a fault that the handler knows nothing about; then growing stays where it is.
            // SAFETY: `soft_guard` says that a guard stands on this page.
            if !unsafe { guard::remove(current, map::page_size()) } {
                return;
            }
        }
        let low = self.base().wrapping_add(HARD_GUARD);
        let len = first as usize - low as usize + map::page_size();
        // SAFETY: whole pages of this window, and nothing runs on the stack that could need what is in them.
        unsafe { guard::discard(low, len) };
        // Without its soft guard the stack still works: it only grows unseen, and is reset again at its next release.
        self.set_step(last_step(self.class()));
        let _ = self.install_first_soft_guard();
    }

    /// The first soft guard, where there is one. On success the stack is at its first step.
    fn install_first_soft_guard(&self) -> io::Result<()> {
        if guard::flavour() == Some(Flavour::Mprotect) {
            return Ok(());
        }
        if let Some(place) = self.soft_guard_place(0) {
            // SAFETY: the page lies below everything in use: the stack is empty.
            unsafe { guard::install(place, map::page_size())? };
        }
        self.set_step(0);
        Ok(())
    }

    /// The page of the soft guard that stands now; `None` in the last step.
    pub(crate) fn soft_guard(&self) -> Option<*mut u8> {
        self.soft_guard_place(self.step())
    }

    /// Where the soft guard of `step` goes; `None` for the last step.
    pub(crate) fn soft_guard_place(&self, step: u8) -> Option<*mut u8> {
        let end = step_end(self.class(), step)?;
        let offset = self.class().window() - end - map::page_size();
        Some(self.base().wrapping_add(offset))
    }

    /// The start of the window.
    #[inline]
    pub(crate) fn base(&self) -> *mut u8 {
        // `top` is above the first byte of the window's last 1920 and at most its end, so one below it is in the window.
        let below = self.top().addr() - 1;
        self.top()
            .wrapping_sub((below & (self.class().window() - 1)) + 1)
    }

    #[inline]
    pub(crate) fn step(&self) -> u8 {
        (self.word().addr() & STEPS) as u8
    }

    pub(crate) fn set_step(&self, step: u8) {
        let word = self
            .word()
            .map_addr(|word| word & !STEPS | usize::from(step));
        // Relaxed: pairs with `word`, see there.
        self.word.store(word, Ordering::Relaxed);
    }

    #[inline]
    fn word(&self) -> *mut u8 {
        // Relaxed: pairs with `set_step`, which runs on this thread (the owner, or a handler that interrupts it) or before
        // the stack was handed over through a lock or the scheduler's queues.
        self.word.load(Ordering::Relaxed)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: this is the owner's last act; the value is forgotten after it, so the window has one owner: the list.
        let stack = unsafe { std::ptr::read(self) };
        arena::put_back(stack);
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack")
            .field("top", &self.top())
            .field("window", &self.class().window())
            .field("committed", &self.committed())
            .finish()
    }
}

/// The class in a stack's word.
#[inline]
fn class_of(word: *mut u8) -> Class {
    // SAFETY: `carve` put the index of a class there, and nothing changes those bits.
    unsafe { Class::from_index((word.addr() & TAGS) >> CLASS_SHIFT) }
}

/// Where `step` ends, in bytes below the window's end; `None` for a step that would reach the hard guard.
fn step_end(class: Class, step: u8) -> Option<usize> {
    let end = FIRST_STEP.checked_shl(STEP_SHIFT * u32::from(step))?;
    let room = class.window() - HARD_GUARD - map::page_size();
    (end < room).then_some(end)
}

/// The step that ends at the hard guard.
pub(crate) fn last_step(class: Class) -> u8 {
    let mut step = 0;
    while step_end(class, step).is_some() {
        step += 1;
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{acquire, release};

    #[test]
    fn a_stack_is_one_word_that_travels_between_threads() {
        fn travels<T: Send + Sync>() -> usize {
            size_of::<T>()
        }
        assert_eq!(travels::<Stack>(), size_of::<usize>());
    }

    #[test]
    fn steps_grow_fourfold_to_the_hard_guard() {
        let [small, medium, large] = [0, 1, 2].map(|i| Class::ALL[i]);
        assert_eq!(step_end(small, 0), None);
        assert_eq!(step_end(medium, 0), Some(64 << 10));
        assert_eq!(step_end(medium, 1), None);
        assert_eq!(step_end(large, 0), Some(64 << 10));
        assert_eq!(step_end(large, 1), Some(256 << 10));
        assert_eq!(step_end(large, 2), None);
        assert_eq!([small, medium, large].map(last_step), [0, 1, 2]);
        let largest: Vec<u8> = Class::ALL[3..]
            .iter()
            .map(|&class| last_step(class))
            .collect();
        assert_eq!(largest, [4, 5, 7]);
    }

    #[test]
    fn the_word_holds_top_class_and_step_apart() {
        for &class in Class::ALL {
            let stack = acquire(class).unwrap();
            let (top, base, step) = (stack.top(), stack.base(), stack.step());
            for other in [15, 0, step] {
                stack.set_step(other);
                assert_eq!(stack.step(), other);
                assert_eq!((stack.top(), stack.base()), (top, base));
                assert_eq!(stack.class(), class);
            }
            assert_eq!(base.addr() % class.window(), 0);
            assert_eq!(stack.limit(), top.addr() - base.addr() - HARD_GUARD);
            release(stack);
        }
    }
}

//! A window in use: one goroutine's stack.
//!
//! ```text
//!  base + window ─┬──────────────────────┐
//!                 │ colour, 0 to 1920 B  │ 128 bytes times the window's number modulo 16
//!           top ──┼──────────────────────┤ the first page: at least 2 KB of it below `top`
//!                 │                      │ pages appear when they are touched
//!                 ├ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─┤ guarded stacks only: one page, the soft guard; a touch moves it down
//!                 │                      │
//!                 ├──────────────────────┤ 64 KiB above `base`, an eighth of the window in small classes
//!                 │ hard guard           │ stays for good: a touch is an overflow
//!          base ──┴──────────────────────┘ aligned to the window's size
//! ```
//!
//! At any time a window has the hard guard and at most one soft guard, the one of its current step (`step.rs`). A paged
//! stack, which is the default, has no soft guard, and so has every window where guards are made with `mprotect`
//! (`guard.rs`), wherever it was asked to start.
//!
//! The colour exists because stack tops at one page offset fight for the same few cache sets: a thousand parked
//! goroutines would use 1/64 of the cache.

use std::fmt;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::memory::class::{CLASSES, Class};
use crate::memory::guard;
use crate::memory::map;
use crate::memory::ranges::Ranges;
use crate::memory::step::{self, Step};

/// At least what any ABI lets a function use below its stack pointer.
pub(crate) const RED_ZONE: usize = 512;

/// A stack that goes to the shared list by itself, and not through a cache, keeps this much memory at most.
const SHORT: usize = 1 << 20;

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

/// Tops are aligned to the colours' distance: the bits of the word that are not the top's. For debuggers as well.
pub const TAGS: usize = COLOUR - 1;
const CLASS_SHIFT: u32 = 4;

const _: () = assert!(
    CLASSES << CLASS_SHIFT <= COLOUR,
    "the class does not fit into the tag bits: use larger colours"
);

impl Stack {
    /// No stack, for a slot (slot.rs). It is never dropped or asked for anything else.
    pub(super) const fn none() -> Stack {
        Stack {
            word: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// A copy of a stack's word, or of none: never dropped, and only asked for what the word says.
    pub(super) const fn of_word(word: *mut u8) -> Stack {
        Stack {
            word: AtomicPtr::new(word),
        }
    }

    #[inline(always)]
    pub(super) fn is_none(&self) -> bool {
        self.word().is_null()
    }

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

    /// The window, guards and colour included.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        let low = self.base().addr();
        low..low + self.class().window()
    }

    /// Bytes from the top to the hard guard: all that can ever be used.
    pub fn limit(&self) -> usize {
        self.top() as usize - self.base() as usize - self.class().hard_guard()
    }

    /// Bytes from the top to the guard below it: what can be used before the stack grows again.
    pub fn committed(&self) -> usize {
        match self.soft_guard() {
            Some(guard) => self.top() as usize - guard as usize - map::page_size(),
            None => self.limit(),
        }
    }

    /// Returns whether `addr` lies in the window, its guards and its colour included.
    pub fn contains(&self, addr: usize) -> bool {
        addr.wrapping_sub(self.base() as usize) < self.class().window()
    }

    /// The stack of the window at `base`, at the step of one without a soft guard. Places no guards.
    fn of_window(base: NonNull<u8>, class: Class) -> Stack {
        let window = class.window();
        let colour = (base.addr().get() / window % COLOURS) * COLOUR;
        // Colour is at most 1920 and below the window's size, so this is inside the window or at its end.
        let top = base.as_ptr().wrapping_add(window - colour);
        let tag = class.index() << CLASS_SHIFT | usize::from(Step::PAGED.number());
        Stack {
            word: AtomicPtr::new(top.map_addr(|top| top | tag)),
        }
    }

    /// Lists the guards that a fresh stack at `step` has in the window at `base`. `step` is of [`start_in`].
    pub(super) fn list_guards(base: NonNull<u8>, class: Class, step: Step, guards: &mut Ranges) {
        let stack = std::mem::ManuallyDrop::new(Stack::of_window(base, class));
        guards.push(base.as_ptr(), class.hard_guard());
        if let Some(place) = stack.soft_guard_place(step) {
            guards.push(place, map::page_size());
        }
    }

    /// The stack of a fresh window that has its guards.
    ///
    /// # Safety
    ///
    /// As for [`carve`](Stack::carve), and exactly the guards stand that [`list_guards`](Stack::list_guards) lists.
    pub(super) unsafe fn of_guarded(base: NonNull<u8>, class: Class, step: Step) -> Stack {
        let stack = Stack::of_window(base, class);
        stack.set_step(step);
        stack
    }

    /// Makes a stack of a fresh window: places its guards, touches none of its memory.
    ///
    /// # Errors
    ///
    /// The errno of the kernel, when the guards cannot be placed. The window then is as fresh as it was.
    ///
    /// # Safety
    ///
    /// `base` is the start of a window of an arena of this class that is not in use.
    pub(super) unsafe fn carve(base: NonNull<u8>, class: Class) -> Result<Stack, i32> {
        // Before the guards stand, dropping the `Stack` would put an unguarded window on the shared list.
        let stack = std::mem::ManuallyDrop::new(Stack::of_window(base, class));
        // SAFETY: the pages are the bottom of a window that is not in use.
        unsafe { guard::install(base.as_ptr(), class.hard_guard())? };
        stack.install_soft_guard(step::default_start())?;
        Ok(std::mem::ManuallyDrop::into_inner(stack))
    }

    /// The opposite of [`carve`](Stack::carve), where guards are made with `mprotect`: takes the guard away.
    pub(super) fn uncarve(mut self) -> NonNull<u8> {
        self.clear();
        let stack = std::mem::ManuallyDrop::new(self);
        // SAFETY: `carve` has placed this guard, and the window, owned by `self`, is not in use.
        unsafe { guard::open(stack.base(), stack.class().hard_guard()) };
        NonNull::new(stack.base()).expect("a window is never at address 0")
    }

    /// Class and step in one read. No handler can write between: `&mut` says that nothing runs on the stack.
    #[inline]
    pub(crate) fn class_and_step(&mut self) -> (Class, Step) {
        let word = *self.word.get_mut();
        (class_of(word), Step::from_bits(word.addr()))
    }

    /// Brings a stack on which nothing runs to `step`, or to paged where its class has no such step. A step back gives the
    /// memory below to the kernel; a paged stack keeps its memory.
    #[cold]
    pub(crate) fn restart(&mut self, step: Step) {
        let now = self.step();
        let step = possible(step, self.class());
        if step == now {
            return;
        }
        if let Some(current) = self.soft_guard() {
            // The handler must know each guard that stands: if the kernel does not remove it, the step stays what it is.
            // SAFETY: `soft_guard` says that a guard stands on this page.
            if !unsafe { guard::remove(current, map::page_size()) } {
                return;
            }
        }
        if step < now
            && let Some(place) = self.soft_guard_place(step)
        {
            self.discard_up_to(place.wrapping_add(map::page_size()));
        }
        // Without its soft guard the stack still works: it grows without a fault, and is restarted at its next release.
        self.set_step(Step::PAGED);
        let _ = self.install_soft_guard(step);
    }

    /// Gives the memory below the first [`SHORT`] bytes back to the kernel, if there is any. Nothing runs on the stack.
    pub(super) fn shorten(&mut self) {
        if self.limit() > SHORT && self.has_used_beyond(SHORT) {
            let page = map::page_size();
            let end = (self.top().addr() - self.base().addr() - SHORT) / page * page;
            self.discard_up_to(self.base().wrapping_add(end));
        }
    }

    /// Gives all memory of the stack back to the kernel. Nothing runs on it.
    pub(crate) fn clear(&mut self) {
        self.discard_up_to(self.base().wrapping_add(self.class().window()));
    }

    /// Gives the memory below `sp` back to the kernel; the stack stays at the step where it is. For a stack on which
    /// something waits for a long time.
    ///
    /// # Safety
    ///
    /// The code that waits on the stack needs nothing below `sp` but a red zone, and does not resume before this returns.
    pub unsafe fn trim(&self, sp: *const u8) {
        if !self.contains(sp.addr()) {
            return;
        }
        let page = map::page_size();
        let end = (sp.addr() - self.base().addr()).saturating_sub(RED_ZONE) / page * page;
        let hard_guard = self.class().hard_guard();
        if let Some(len) = end.checked_sub(hard_guard) {
            // SAFETY: whole pages of this window that end a red zone below `sp`; the code that waits needs none of them.
            unsafe { guard::discard(self.base().wrapping_add(hard_guard), len) };
        }
    }

    /// Returns whether the soft guard has a byte between `start` and `end`. There is no memory in it: the code that owns the
    /// stack has not touched it. Any thread may ask; the guard only moves down.
    pub fn is_guard(&self, start: usize, end: usize) -> bool {
        let Some(guard) = self.soft_guard().map(|guard| guard.addr()) else {
            return false;
        };
        guard < end && start < guard + map::page_size()
    }

    /// Returns whether there is memory right below the first `bytes` of the stack: it was used that far since its memory was
    /// given back last. Pages that were swapped out do not count, nor pages that a frame without stack probes stepped over.
    pub fn has_used_beyond(&self, bytes: usize) -> bool {
        let page = map::page_size();
        let low = (self.top().addr() - self.base().addr()).saturating_sub(bytes) / page * page;
        let look = (guard::MOST_PAGES * page).min(low.saturating_sub(self.class().hard_guard()));
        look > 0 && guard::any_in_use(self.base().wrapping_add(low - look), look)
    }

    /// Gives the memory between the hard guard and `end` back to the kernel.
    fn discard_up_to(&mut self, end: *mut u8) {
        let low = self.base().wrapping_add(self.class().hard_guard());
        // SAFETY: whole pages of this window; `&mut` says that nothing runs on it, so their contents are not needed.
        unsafe { guard::discard(low, end as usize - low as usize) };
    }

    /// Places the soft guard of `step`, where there is one. On success the stack is at that step. The errno otherwise.
    fn install_soft_guard(&self, step: Step) -> Result<(), i32> {
        if !guard::has_steps() {
            return Ok(());
        }
        if let Some(place) = self.soft_guard_place(step) {
            // SAFETY: the callers are `carve` and `restart`, whose stack is empty: the page is not in use.
            unsafe { guard::install(place, map::page_size())? };
        }
        self.set_step(step.within(self.class()));
        Ok(())
    }

    /// The page of the soft guard that stands now, if one does.
    pub(crate) fn soft_guard(&self) -> Option<*mut u8> {
        self.soft_guard_place(self.step())
    }

    /// Where the soft guard of `step` goes, if its class has that step.
    pub(crate) fn soft_guard_place(&self, step: Step) -> Option<*mut u8> {
        let end = step.end(self.class())?;
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

    /// The step at which the stack is.
    #[inline]
    pub fn step(&self) -> Step {
        Step::from_bits(self.word().addr())
    }

    pub(crate) fn set_step(&self, step: Step) {
        let word = self
            .word()
            .map_addr(|word| word & !step::MASK | usize::from(step.number()));
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

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack")
            .field("top", &self.top())
            .field("window", &self.class().window())
            .field("committed", &self.committed())
            .finish()
    }
}

/// The step at which fresh stacks of `class` start.
pub(super) fn start_in(class: Class) -> Step {
    possible(step::default_start(), class)
}

/// `step`, or paged where `class` or this process has no such step.
fn possible(step: Step, class: Class) -> Step {
    match guard::has_steps() {
        true => step.within(class),
        false => Step::PAGED,
    }
}

/// The class in a stack's word.
#[inline]
fn class_of(word: *mut u8) -> Class {
    // SAFETY: `carve` put the index of a class there, and nothing changes those bits.
    unsafe { Class::from_index((word.addr() & TAGS) >> CLASS_SHIFT) }
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
    fn the_word_holds_top_class_and_step_apart() {
        for &class in Class::usable() {
            let stack = acquire(class).unwrap();
            let (top, base, step) = (stack.top(), stack.base(), stack.step());
            for other in [15, 0, usize::from(step.number())].map(Step::from_bits) {
                stack.set_step(other);
                assert_eq!(stack.step(), other);
                assert_eq!((stack.top(), stack.base()), (top, base));
                assert_eq!(stack.class(), class);
            }
            assert_eq!(base.addr() % class.window(), 0);
            let usable = top.addr() - base.addr() - class.hard_guard();
            assert_eq!(stack.limit(), usable);
            stack.set_step(step);
            release(stack);
        }
    }

    #[test]
    fn the_soft_guard_is_told_from_what_lies_around_it() {
        let paged = acquire(Class::usable()[0]).unwrap();
        assert!(!paged.is_guard(0, usize::MAX));
        let stack = crate::acquire_at(Class::usable()[0], Step::STRICT).unwrap();
        let Some(guard) = stack.soft_guard().map(|guard| guard.addr()) else {
            return assert!(!guard::has_steps());
        };
        let end = guard + map::page_size();
        assert!(stack.is_guard(guard, guard + 8) && stack.is_guard(end - 8, end));
        assert!(!stack.is_guard(guard - 8, guard) && !stack.is_guard(end, end + 8));
    }
}

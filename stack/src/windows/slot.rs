//! The place of a stack that may be missing, in one word: an `Option<Stack>` takes two, because a word that the fault
//! handler writes to leaves no value free.

use std::{
    cell::UnsafeCell,
    mem::ManuallyDrop,
    ops::Range,
    sync::atomic::{AtomicPtr, Ordering},
};

use crate::windows::window::Stack;

/// Holds one [`Stack`] or none. Not synchronised: each method is for the one thread that owns the place.
pub struct StackSlot(UnsafeCell<ManuallyDrop<Stack>>);

// SAFETY: every access is through an unsafe method whose caller owns the place, or is the only one to use it; a stack
// may be used and released by any thread.
unsafe impl Sync for StackSlot {}

impl StackSlot {
    /// An empty place.
    #[must_use]
    pub const fn empty() -> StackSlot {
        StackSlot(UnsafeCell::new(ManuallyDrop::new(Stack::none())))
    }

    /// The stack, if there is one.
    ///
    /// # Safety
    ///
    /// While the reference lives, no thread puts a stack here or takes it out.
    #[inline(always)]
    #[must_use]
    pub unsafe fn get(&self) -> Option<&Stack> {
        // SAFETY: the caller promises that nothing is put here or taken meanwhile.
        let stack: &Stack = unsafe { &*self.0.get() };
        (!stack.is_none()).then_some(stack)
    }

    /// The window of the stack, guards included, if there is one. For any thread, also while the owner of the place puts a
    /// stack there or takes it out: then it is of before or after.
    #[must_use]
    pub fn range(&self) -> Option<Range<usize>> {
        // SAFETY: a stack is one word, an `AtomicPtr`, so the place is a valid, aligned one as long as it lives.
        let place = unsafe { AtomicPtr::from_ptr(self.0.get().cast::<*mut u8>()) };
        // Relaxed: what is read is a number.
        let seen = ManuallyDrop::new(Stack::of_word(place.load(Ordering::Relaxed)));
        if seen.is_none() {
            return None;
        }
        Some(seen.range())
    }

    /// Puts a stack here, where there is none.
    ///
    /// # Safety
    ///
    /// The caller is the only one that uses the place.
    #[inline(always)]
    pub unsafe fn put(&self, stack: Stack) {
        // SAFETY: only the caller uses the place. What was there is none, so nothing is leaked.
        unsafe { *self.0.get() = ManuallyDrop::new(stack) };
    }

    /// The stack, made by `make` if there is none.
    ///
    /// # Safety
    ///
    /// As for [`StackSlot::put`]; and as for [`StackSlot::get`].
    #[inline(always)]
    pub unsafe fn get_or_put_with(&self, make: impl FnOnce() -> Stack) -> &Stack {
        // SAFETY: only the caller uses the place, so nothing puts or takes meanwhile.
        if unsafe { self.get() }.is_none() {
            let made = make();
            // SAFETY: only the caller uses the place.
            unsafe { self.put(made) };
        }
        // SAFETY: there is one now, and it stays while the reference lives, as the caller owes.
        unsafe { &*self.0.get() }
    }

    /// Takes the stack out, if there is one.
    ///
    /// # Safety
    ///
    /// As for [`StackSlot::put`].
    #[inline(always)]
    #[must_use]
    pub unsafe fn take(&self) -> Option<Stack> {
        // SAFETY: only the caller uses the place.
        let place = unsafe { &mut *self.0.get() };
        if place.is_none() {
            return None;
        }
        Some(ManuallyDrop::into_inner(std::mem::replace(
            place,
            ManuallyDrop::new(Stack::none()),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Class, acquire};

    #[test]
    fn a_stack_comes_out_of_its_place_once() {
        assert_eq!(size_of::<StackSlot>(), size_of::<usize>());
        let slot = StackSlot::empty();
        let stack = acquire(Class::for_size(1 << 20).expect("a class")).expect("a stack");
        let top = stack.top();
        // SAFETY: only this thread uses the place.
        unsafe {
            assert!(slot.get().is_none() && slot.range().is_none());
            assert!(slot.take().is_none());
            let made = slot.get_or_put_with(|| stack).top();
            assert_eq!(made, top);
            let range = slot.range().expect("it was put there");
            assert!(range.contains(&(top.addr() - 1)) && range.end >= top.addr());
            assert!(range.len() >= 1 << 20);
            assert_eq!(slot.get_or_put_with(|| unreachable!()).top(), top);
            assert_eq!(slot.get().expect("it was put there").top(), top);
            assert_eq!(slot.take().expect("it was put there").top(), top);
            assert!(slot.take().is_none());
        }
    }
}

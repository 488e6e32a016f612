//! The holder of a lock, as reports find it at the address that a waiter waits on.
//!
//! | word | the holder |
//! |---|---|
//! | 0 | none, or unknown |
//! | even | what had its stack pointer there when it locked |
//! | odd | the goroutine or thread whose G lies one below |
//!
//! A stack pointer costs an instruction, a G a look at the thread's record. The holder stores the word after it has locked,
//! and clears it before it unlocks; where a lock is handed over, its new holder is stored before that one is woken. So the
//! word of a lock that is held names its holder or is 0. But for a guard that was forgotten, or has left the segment on which
//! it was made: the lock stays held, and whatever uses that stack later is taken for its holder.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{gmp::g::GRef, sys::asm};

/// What a word says of the holder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    Nobody,
    /// The address of a G.
    G(usize),
    /// A place on its stack.
    Place(usize),
}

/// Gs and stack pointers are even.
const IS_G: usize = 1;

/// The holder of a lock: a word for reports.
#[derive(Debug)]
#[repr(transparent)]
pub struct LockOwner(AtomicUsize);

impl Default for LockOwner {
    fn default() -> LockOwner {
        LockOwner::new()
    }
}

// Relaxed, all of them: a report holds the waiter, or knows that nothing runs; and the lock orders the stores of its holders.
impl LockOwner {
    /// No holder.
    #[inline]
    #[must_use]
    pub const fn new() -> LockOwner {
        LockOwner(AtomicUsize::new(0))
    }

    /// The caller has locked.
    #[inline(always)]
    pub fn set_by_stack(&self) {
        self.0.store(asm::stack_pointer().addr(), Ordering::Relaxed);
    }

    /// `g` has the lock.
    #[inline]
    pub fn set(&self, g: GRef) {
        self.0.store(g.to_word() | IS_G, Ordering::Relaxed);
    }

    /// The holder is about to unlock.
    #[inline(always)]
    pub fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// What the word says.
    pub(crate) fn found(&self) -> Found {
        LockOwner::found_in(self.0.load(Ordering::Relaxed))
    }

    /// What this word of a `LockOwner` says.
    pub(crate) fn found_in(word: usize) -> Found {
        match word {
            0 => Found::Nobody,
            word if word & IS_G != 0 => Found::G(word & !IS_G),
            place => Found::Place(place),
        }
    }

    /// Returns whether `g`, which is the caller's, has locked it.
    #[must_use]
    pub fn is(&self, g: GRef) -> bool {
        match self.found() {
            Found::Nobody => false,
            Found::G(word) => word == g.to_word(),
            Found::Place(place) => g.get().has_on_stack(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gmp::g::{G, Kind};

    #[test]
    fn a_holder_is_itself_and_no_other_until_it_unlocks() {
        let new = || GRef::new(Box::leak(Box::new(G::new(Kind::Goroutine))));
        let (one, other, owner) = (new(), new(), LockOwner::new());
        assert!(!owner.is(one));
        owner.set(one);
        assert!(owner.is(one) && !owner.is(other));
        owner.clear();
        assert!(!owner.is(one));
        owner.set_by_stack();
        assert!(!owner.is(one), "it has no stack");
    }
}

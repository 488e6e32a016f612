//! Ranges: windows that follow each other and are no stacks yet.

use std::io;
use std::ptr::NonNull;

use crate::arena;
use crate::class::Class;
use crate::window::Stack;

/// Windows that follow each other and have no guards yet.
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

    /// Makes a stack of the first window. On failure the window stays in the range.
    pub(crate) fn carve(&mut self, class: Class) -> io::Result<Stack> {
        assert!(self.windows > 0, "carve: the range is empty");
        // SAFETY: the window belongs to this range alone, and is taken out of it below if it becomes a stack.
        let stack = unsafe { Stack::carve(self.base, class)? };
        self.split(1, class);
        arena::note_carved(class);
        Ok(stack)
    }
}

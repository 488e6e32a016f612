//! The list inside a cache: a few stacks, the warmest on top. Its size is fixed, so taking and adding are a few instructions.

use std::mem::MaybeUninit;

use crate::windows::window::Stack;

/// Stacks a list holds.
pub(crate) const BOUND: usize = 64;

/// A bounded last-in, first-out list.
pub(crate) struct Lifo {
    len: usize,
    /// The first `len` are stacks, the coldest first.
    stacks: [MaybeUninit<Stack>; BOUND],
}

impl Lifo {
    pub(crate) const fn new() -> Lifo {
        Lifo {
            len: 0,
            stacks: [const { MaybeUninit::uninit() }; BOUND],
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Takes the warmest.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Stack> {
        let last = self.len.checked_sub(1)?;
        let place = self.stacks.get(last)?;
        self.len = last;
        // SAFETY: the place is below the old `len`, so it held a stack; it is above the new one, so it is read once.
        Some(unsafe { place.assume_init_read() })
    }

    /// Adds a stack on top.
    ///
    /// # Panics
    ///
    /// When the list is full.
    #[inline]
    pub(crate) fn push(&mut self, stack: Stack) {
        self.stacks[self.len].write(stack);
        self.len += 1;
    }

    /// Takes the `n` coldest, or all there are. They are given one by one to `to`, which must not panic.
    pub(crate) fn take_coldest(&mut self, n: usize, mut to: impl FnMut(Stack)) {
        let (n, len) = (n.min(self.len), self.len);
        // Until the end no stack is in the list: a panic would lose some, and give none to two owners.
        self.len = 0;
        for place in &self.stacks[..n] {
            // SAFETY: the place is below the old `len`, so it holds a stack; what is moved here next comes from above `n`.
            to(unsafe { place.assume_init_read() });
        }
        for i in n..len {
            self.stacks.swap(i - n, i);
        }
        self.len = len - n;
    }
}

impl Drop for Lifo {
    fn drop(&mut self) {
        self.take_coldest(BOUND, drop);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Class, acquire};

    fn filled(n: usize) -> (Lifo, Vec<*mut u8>) {
        let mut list = Lifo::new();
        let tops = (0..n).map(|_| {
            let stack = acquire(Class::DEFAULT).unwrap();
            let top = stack.top();
            list.push(stack);
            top
        });
        let tops = tops.collect();
        (list, tops)
    }

    #[test]
    fn the_warmest_comes_first_and_the_coldest_leave_first() {
        let (mut list, tops) = filled(10);
        assert_eq!(list.pop().unwrap().top(), tops[9]);
        let mut cold = Vec::new();
        list.take_coldest(4, |stack| cold.push(stack.top()));
        assert_eq!(cold, tops[..4]);
        assert_eq!(list.len(), 5);
        for &top in tops[4..9].iter().rev() {
            assert_eq!(list.pop().unwrap().top(), top);
        }
        assert!(list.pop().is_none());
    }

    #[test]
    fn taking_more_than_there_are_takes_all() {
        let (mut list, tops) = filled(3);
        let mut taken = 0;
        list.take_coldest(100, |_| taken += 1);
        assert_eq!((taken, list.len()), (tops.len(), 0));
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn a_full_list_takes_no_more() {
        let (mut list, _) = filled(BOUND);
        list.push(acquire(Class::DEFAULT).unwrap());
    }
}

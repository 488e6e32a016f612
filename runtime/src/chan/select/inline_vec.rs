//! A list that allocates only when it gets long.

use std::{mem::MaybeUninit, slice};

/// Up to so many are kept in place.
pub(super) const INLINE: usize = 8;

pub(super) struct InlineVec<T> {
    /// The first `len` are there, unless `many` is in use.
    few: [MaybeUninit<T>; INLINE],
    len: usize,
    /// All of them, once there were more than a few.
    many: Vec<T>,
}

impl<T: Copy> InlineVec<T> {
    pub(super) fn new() -> InlineVec<T> {
        InlineVec {
            few: [const { MaybeUninit::uninit() }; INLINE],
            len: 0,
            many: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, item: T) {
        if self.many.is_empty() && self.len < INLINE {
            self.few[self.len].write(item);
            self.len += 1;
            return;
        }
        if self.many.is_empty() {
            self.many = self.as_slice().to_vec();
            self.len = 0;
        }
        self.many.push(item);
    }

    /// Takes out what is at `at`; the others stay in order.
    pub(super) fn remove(&mut self, at: usize) {
        if self.many.is_empty() {
            assert!(at < self.len, "goroutines: nothing to remove at {at}");
            self.few.copy_within(at + 1..self.len, at);
            self.len -= 1;
        } else {
            self.many.remove(at);
        }
    }

    pub(super) fn as_slice(&self) -> &[T] {
        if self.many.is_empty() {
            // SAFETY: the first `len` were written and are Copy.
            unsafe { slice::from_raw_parts(self.few.as_ptr().cast(), self.len) }
        } else {
            &self.many
        }
    }
}

impl<T: Copy> Clone for InlineVec<T> {
    fn clone(&self) -> InlineVec<T> {
        InlineVec {
            few: self.few,
            len: self.len,
            many: self.many.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_or_many_it_is_a_list() {
        let (mut list, mut oracle) = (InlineVec::new(), Vec::new());
        let mut random = 1_u32;
        for i in 0..2000_u32 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if oracle.is_empty() || random >> 31 == 0 && oracle.len() < 20 {
                list.push(i);
                oracle.push(i);
            } else {
                let at = (random >> 16) as usize % oracle.len();
                list.remove(at);
                oracle.remove(at);
            }
            assert_eq!(list.as_slice(), oracle);
            assert_eq!(list.clone().as_slice(), oracle);
        }
    }
}

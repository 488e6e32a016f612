//! The buffer of a bounded channel: a ring that is allocated once.
//!
//! ```text
//!            head            head + len (mod capacity)
//!              ▼               ▼
//!   ┌────┬────┬────┬────┬────┬────┬────┐
//!   │    │    │ m0 │ m1 │ m2 │    │    │
//!   └────┴────┴────┴────┴────┴────┴────┘
//! ```
//!
//! The messages are dropped by its owner (see buffer.rs), not by the ring.

use std::mem::MaybeUninit;

pub(super) struct Ring<T> {
    slots: Box<[MaybeUninit<T>]>,
    head: usize,
    len: usize,
}

impl<T> Ring<T> {
    /// An empty ring of `capacity` slots, at least one.
    pub(super) fn new(capacity: usize) -> Ring<T> {
        debug_assert!(capacity > 0);
        Ring {
            slots: Box::new_uninit_slice(capacity),
            head: 0,
            len: 0,
        }
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        self.len == self.slots.len()
    }

    /// The place that is `offset` behind the head.
    #[inline(always)]
    fn place(&self, offset: usize) -> usize {
        // `offset` is at most the capacity, so one wrap is enough; written without a sum that could
        // overflow for a ring of usize::MAX messages without a size.
        let left = self.slots.len() - self.head;
        if offset < left {
            self.head + offset
        } else {
            offset - left
        }
    }

    /// # Safety
    ///
    /// The ring is not full.
    #[inline(always)]
    pub(super) unsafe fn push(&mut self, msg: T) {
        let place = self.place(self.len);
        // SAFETY: `head` is below the capacity and `len` too (not full), so `place` wraps to a slot.
        unsafe { self.slots.get_unchecked_mut(place) }.write(msg);
        self.len += 1;
    }

    /// # Safety
    ///
    /// The ring is not empty.
    #[inline(always)]
    pub(super) unsafe fn pop(&mut self) -> T {
        // SAFETY: `head` is below the capacity, and the first `len` slots from it are full.
        let msg = unsafe { self.slots.get_unchecked(self.head).assume_init_read() };
        self.head = self.place(1);
        self.len -= 1;
        msg
    }
}

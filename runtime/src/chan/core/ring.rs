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

use std::{mem::MaybeUninit, ptr};

pub(crate) struct Ring<T> {
    slots: Box<[MaybeUninit<T>]>,
    head: usize,
    len: usize,
    /// How many messages there may be: slots that are not kept for messages which are still to come.
    limit: usize,
}

impl<T> Ring<T> {
    /// An empty ring of `capacity` slots, at least one.
    pub(super) fn new(capacity: usize) -> Ring<T> {
        debug_assert!(capacity > 0);
        Ring {
            slots: Box::new_uninit_slice(capacity),
            head: 0,
            len: 0,
            limit: capacity,
        }
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        self.len == self.limit
    }

    /// Keeps a slot for a message that is still to come. The ring is not full.
    pub(super) fn reserve(&mut self) {
        debug_assert!(!self.is_full());
        self.limit -= 1;
    }

    /// Gives up a slot that was reserved.
    pub(super) fn give_back(&mut self) {
        debug_assert!(self.limit < self.slots.len());
        self.limit += 1;
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

    /// Moves the message at `msg` to the end.
    ///
    /// # Safety
    ///
    /// The ring is not full; `msg` points at a message, which is the ring's from now on.
    #[inline(always)]
    pub(super) unsafe fn push(&mut self, msg: *const T) {
        let place = self.place(self.len);
        // SAFETY: `head` is below the capacity and `len` too (not full), so `place` wraps to a slot;
        // it is empty, and `msg` lies elsewhere.
        unsafe {
            let slot = self.slots.get_unchecked_mut(place);
            ptr::copy_nonoverlapping(msg, slot.as_mut_ptr(), 1);
        }
        self.len += 1;
    }

    /// Moves the oldest message to `out`.
    ///
    /// # Safety
    ///
    /// The ring is not empty; `out` may be written, and what is there then is the caller's.
    #[inline(always)]
    pub(super) unsafe fn pop(&mut self, out: *mut T) {
        // SAFETY: `head` is below the capacity, the first `len` slots from it are full, and `out`
        // lies elsewhere.
        unsafe {
            let slot = self.slots.get_unchecked(self.head);
            ptr::copy_nonoverlapping(slot.as_ptr(), out, 1);
        }
        // As `place(1)`, in fewer instructions: the head is below the capacity, so the sum does not overflow.
        let next = self.head + 1;
        self.head = if next == self.slots.len() { 0 } else { next };
        self.len -= 1;
    }
}

//! The buffer of an unbounded channel: a list of blocks.
//!
//! ```text
//!   head ──► ┌──────────────────┐    ┌──────────────────┐    ┌──────────────────┐ ◄── tail
//!            │ next             │───►│ next             │───►│ next: none       │
//!            │ · · · m m m m m  │    │ m m m m m m m m  │    │ m m m · · · · ·  │
//!            └───────▲──────────┘    └──────────────────┘    └───────▲──────────┘
//!                 head_at                                         tail_at
//!   spare ──► an empty block, or none
//! ```
//!
//! Nothing is allocated or freed while the channel is locked: a push that finds no room and no spare
//! block says so, and the sender brings one; a pop that empties a block keeps it as the spare or hands
//! it out. A channel whose backlog stays within two blocks allocates twice in its life.

use std::{
    mem::MaybeUninit,
    ptr::{self, NonNull},
};

/// Some messages, and the block behind.
pub(crate) struct Block<T> {
    next: Option<NonNull<Block<T>>>,
    slots: Box<[MaybeUninit<T>]>,
}

impl<T> Block<T> {
    /// Messages in a block: about a page of them, at least 4, at most 64.
    const SLOTS: usize = match size_of::<T>() {
        0..=64 => 64,
        65..=1024 => 4096 / size_of::<T>(),
        _ => 4,
    };

    /// An empty block.
    pub(super) fn new() -> Box<Block<T>> {
        Box::new(Block {
            next: None,
            slots: Box::new_uninit_slice(Self::SLOTS),
        })
    }
}

pub(crate) struct Blocks<T> {
    /// The oldest block; none before the first message, never again after it.
    head: Option<NonNull<Block<T>>>,
    head_at: usize,
    tail: Option<NonNull<Block<T>>>,
    /// The first free slot of the tail; SLOTS when it is full, or when there is none.
    tail_at: usize,
    len: usize,
    spare: Option<Box<Block<T>>>,
}

impl<T> Blocks<T> {
    /// Empty; allocates nothing.
    pub(super) const fn new() -> Blocks<T> {
        Blocks {
            head: None,
            head_at: 0,
            tail: None,
            tail_at: Block::<T>::SLOTS,
            len: 0,
            spare: None,
        }
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns whether a message can be pushed without a new block.
    #[inline(always)]
    pub(super) fn has_room(&self) -> bool {
        self.tail_at < Block::<T>::SLOTS || self.spare.is_some()
    }

    /// Takes `block` as the spare one; returns it if there is one already.
    pub(super) fn supply(&mut self, block: Box<Block<T>>) -> Option<Box<Block<T>>> {
        if self.spare.is_some() {
            return Some(block);
        }
        self.spare = Some(block);
        None
    }

    /// Moves the message at `msg` to the end.
    ///
    /// # Safety
    ///
    /// There is room; `msg` points at a message, which is the list's from now on.
    #[inline(always)]
    pub(super) unsafe fn push(&mut self, msg: *const T) {
        if self.tail_at == Block::<T>::SLOTS {
            self.append_spare();
        }
        // SAFETY: there is a tail: either it had a free slot, or it was just appended. Blocks of the
        // list are ours and alive; slot `tail_at` is one of theirs and empty.
        unsafe {
            let tail = self.tail.unwrap_unchecked().as_mut();
            let slot = tail.slots.get_unchecked_mut(self.tail_at);
            ptr::copy_nonoverlapping(msg, slot.as_mut_ptr(), 1);
        }
        self.tail_at += 1;
        self.len += 1;
    }

    #[inline(never)]
    fn append_spare(&mut self) {
        let Some(spare) = self.spare.take() else {
            unreachable!("goroutines: a push without room");
        };
        let block = Some(NonNull::from(Box::leak(spare)));
        match self.tail {
            // SAFETY: blocks of the list are ours and alive.
            Some(mut tail) => unsafe { tail.as_mut() }.next = block,
            None => self.head = block,
        }
        self.tail = block;
        self.tail_at = 0;
    }

    /// Moves the oldest message to `out`. Returns the block that it left empty, if that is not needed:
    /// to be dropped when the channel is unlocked.
    ///
    /// # Safety
    ///
    /// There is a message; `out` may be written, and what is there then is the caller's.
    #[inline(always)]
    pub(super) unsafe fn pop(&mut self, out: *mut T) -> Option<Box<Block<T>>> {
        // SAFETY: there is a message, so there is a head, and its slot `head_at` is full.
        unsafe {
            let head = self.head.unwrap_unchecked().as_ref();
            let slot = head.slots.get_unchecked(self.head_at);
            ptr::copy_nonoverlapping(slot.as_ptr(), out, 1);
        }
        self.head_at += 1;
        self.len -= 1;
        if self.len == 0 {
            // Head and tail are one block: it starts anew, still warm.
            self.head_at = 0;
            self.tail_at = 0;
            None
        } else if self.head_at < Block::<T>::SLOTS {
            None
        } else {
            self.unlink_head()
        }
    }

    /// The head is empty and has a successor.
    #[inline(never)]
    fn unlink_head(&mut self) -> Option<Box<Block<T>>> {
        let head = self.head?;
        // SAFETY: blocks of the list were leaked from boxes; this one leaves the list here.
        let mut block = unsafe { Box::from_raw(head.as_ptr()) };
        self.head = block.next.take();
        self.head_at = 0;
        self.supply(block)
    }
}

impl<T> Drop for Blocks<T> {
    fn drop(&mut self) {
        let mut next = self.head;
        while let Some(block) = next {
            // SAFETY: blocks of the list were leaked from boxes, and the list ends here.
            next = unsafe { Box::from_raw(block.as_ptr()) }.next;
        }
    }
}

/// Apart from the fast path of the operation that leaves a block over.
#[cold]
#[inline(never)]
pub(super) fn free_block<T>(block: Option<Box<Block<T>>>) {
    drop(block);
}

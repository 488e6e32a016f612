//! The local run queue of a P: a bounded ring, and the `runnext` slot beside it.
//!
//! One producer, the M that owns the P, pushes at the tail; every M takes from the head. Indices count up and wrap;
//! `tail - head` is the length.
//!
//! ```text
//!   head ──┐ taken by the owner and by thieves: one CAS     tail ──┐ stored by the owner only
//!          ▼                                                       ▼
//!   ┌───┬───┬───┬───┬───┬───┬───┬───┐
//!   │   │ G │ G │ G │ G │ G │   │   │   slots[index % CAPACITY]
//!   └───┴───┴───┴───┴───┴───┴───┴───┘      runnext: ┌───┐ one G that goes first
//!                                                   │ G │ (swapped, so that it can be stolen)
//!                                                   └───┘
//! ```
//!
//! A thief reads the slots *before* its CAS on `head`. While `head` has not moved, the owner cannot reuse these slots
//! (a push needs `tail - head < CAPACITY`). So a successful CAS proves that the words read were right, and after a
//! failed one they are dropped. The slots are atomics with relaxed accesses, because a thief may read one while the
//! owner overwrites it.
//!
//! Words are opaque and not zero (the scheduler stores addresses of Gs). 1024 slots and not Go's
//! 256: with 1000 runnable goroutines 256 slots spill to the global queue all the time, which
//! halves the speed.

use crate::protocol::sync::{AtomicU32, AtomicUsize, Ordering};

/// Slots of a ring. A power of two; small under loom, so that models see it full and wrapped.
#[cfg(not(goroutines_loom))]
pub(crate) const CAPACITY: u32 = 1024;
/// Slots of a ring. A power of two; small under loom, so that models see it full and wrapped.
#[cfg(goroutines_loom)]
pub(crate) const CAPACITY: u32 = 4;

/// The words that left a full ring, oldest first.
pub(crate) type Spill = Vec<usize>;

pub(crate) struct Ring {
    head: Linked<AtomicU32>,
    tail: Linked<AtomicU32>,
    next: AtomicUsize,
    /// Whether there may be thieves. The only P of a process needs no locked instructions.
    shared: bool,
    slots: [AtomicUsize; CAPACITY as usize],
}

/// A word that was taken from a ring, and the rest of the ring.
pub(crate) struct Taken {
    pub(crate) word: usize,
    pub(crate) rest: Rest,
}

/// What is left in a ring, as its owner has just seen it; thieves may take some.
#[derive(Clone, Copy)]
pub(crate) struct Rest {
    head: u32,
    pub(crate) len: u32,
}

/// Keeps thieves' traffic on `head` off the owner's line with `tail`.
#[repr(align(128))]
struct Linked<T>(T);

impl Ring {
    /// Makes an empty ring at `place`, without a copy of it on the stack, which may be small. Only a `shared` one may be
    /// stolen from.
    ///
    /// # Safety
    ///
    /// `place` may be written and no other thread uses it.
    #[cfg(not(goroutines_loom))]
    pub(crate) unsafe fn make_at(place: *mut Ring, shared: bool) {
        // SAFETY: `place` is valid for writes, as the caller owes; all fields are written, and zeroes are slots.
        unsafe {
            (&raw mut (*place).shared).write(shared);
            (&raw mut (*place).head).write(Linked(AtomicU32::new(0)));
            (&raw mut (*place).tail).write(Linked(AtomicU32::new(0)));
            (&raw mut (*place).next).write(AtomicUsize::new(0));
            (&raw mut (*place).slots).write_bytes(0, 1);
        }
    }

    /// An empty ring. Only a `shared` one may be stolen from.
    #[cfg(goroutines_loom)]
    pub(crate) fn new(shared: bool) -> Ring {
        Ring {
            shared,
            head: Linked(AtomicU32::new(0)),
            tail: Linked(AtomicU32::new(0)),
            next: AtomicUsize::new(0),
            slots: std::array::from_fn(|_| AtomicUsize::new(0)),
        }
    }

    #[inline]
    fn slot(&self, index: u32) -> &AtomicUsize {
        // CAPACITY is a power of two and the length of `slots`, so the index is in bounds, as the compiler sees.
        &self.slots[(index & (CAPACITY - 1)) as usize]
    }

    /// Appends `word`; gives it back when the ring is full. Owner only.
    #[inline]
    pub(crate) fn push(&self, word: usize) -> Result<(), usize> {
        // Acquire: partner is the Release half of the CAS in `pop` and `steal_into`; a taker has read its slots
        // before this thread overwrites them.
        let head = self.head.0.load(Ordering::Acquire);
        // Relaxed: only the owner writes `tail`.
        let tail = self.tail.0.load(Ordering::Relaxed);
        if tail.wrapping_sub(head) >= CAPACITY {
            return Err(word);
        }
        // Relaxed: published by the store of `tail` below.
        self.slot(tail).store(word, Ordering::Relaxed);
        // Release: partner is the Acquire load of `tail` in `steal_into`; publishes the slot and
        // the whole state of the G behind the word.
        self.tail.0.store(tail.wrapping_add(1), Ordering::Release);
        Ok(())
    }

    /// Takes the oldest word. Owner only.
    #[inline]
    pub(crate) fn pop(&self) -> Option<usize> {
        self.pop_counting().map(|taken| taken.word)
    }

    /// As [`Ring::pop`], and says what is left.
    #[inline]
    pub(crate) fn pop_counting(&self) -> Option<Taken> {
        // Relaxed: only the owner writes `tail`.
        let tail = self.tail.0.load(Ordering::Relaxed);
        // Relaxed: the owner wrote the slots; the CAS validates the value.
        let mut head = self.head.0.load(Ordering::Relaxed);
        loop {
            if head == tail {
                return None;
            }
            // Relaxed: the owner wrote it.
            let word = self.slot(head).load(Ordering::Relaxed);
            let next = head.wrapping_add(1);
            let rest = Rest {
                head: next,
                len: tail.wrapping_sub(next),
            };
            if !self.shared {
                // Relaxed: other threads only ask whether this ring is empty.
                self.head.0.store(next, Ordering::Relaxed);
                return Some(Taken { word, rest });
            }
            // Release: partner is the Acquire load of `head` in `push`. Relaxed on failure: retried.
            match self.head.0.compare_exchange_weak(
                head,
                next,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(Taken { word, rest }),
                Err(moved) => head = moved,
            }
        }
    }

    /// The word `distance` places behind the head, for prefetching only: another M may have taken it already. Owner
    /// only; `distance` is below the length of `rest`, so that the owner has put a word there.
    #[inline]
    pub(crate) fn peek(&self, rest: Rest, distance: u32) -> usize {
        debug_assert!(distance < rest.len);
        // Relaxed: the owner wrote it.
        self.slot(rest.head.wrapping_add(distance))
            .load(Ordering::Relaxed)
    }

    /// What is in the ring (`runnext` not counted). Owner only.
    #[inline]
    pub(crate) fn rest(&self) -> Rest {
        // Relaxed (both): a snapshot; only the owner writes the tail.
        let tail = self.tail.0.load(Ordering::Relaxed);
        let head = self.head.0.load(Ordering::Relaxed);
        Rest {
            head,
            len: tail.wrapping_sub(head),
        }
    }

    /// The indices of the head and of the tail. A snapshot, for any thread.
    #[cfg(not(goroutines_loom))]
    pub(crate) fn ends(&self) -> (u32, u32) {
        // Acquire: as in `steal_into`, so that the tail is not behind the head. Relaxed: a snapshot.
        let head = self.head.0.load(Ordering::Acquire);
        (head, self.tail.0.load(Ordering::Relaxed))
    }

    /// How many words there are, for any thread: an estimate.
    #[cfg(not(goroutines_loom))]
    pub(crate) fn len_from_outside(&self) -> u32 {
        // The head may seem to have overtaken the tail.
        Some(self.rest().len)
            .filter(|&n| n <= CAPACITY)
            .unwrap_or(0)
    }

    /// Moves half of a full ring out, oldest first, to be queued elsewhere together with the word
    /// that did not fit. Owner only. Empty when thieves made room meanwhile.
    pub(crate) fn spill(&self) -> Spill {
        // Acquire: as in `push`.
        let head = self.head.0.load(Ordering::Acquire);
        // Relaxed: only the owner writes `tail`.
        let tail = self.tail.0.load(Ordering::Relaxed);
        let count = tail.wrapping_sub(head) / 2;
        if count < CAPACITY / 2 {
            return Spill::new();
        }
        // Relaxed: the owner wrote them.
        let words: Spill = (0..count)
            .map(|i| self.slot(head.wrapping_add(i)).load(Ordering::Relaxed))
            .collect();
        // Release: partner is the Acquire load of `head` in `push`. Relaxed on failure: dropped.
        match self.head.0.compare_exchange(
            head,
            head.wrapping_add(count),
            Ordering::Release,
            Ordering::Relaxed,
        ) {
            Ok(_) => words,
            Err(_) => Spill::new(),
        }
    }

    /// Returns whether there may be thieves.
    #[inline]
    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// Moves half of this ring into `own`, which must be empty and owned by the caller, and
    /// returns one more word to run at once. With `take_next`, a lone `runnext` may be taken too.
    pub(crate) fn steal_into(&self, own: &Ring, take_next: bool) -> Option<usize> {
        if !self.shared {
            return None;
        }
        // Relaxed: `own` belongs to the caller.
        let own_tail = own.tail.0.load(Ordering::Relaxed);
        loop {
            // Acquire: orders this load before the one of `tail`, so that `tail >= head`.
            let head = self.head.0.load(Ordering::Acquire);
            // Acquire: partner is the Release store in `push`; makes the slots visible.
            let tail = self.tail.0.load(Ordering::Acquire);
            let length = tail.wrapping_sub(head);
            let count = length - length / 2;
            if count == 0 {
                return if take_next { self.take_next() } else { None };
            }
            if count > CAPACITY / 2 {
                continue; // `head` moved between the two loads
            }
            for i in 0..count {
                // Relaxed: validated by the CAS below (see the module's essay).
                let word = self.slot(head.wrapping_add(i)).load(Ordering::Relaxed);
                // Relaxed: published by the store of `own.tail` below.
                own.slot(own_tail.wrapping_add(i))
                    .store(word, Ordering::Relaxed);
            }
            // AcqRel: Release's partner is the Acquire load of `head` in `push`; Acquire keeps the
            // words' use behind the CAS. Relaxed on failure: retried.
            if self
                .head
                .0
                .compare_exchange(
                    head,
                    head.wrapping_add(count),
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                )
                .is_ok()
            {
                // The last one is returned, the others are published. Relaxed: the owner of `own` wrote it.
                let last = own
                    .slot(own_tail.wrapping_add(count - 1))
                    .load(Ordering::Relaxed);
                // Release: partner is the Acquire load of `tail` in other thieves.
                own.tail
                    .0
                    .store(own_tail.wrapping_add(count - 1), Ordering::Release);
                return Some(last);
            }
        }
    }

    /// Puts `word` into `runnext`; returns the word that was there, if any. Owner only.
    #[inline]
    pub(crate) fn put_next(&self, word: usize) -> Option<usize> {
        let old = if self.shared {
            // AcqRel: publishes the G behind `word` to a thief's `take_next`, takes over the old one.
            self.next.swap(word, Ordering::AcqRel)
        } else {
            // Relaxed (both): only the owner takes from this slot.
            let old = self.next.load(Ordering::Relaxed);
            self.next.store(word, Ordering::Relaxed);
            old
        };
        (old != 0).then_some(old)
    }

    /// Takes `runnext`. For any thread.
    #[inline]
    pub(crate) fn take_next(&self) -> Option<usize> {
        // Relaxed: a hint where the ring is shared, the swap decides; otherwise only the owner writes it.
        let word = self.next.load(Ordering::Relaxed);
        if word == 0 {
            return None;
        }
        if !self.shared {
            // Relaxed: the ring is not shared, so only the owner uses the slot.
            self.next.store(0, Ordering::Relaxed);
            return Some(word);
        }
        // Acquire: partner is `put_next`; the 0 that is stored publishes nothing.
        let word = self.next.swap(0, Ordering::Acquire);
        (word != 0).then_some(word)
    }

    /// The `runnext`, which stays where it is; 0 if there is none. A snapshot.
    pub(crate) fn peek_next(&self) -> usize {
        // Relaxed: a hint; a taker uses swap.
        self.next.load(Ordering::Relaxed)
    }

    /// Returns whether there is a `runnext`. A snapshot.
    pub(crate) fn has_next(&self) -> bool {
        self.peek_next() != 0
    }

    /// Returns whether the ring is empty (`runnext` not counted). A snapshot.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // Acquire (both): the answer is used after a SeqCst fence by the idle protocol, whose
        // fence is the partner; here only the order of the two loads matters.
        self.head.0.load(Ordering::Acquire) == self.tail.0.load(Ordering::Acquire)
    }
}

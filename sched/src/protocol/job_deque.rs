//! The deque of jobs of a goroutine that is in a fork-join: the second closures that others may take.
//!
//! One owner, the goroutine, pushes and pops at the bottom; every M steals at the top. Indices count up and do not
//! wrap; `bottom - top` is the length. It is the deque of Chase and Lev in its form for weak memory, with a fixed
//! number of slots.
//!
//! ```text
//!   top ──┐ moved by thieves, and by the owner         bottom ──┐ stored by the owner only
//!         ▼ that pops the last word: one CAS                    ▼
//!   ┌───┬───┬───┬───┬───┬───┬───┬───┐
//!   │   │ J │ J │ J │ J │ J │   │   │   slots[index % SLOTS]
//!   └───┴───┴───┴───┴───┴───┴───┴───┘
//!         oldest       youngest
//! ```
//!
//! The steps of a pop, and of a steal:
//!
//! ```text
//! owner pops                                      thief steals
//! D1 bottom -= 1                                  E1 read top
//! D2 fence(SeqCst)                                   fence(SeqCst)
//! D3 read top: above bottom: nothing is left      E2 read bottom: not above top: nothing is there
//!    below bottom: the word is the owner's           read the word at top
//!    equal: CAS top + 1, the winner has the word  E3 CAS top + 1: the word is the thief's
//! ```
//!
//! - *One word left*: both sides come to the CAS, and one wins it.
//! - *More than one*: of the two fences one is second, and its side sees the other's step. So a thief that takes the
//!   word below the owner's sees that the owner's is gone, or the owner sees at D3 how far the thieves have come.
//! - *The slot is used again*: a push needs `bottom - top < SLOTS`, so the slot at `top` is not written while `top` has
//!   not moved. A thief whose CAS succeeds has read the right word; the others drop what they have read.
//!
//! A full deque refuses a word: the owner then runs that job itself.

use crate::protocol::sync::{AtomicU64, AtomicUsize, Ordering, fence};

/// How many jobs lie in a deque at most. Far more than there are Ps to take them; small under loom, so that models see
/// it full and used again.
#[cfg(not(goroutines_loom))]
pub(crate) const SLOTS: usize = 64;
/// See the other one.
#[cfg(goroutines_loom)]
pub(crate) const SLOTS: usize = 2;

/// All zero is an empty deque.
#[repr(C, align(128))]
pub(crate) struct JobDeque {
    top: AtomicU64,
    bottom: AtomicU64,
    slots: [AtomicUsize; SLOTS],
}

/// What a thief found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stolen {
    /// The oldest word, which is the thief's.
    Word(usize),
    Nothing,
    /// Another thief, or the owner, was faster.
    Lost,
}

impl JobDeque {
    #[cfg(any(test, goroutines_loom))]
    pub(crate) fn new() -> JobDeque {
        JobDeque {
            top: AtomicU64::new(0),
            bottom: AtomicU64::new(0),
            slots: std::array::from_fn(|_| AtomicUsize::new(0)),
        }
    }

    /// The owner puts `word` at the bottom; false if the deque is full.
    #[inline(always)]
    pub(crate) fn push(&self, word: usize) -> bool {
        // Relaxed: only the owner writes it.
        let bottom = self.bottom.load(Ordering::Relaxed);
        // Acquire: partner is E3, before which the thief has read the slot that is used again here.
        if bottom - self.top.load(Ordering::Acquire) >= SLOTS as u64 {
            return false;
        }
        // Relaxed: released by the store of `bottom`.
        self.slots[slot(bottom)].store(word, Ordering::Relaxed);
        // Release: partner is E2. What the owner wrote into the job is visible to its thief.
        self.bottom.store(bottom + 1, Ordering::Release);
        true
    }

    /// D1 to D3: the owner takes the word at the bottom; `None` if all are stolen.
    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<usize> {
        // Relaxed: only the owner writes it. It is not 0: a word was pushed for each pop.
        let bottom = self.bottom.load(Ordering::Relaxed) - 1;
        // Release: partner is E2, for which this store, too, publishes the words below.
        self.bottom.store(bottom, Ordering::Release);
        fence(Ordering::SeqCst);
        // Relaxed: partner is E3, ordered by the fences.
        let top = self.top.load(Ordering::Relaxed);
        if top < bottom {
            // Relaxed: the owner's own store.
            return Some(self.slots[slot(bottom)].load(Ordering::Relaxed));
        }
        self.pop_last(top, bottom)
    }

    #[cold]
    #[inline(never)]
    fn pop_last(&self, top: u64, bottom: u64) -> Option<usize> {
        // Release: partner is E1. A thief that sees this `top` sees no `bottom` from before D1. Relaxed on failure: not
        // used.
        let won = top == bottom
            && self
                .top
                .compare_exchange(top, top + 1, Ordering::Release, Ordering::Relaxed)
                .is_ok();
        // Relaxed: the owner's own store.
        let word = won.then(|| self.slots[slot(bottom)].load(Ordering::Relaxed));
        // Release: as at D1. The deque is empty: `top` is one further now, whoever moved it.
        self.bottom.store(bottom + 1, Ordering::Release);
        word
    }

    /// E1 to E3: a thief takes the word at the top.
    pub(crate) fn steal(&self) -> Stolen {
        // Acquire: partners are E3 of other thieves and D3, so that `bottom` below is not older than this `top`. It may
        // have been larger once, and the words up there are no longer jobs.
        let top = self.top.load(Ordering::Acquire);
        fence(Ordering::SeqCst);
        // Acquire: partner is the store in `push`.
        if top >= self.bottom.load(Ordering::Acquire) {
            return Stolen::Nothing;
        }
        // Relaxed: acquired with `bottom`, if the CAS shows that the word was still there.
        let word = self.slots[slot(top)].load(Ordering::Relaxed);
        // Release: partners are E1 of other thieves and the load in `push`. Relaxed on failure: nothing is used.
        match self
            .top
            .compare_exchange(top, top + 1, Ordering::Release, Ordering::Relaxed)
        {
            Ok(_) => Stolen::Word(word),
            Err(_) => Stolen::Lost,
        }
    }

    /// Returns whether there is a word to steal. A snapshot; a fence of the caller orders it.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // Relaxed (both): partners are the stores in `push` and at E3, ordered by the caller's fence.
        self.top.load(Ordering::Relaxed) >= self.bottom.load(Ordering::Relaxed)
    }
}

#[inline(always)]
fn slot(index: u64) -> usize {
    (index % SLOTS as u64) as usize
}

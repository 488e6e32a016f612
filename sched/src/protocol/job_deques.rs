//! Many deques of jobs, and how an M without work finds one that is not empty, without a look at all of them.
//!
//! A goroutine has a deque while it is in a fork-join, and it may be parked there with jobs in it. So there may be
//! thousands of deques, of which few have jobs. A block of 64 has a word with one bit for each: *maybe filled*. Thieves
//! look only where the bit is set. The bit is set by the owner and cleared by thieves, so an owner whose deque is in
//! use reads the word and does not write it.
//!
//! ```text
//! owner offers a job                        thief finds the deque empty
//! O1 push                                   C1 clear the bit
//! O2 fence(SeqCst)                          C2 fence(SeqCst)
//! O3 the bit is not set: set it,            C3 the deque is not empty now: set the bit,
//!    fence(SeqCst)                             and see to it that an M looks again
//! O4 wake an M if one should take part
//! ```
//!
//! - *O1 against C3*: the side whose fence is second sees the first. Either the thief sees the job at C3, or the owner
//!   sees at O3 that the bit is cleared.
//! - *O4 against an M that falls asleep*: O2, and O3 where the bit was set, are S2 of idle.rs, and an M without work
//!   looks into the deques at I4. So an idle M sees the job, or the owner sees that it is idle.
//! - *An M that fell asleep between C1 and C3*, because it saw no bit: the thief at C3 does what an owner does at O4.
//!
//! What could be missed here would cost time and nothing else: a job that nobody finds is run by its owner.

use crate::protocol::{
    job_deque::{JobDeque, Stolen},
    sync::{AtomicU64, Ordering, fence},
};

/// Deques in a block: the bits of a word; two under loom.
#[cfg(not(goroutines_loom))]
pub(crate) const DEQUES: usize = 64;
/// See the other one.
#[cfg(goroutines_loom)]
pub(crate) const DEQUES: usize = 2;

/// A block of deques. All zero is a block of empty ones.
#[repr(C, align(128))]
pub(crate) struct JobDeques {
    /// Bit `i`: the deque `i` may have jobs.
    filled: AtomicU64,
    deques: [JobDeque; DEQUES],
}

impl JobDeques {
    #[cfg(any(test, goroutines_loom))]
    pub(crate) fn new() -> JobDeques {
        JobDeques {
            filled: AtomicU64::new(0),
            deques: std::array::from_fn(|_| JobDeque::new()),
        }
    }

    /// A block that is never freed. It is larger than what is left of some stacks, so it is made in its place.
    #[cfg(not(goroutines_loom))]
    pub(crate) fn leaked() -> &'static JobDeques {
        let zeroed = Box::<JobDeques>::new_zeroed();
        // SAFETY: a block is atomic integers, of which 0 is a value.
        Box::leak(unsafe { zeroed.assume_init() })
    }

    /// The deque `at`, to pop from it.
    #[inline(always)]
    pub(crate) fn deque(&self, at: usize) -> &JobDeque {
        &self.deques[at]
    }

    /// O1 to O3, by the owner of the deque `at`: false if it is full, and nothing has happened. If true, the caller
    /// goes on with O4.
    #[inline(always)]
    pub(crate) fn offer(&self, at: usize, word: usize) -> bool {
        if !self.deques[at].push(word) {
            return false;
        }
        fence(Ordering::SeqCst);
        // Relaxed: partners are C1 and C3, ordered by the fences.
        if self.filled.load(Ordering::Relaxed) & bit(at) == 0 {
            self.mark(at);
        }
        true
    }

    #[cold]
    fn mark(&self, at: usize) {
        // Relaxed: partner is the load in `first_from`, ordered by the fences.
        self.filled.fetch_or(bit(at), Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// A thief takes a job out of a deque, from the deque `from` on.
    pub(crate) fn steal(&self, from: usize) -> Option<usize> {
        // Relaxed: partner is the store in `mark`; an M that is about to sleep looks again after a fence.
        let filled = self.filled.load(Ordering::Relaxed);
        in_turn(filled, from).find_map(|at| match self.deques[at].steal() {
            Stolen::Word(word) => Some(word),
            Stolen::Nothing | Stolen::Lost => None,
        })
    }

    /// C1 to C3 for each deque that is empty: true if one was filled meanwhile, and the caller goes on with O4.
    pub(crate) fn clear_empty(&self) -> bool {
        // Relaxed: a bit that is set later is left to the next look.
        let filled = self.filled.load(Ordering::Relaxed);
        let mut refilled = false;
        for at in in_turn(filled, 0).filter(|&at| self.deques[at].is_empty()) {
            refilled |= self.clear(at);
        }
        refilled
    }

    /// C1 to C3: true if the deque `at` was filled meanwhile.
    fn clear(&self, at: usize) -> bool {
        // Relaxed: partner is O3, ordered by the fences.
        self.filled.fetch_and(!bit(at), Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let refilled = !self.deques[at].is_empty();
        if refilled {
            self.mark(at);
        }
        refilled
    }

    /// Returns whether there is a job to steal. For I4 and F3 of idle.rs, after their fences.
    pub(crate) fn any(&self) -> bool {
        // Relaxed: partner is the store in `mark`, ordered by the caller's fence.
        let filled = self.filled.load(Ordering::Relaxed);
        in_turn(filled, 0).any(|at| !self.deques[at].is_empty())
    }
}

#[inline(always)]
fn bit(at: usize) -> u64 {
    1 << at
}

/// The numbers of the bits of `word`, from `from` on and around.
fn in_turn(word: u64, from: usize) -> impl Iterator<Item = usize> {
    let from = from % DEQUES;
    let mut parts = [word & (u64::MAX << from), word & !(u64::MAX << from)];
    std::iter::from_fn(move || {
        let part = parts.iter_mut().find(|part| **part != 0)?;
        let at = part.trailing_zeros() as usize;
        *part &= *part - 1;
        Some(at)
    })
}

#[cfg(all(test, not(goroutines_loom)))]
mod tests {
    use super::*;

    #[test]
    fn bits_are_visited_once_from_any_of_them_on() {
        let word = 1 | 1 << 5 | 1 << 63;
        assert_eq!(in_turn(word, 0).collect::<Vec<_>>(), [0, 5, 63]);
        assert_eq!(in_turn(word, 5).collect::<Vec<_>>(), [5, 63, 0]);
        assert_eq!(in_turn(word, 6).collect::<Vec<_>>(), [63, 0, 5]);
        assert_eq!(in_turn(0, 6).count(), 0);
        assert_eq!(in_turn(u64::MAX, 17).count(), 64);
    }

    #[test]
    fn the_owner_takes_the_youngest_and_a_thief_the_oldest() {
        let block = JobDeques::new();
        for word in 1..=4 {
            assert!(block.offer(3, word));
        }
        assert!(block.any());
        assert_eq!(block.steal(9), Some(1));
        assert_eq!(block.deque(3).pop(), Some(4));
        assert_eq!(block.steal(0), Some(2));
        assert_eq!(block.deque(3).pop(), Some(3));
        assert_eq!(block.steal(0), None);
        assert!(!block.clear_empty() && !block.any());
        assert!(block.offer(3, 5), "a bit that was cleared is set again");
        assert_eq!(block.steal(0), Some(5));
        assert_eq!(block.deque(3).pop(), None);
    }

    #[test]
    fn a_full_deque_takes_no_more_until_one_is_stolen() {
        let block = JobDeques::new();
        let mut offered = 0;
        while block.offer(0, offered + 1) {
            offered += 1;
        }
        assert_eq!(offered, crate::protocol::job_deque::SLOTS);
        assert_eq!(block.steal(0), Some(1));
        assert!(block.offer(0, 100));
        assert_eq!(block.deque(0).pop(), Some(100));
    }
}

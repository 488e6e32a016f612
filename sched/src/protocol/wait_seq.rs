//! The number of a wait, by which one of several wakers (a timer, a channel, the cases of a select) wins the right to
//! wake a G.
//!
//! Each wait has a *sequence number*. A waker claims the wait with one CAS; the winner, and only the winner, calls
//! `ready`. A claim with an old number fails, so a timer that was not needed may stay in its heap until a sweep
//! removes it.
//!
//! ```text
//!   63            32 31             0
//!  ┌────────────────┬────────────────┐   outcome: WAITING, or what the winner claimed with
//!  │ wait number    │ outcome        │
//!  └────────────────┴────────────────┘
//! ```
//!
//! Numbers wrap after 2^32 waits of one G. Only a claim that is late by exactly that many could succeed wrongly.

use crate::protocol::sync::{AtomicU64, Ordering};

/// The wait is open.
const WAITING: u32 = u32::MAX;

pub(crate) struct WaitSeq {
    word: AtomicU64,
}

const fn pack(number: u32, outcome: u32) -> u64 {
    ((number as u64) << 32) | outcome as u64
}

impl WaitSeq {
    #[cfg(not(goroutines_loom))]
    pub(crate) const fn new() -> WaitSeq {
        WaitSeq {
            word: AtomicU64::new(0),
        }
    }

    #[cfg(goroutines_loom)]
    pub(crate) fn new() -> WaitSeq {
        WaitSeq {
            word: AtomicU64::new(0),
        }
    }

    /// Opens the next wait and returns its number. Only the G itself does this.
    pub(crate) fn open(&self) -> u32 {
        // Relaxed: a stale claim may only change the word while it is WAITING, and the last
        // wait was ended before its owner came back here.
        let number = ((self.word.load(Ordering::Relaxed) >> 32) as u32).wrapping_add(1);
        // Release: partner is the claim's CAS; what the G wrote before is visible to the winner.
        self.word.store(pack(number, WAITING), Ordering::Release);
        number
    }

    /// Ends wait `number` with `outcome`; true for exactly one caller.
    pub(crate) fn claim(&self, number: u32, outcome: u32) -> bool {
        debug_assert_ne!(outcome, WAITING);
        // AcqRel: Acquire's partner is `open`, Release's is `outcome`. Relaxed on failure: not used.
        self.word
            .compare_exchange(
                pack(number, WAITING),
                pack(number, outcome),
                Ordering::AcqRel,
                Ordering::Relaxed,
            )
            .is_ok()
    }

    /// Returns whether wait `number` is still open.
    pub(crate) fn is_open(&self, number: u32) -> bool {
        // Relaxed: a hint for sweeping; a claim decides.
        self.word.load(Ordering::Relaxed) == pack(number, WAITING)
    }

    /// Returns whether the last wait that was opened is open. For any thread: a snapshot.
    #[cfg(not(goroutines_loom))]
    pub(crate) fn is_any_open(&self) -> bool {
        // Relaxed: for reports.
        self.word.load(Ordering::Relaxed) as u32 == WAITING
    }

    /// What the wait was ended with. Only for the G itself, after it was made ready.
    pub(crate) fn outcome(&self) -> u32 {
        // Acquire: partner is the winner's CAS.
        self.word.load(Ordering::Acquire) as u32
    }
}

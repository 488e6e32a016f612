//! A P while its M is in a blocking call: lent, so that another M can use it.
//!
//! ```text
//!             lend: store ──────────►
//!   HELD                              LENT ── retake: CAS, by sysmon ──► HELD, by another M
//!             ◄────── take_back: CAS
//! ```
//!
//! The M that enters a blocking call stores LENT, one plain store, and does not touch the P afterwards. It gets the P
//! back with one CAS, unless sysmon was first: then the P has gone to another M, and this one must get another P.
//! Calls are numbered, so that sysmon can tell a long one from many short ones.

use crate::protocol::sync::{AtomicU32, Ordering};

/// Bit 0: LENT. Above it the number of the call.
const LENT: u32 = 1;

pub(crate) struct Lending {
    word: AtomicU32,
}

/// The number of a blocking call during which a P is lent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SyscallTick(u32);

impl Lending {
    pub(crate) fn new() -> Lending {
        Lending {
            word: AtomicU32::new(0),
        }
    }

    /// HELD -> LENT. By the M that holds the P, which does not touch the P afterwards.
    #[inline]
    pub(crate) fn lend(&self) -> SyscallTick {
        // Relaxed: while it is HELD only its holder changes the word.
        let lent = self.word.load(Ordering::Relaxed).wrapping_add(2) | LENT;
        // Release: partner is the CAS in `retake`; publishes what this M did with the P.
        self.word.store(lent, Ordering::Release);
        SyscallTick(lent)
    }

    /// LENT -> HELD, by the M that lent it in `call`: true if it holds the P again.
    #[inline]
    pub(crate) fn take_back(&self, call: SyscallTick) -> bool {
        // Relaxed: this M wrote what is in the P; on failure it does not touch the P.
        self.word
            .compare_exchange(call.0, call.0 & !LENT, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// The call in which the P is lent, if it is.
    pub(crate) fn lent(&self) -> Option<SyscallTick> {
        // Relaxed: `retake` decides.
        let word = self.word.load(Ordering::Relaxed);
        (word & LENT != 0).then_some(SyscallTick(word))
    }

    /// LENT -> HELD, by sysmon: true if the P is the caller's, which passes it to an M.
    pub(crate) fn retake(&self, call: SyscallTick) -> bool {
        // Acquire: partner is the store in `lend`. Relaxed on failure: the P is not touched.
        self.word
            .compare_exchange(call.0, call.0 & !LENT, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }
}

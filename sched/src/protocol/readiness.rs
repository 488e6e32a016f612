//! The known state of one direction of a socket, without asking the kernel: one word.
//!
//! ```text
//!   31 ................. 4      3          2        1        0
//!  ┌──────────────────────┬────────────┬────────┬────────┬───────┐
//!  │ tick                 │ REGISTERED │ CLOSED │ STICKY │ READY │
//!  └──────────────────────┴────────────┴────────┴────────┴───────┘
//! ```
//!
//! - READY: a call may succeed. Set by each event; cleared by a caller that the kernel told to wait, if no event came
//!   since before its call. The *tick*, which each event increments, shows whether one came.
//! - STICKY: the peer hung up, or urgent data came. Its effect may show at the call after the next one, and no event
//!   announces it, so a caller tries its call before it waits.
//! - CLOSED: no wait is possible any more (the closer of a listener).
//! - REGISTERED: the poller reports this direction. Without it no caller may wait for an event.
//!
//! Events and callers change the word at the same time, so each change is one read-modify-write.

use crate::protocol::sync::{AtomicU32, Ordering};

const READY: u32 = 1;
const STICKY: u32 = 1 << 1;
const CLOSED: u32 = 1 << 2;
const REGISTERED: u32 = 1 << 3;
const TICK: u32 = 1 << 4;

pub(crate) struct Readiness {
    word: AtomicU32,
}

/// The word at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seen(u32);

impl Seen {
    /// Returns whether a call is worth trying: it may succeed, or no event would announce when it may.
    #[inline]
    pub(crate) fn shall_try(self) -> bool {
        self.0 & (READY | STICKY | CLOSED) != 0 || !self.is_registered()
    }

    pub(crate) fn is_ready(self) -> bool {
        self.0 & READY != 0
    }

    #[inline]
    pub(crate) fn is_sticky(self) -> bool {
        self.0 & STICKY != 0
    }

    pub(crate) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    pub(crate) fn is_registered(self) -> bool {
        self.0 & REGISTERED != 0
    }
}

impl Readiness {
    #[cfg(not(goroutines_loom))]
    pub(crate) const fn new() -> Readiness {
        Readiness {
            word: AtomicU32::new(0),
        }
    }

    #[cfg(goroutines_loom)]
    pub(crate) fn new() -> Readiness {
        Readiness {
            word: AtomicU32::new(0),
        }
    }

    #[inline]
    pub(crate) fn load(&self) -> Seen {
        // Acquire: partner is the Release in `change`.
        Seen(self.word.load(Ordering::Acquire))
    }

    /// The kernel said "not now" to a call that began after `seen` was read. False if an event came since.
    #[inline]
    pub(crate) fn clear(&self, seen: Seen) -> bool {
        // Release: the next event's Acquire orders its call after this one. Relaxed on failure: nothing is read.
        self.word
            .compare_exchange(
                seen.0,
                seen.0 & !READY,
                Ordering::Release,
                Ordering::Relaxed,
            )
            .is_ok()
    }

    /// An event came; `sticky` if it may be the last one.
    pub(crate) fn note_event(&self, sticky: bool) {
        let flags = if sticky { READY | STICKY } else { READY };
        self.change(|word| word.wrapping_add(TICK) | flags);
    }

    /// The poller reports this direction from now on, or no longer.
    pub(crate) fn set_registered(&self, registered: bool) {
        self.change(|word| match registered {
            true => word | REGISTERED,
            false => word & !(REGISTERED | READY | STICKY),
        });
    }

    pub(crate) fn close(&self) {
        self.change(|word| word | CLOSED);
    }

    /// For another socket: nothing is known but the tick, which continues.
    pub(crate) fn reset(&self) {
        self.change(|word| word.wrapping_add(TICK) & !(TICK - 1));
    }

    fn change(&self, change: impl Fn(u32) -> u32) {
        // Relaxed: only the value for the first try.
        let mut word = self.word.load(Ordering::Relaxed);
        // AcqRel: partners are `load` and `clear`. Relaxed on failure: tried again.
        while let Err(now) =
            self.word
                .compare_exchange_weak(word, change(word), Ordering::AcqRel, Ordering::Relaxed)
        {
            word = now;
        }
    }
}

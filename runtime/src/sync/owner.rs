//! The holder of a lock: recorded in debug builds only, to detect a holder that waits for itself.
//!
//! A caller compares the record with itself only. The holder writes it after it has locked and clears it
//! before it unlocks. So a caller finds itself here exactly while it holds the lock.

#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) struct Owner {
    /// 0: none.
    #[cfg(debug_assertions)]
    id: AtomicU64,
}

/// The goroutine or thread that runs here: goroutines are counted and never get their number again;
/// threads have a place in memory.
#[cfg(debug_assertions)]
fn me() -> u64 {
    let g = goroutines_sched::current();
    match g.id() {
        0 => g.address() as u64 | 1 << 63,
        id => id,
    }
}

impl Owner {
    #[inline]
    pub(crate) const fn new() -> Owner {
        Owner {
            #[cfg(debug_assertions)]
            id: AtomicU64::new(0),
        }
    }

    /// The caller has locked.
    #[inline(always)]
    pub(crate) fn set(&self) {
        #[cfg(debug_assertions)]
        // Relaxed: partner is the load in `check`, of the same goroutine or thread.
        self.id.store(me(), Ordering::Relaxed);
    }

    /// The caller is about to unlock.
    #[inline(always)]
    pub(crate) fn clear(&self) {
        #[cfg(debug_assertions)]
        // Relaxed: as in `set`.
        self.id.store(0, Ordering::Relaxed);
    }

    /// The caller is about to wait for the lock.
    ///
    /// # Panics
    ///
    /// In debug builds, when the caller holds the lock.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn check(&self, function: &str) {
        #[cfg(debug_assertions)]
        // Relaxed: see `set`; what others write is never this one.
        if self.id.load(Ordering::Relaxed) == me() {
            waits_for_itself(function);
        }
        #[cfg(not(debug_assertions))]
        let _ = function;
    }
}

#[cfg(debug_assertions)]
#[cold]
#[track_caller]
fn waits_for_itself(function: &str) -> ! {
    panic!(
        "goroutines: {function}: the caller holds the lock already and would wait for itself for ever; \
         drop the guard first"
    );
}

//! Who holds a lock: known in debug builds only, where it tells who waits for itself.
//!
//! Only the holder's own entry is ever relied on. It writes it after it has locked and takes it away
//! before it unlocks, so who does not find itself here does not hold the lock, and who does, does.

#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) struct Owner {
    /// 0: nobody.
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

    /// The caller wants to lock, and would wait.
    ///
    /// # Panics
    ///
    /// When it holds the lock, in debug builds.
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
        "goroutines: {function}: who calls it holds the lock already and would wait for itself for ever; \
         drop the guard first"
    );
}

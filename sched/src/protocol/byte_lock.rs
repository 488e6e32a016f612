//! The byte lock: held for the few instructions that change a wait queue.
//!
//! Locking is one CAS, unlocking one plain store. A thread that finds the byte locked spins a bounded number of times
//! (the holder needs some nanoseconds), then takes itself off the CPU for naps that grow: that happens only when the
//! holder's thread was taken off its CPU. No goroutine parks while it holds a byte lock, and no user code runs under
//! one.

use crate::protocol::sync::{AtomicU8, Ordering, nap, spin_loop};

/// Tries before the first nap.
#[cfg(not(goroutines_loom))]
const SPINS: u32 = 128;
#[cfg(goroutines_loom)]
const SPINS: u32 = 0;

/// The longest nap, in microseconds.
const LONGEST_NAP: u32 = 512;

/// A lock of one byte, without data. Its user decides what it protects.
///
/// # Examples
///
/// ```
/// let lock = goroutines_sched::ByteLock::new();
/// lock.lock();
/// assert!(!lock.try_lock());
/// // SAFETY: this thread holds the lock.
/// unsafe { lock.unlock() };
/// assert!(lock.try_lock());
/// # unsafe { lock.unlock() }; // SAFETY: `try_lock` has locked it
/// ```
pub struct ByteLock {
    locked: AtomicU8,
}

impl Default for ByteLock {
    fn default() -> ByteLock {
        ByteLock::new()
    }
}

impl std::fmt::Debug for ByteLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByteLock").finish_non_exhaustive()
    }
}

impl ByteLock {
    /// An unlocked lock.
    #[cfg(not(goroutines_loom))]
    pub const fn new() -> ByteLock {
        ByteLock {
            locked: AtomicU8::new(0),
        }
    }

    /// An unlocked lock.
    #[cfg(goroutines_loom)]
    pub fn new() -> ByteLock {
        ByteLock {
            locked: AtomicU8::new(0),
        }
    }

    /// Locks; while another thread or goroutine holds the lock, spins, then naps.
    #[inline]
    pub fn lock(&self) {
        if !self.try_lock() {
            self.lock_slow();
        }
    }

    /// Locks if the lock is free. Returns whether it has locked.
    #[inline]
    pub fn try_lock(&self) -> bool {
        // Acquire: partner is the Release store in `unlock`. Relaxed on failure: nothing is read.
        self.locked
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Unlocks.
    ///
    /// # Safety
    ///
    /// The caller holds the lock. (It may have been locked on another thread: a goroutine's commit
    /// unlocks what the goroutine locked.)
    #[inline]
    pub unsafe fn unlock(&self) {
        // Release: partner is the Acquire CAS in `try_lock`.
        self.locked.store(0, Ordering::Release);
    }

    #[cold]
    fn lock_slow(&self) {
        for _ in 0..SPINS {
            spin_loop();
            // Relaxed: only a hint that the CAS may succeed now.
            if self.locked.load(Ordering::Relaxed) == 0 && self.try_lock() {
                return;
            }
        }
        let mut microseconds = 1;
        while !self.try_lock() {
            nap(microseconds);
            microseconds = (microseconds * 2).min(LONGEST_NAP);
        }
    }
}

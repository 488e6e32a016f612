//! Poisoning: a lock remembers that somebody panicked while holding it.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    sync::{LockResult, PoisonError},
    thread,
};

/// Did somebody panic under the lock?
pub(crate) struct Flag(AtomicBool);

impl Flag {
    #[inline]
    pub(crate) const fn new() -> Flag {
        Flag(AtomicBool::new(false))
    }

    #[inline]
    pub(crate) fn get(&self) -> bool {
        // Relaxed: written under the lock, which orders it for the next holder; for others a hint.
        self.0.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn clear(&self) {
        // Relaxed: see `get`.
        self.0.store(false, Ordering::Relaxed);
    }

    /// When the lock was just taken.
    #[inline(always)]
    pub(crate) fn guard(&self) -> Guard {
        Guard {
            was_panicking: thread::panicking(),
        }
    }

    /// When the lock is about to be given up: a panic that began under it poisons it.
    #[inline(always)]
    pub(crate) fn done(&self, guard: &Guard) {
        if !guard.was_panicking && thread::panicking() {
            // Relaxed: see `get`.
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// `value`, as an error if the lock is poisoned.
    #[inline(always)]
    pub(crate) fn wrap<V>(&self, value: V) -> LockResult<V> {
        if self.get() {
            Err(PoisonError::new(value))
        } else {
            Ok(value)
        }
    }
}

/// Whether the holder was unwinding already when it took the lock (in a destructor, say).
///
/// A goroutine that unwinds keeps its thread, so the thread's count of panics is the goroutine's.
#[derive(Clone, Copy)]
pub(crate) struct Guard {
    was_panicking: bool,
}

//! The one door to atomics and locks.
//!
//! Pure modules (the ring, the idle protocol, episodes, parkers, timers, the byte lock) import
//! synchronisation from here and nowhere else, so that the same source runs under loom: there,
//! every type below is loom's and the scheduler's limits shrink (see each module's `CAPACITY`).

#[cfg(not(loom))]
pub(crate) use std::{
    hint::spin_loop,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
    },
};

#[cfg(loom)]
pub(crate) use loom::{
    hint::spin_loop,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
    },
};

#[cfg(not(loom))]
pub(crate) use crate::os::futex::{futex_wait, futex_wake_one, nap};

/// Locks `mutex`, also when a panic poisoned it: nothing of ours panics while holding a lock, and
/// the data that these locks guard is consistent at every step.
#[inline]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    match mutex.lock() {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    }
}

/// Stand-ins for the kernel's futex under loom: waiting is yielding until the word changes.
#[cfg(loom)]
mod model_futex {
    use super::{AtomicU32, Ordering};

    pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, _timeout_ns: Option<u64>) {
        // Acquire: partner is the waker's Release store; the caller reads the word again anyway.
        while word.load(Ordering::Acquire) == expected {
            loom::thread::yield_now();
        }
    }

    pub(crate) fn futex_wake_one(_word: &AtomicU32) {}

    pub(crate) fn nap(_microseconds: u32) {
        loom::thread::yield_now();
    }
}

#[cfg(loom)]
pub(crate) use model_futex::{futex_wait, futex_wake_one, nap};

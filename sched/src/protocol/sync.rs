//! Atomics, locks and the futex, for the code that loom runs.
//!
//! The modules of `protocol` import synchronisation from here and from nowhere else, so that the same source runs
//! under loom: there, every type below is loom's, and the scheduler's limits shrink (see each module's `CAPACITY`).

#[cfg(not(goroutines_loom))]
pub(crate) use std::{
    hint::spin_loop,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
    },
};

#[cfg(goroutines_loom)]
pub(crate) use loom::{
    hint::spin_loop,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
    },
};

#[cfg(not(goroutines_loom))]
pub(crate) use crate::sys::futex::{Futex, nap};

/// A fence that costs its thread nothing, because the other side pays for both with [`heavy_fence`]. Not `paired`:
/// there is no other side, and only the compiler is kept from reordering.
#[cfg(not(goroutines_loom))]
#[inline(always)]
pub(crate) fn light_fence(_paired: bool) {
    std::sync::atomic::compiler_fence(Ordering::SeqCst);
}

/// A fence in every thread: true. False: the kernel refuses, and there was no fence.
#[cfg(not(goroutines_loom))]
#[must_use]
pub(crate) fn heavy_fence(_paired: bool) -> bool {
    crate::sys::membarrier::heavy_fence()
}

/// Loom has no membarrier: the pair is modelled by two fences, which have the same effect.
#[cfg(goroutines_loom)]
pub(crate) fn light_fence(paired: bool) {
    if paired {
        fence(Ordering::SeqCst);
    }
}

/// See [`light_fence`]. Not `paired`: the kernel refuses.
#[cfg(goroutines_loom)]
#[must_use]
pub(crate) fn heavy_fence(paired: bool) -> bool {
    if paired {
        fence(Ordering::SeqCst);
    }
    paired
}

/// Locks `mutex`, also when a panic poisoned it: the runtime does not panic while it holds a lock, and the data that
/// these locks guard is consistent at every step.
#[inline]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    match mutex.lock() {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    }
}

/// As [`lock`], if nobody has it now.
#[cfg(not(goroutines_loom))]
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(std::sync::TryLockError::WouldBlock) => None,
    }
}

/// Stand-ins for the kernel under loom. The real futex also looks at the word under a lock of its own.
#[cfg(goroutines_loom)]
mod model_futex {
    use super::{AtomicU32, Mutex, Ordering, lock};
    use loom::sync::Condvar;

    pub(crate) struct Futex {
        word: AtomicU32,
        bucket: Mutex<()>,
        sleepers: Condvar,
    }

    impl Futex {
        pub(crate) fn new(value: u32) -> Futex {
            Futex {
                word: AtomicU32::new(value),
                bucket: Mutex::new(()),
                sleepers: Condvar::new(),
            }
        }

        pub(crate) fn word(&self) -> &AtomicU32 {
            &self.word
        }

        pub(crate) fn wait(&self, expected: u32, timeout_ns: Option<u64>) {
            let bucket = lock(&self.bucket);
            // Relaxed: the kernel's futex orders nothing; the caller reads the word again.
            if timeout_ns.is_none() && self.word.load(Ordering::Relaxed) == expected {
                drop(self.sleepers.wait(bucket));
            }
        }

        pub(crate) fn wake_one(&self) {
            let _bucket = lock(&self.bucket);
            self.sleepers.notify_one();
        }
    }

    pub(crate) fn nap(_microseconds: u32) {
        loom::thread::yield_now();
    }
}

#[cfg(goroutines_loom)]
pub(crate) use model_futex::{Futex, nap};

//! Poisoning: a lock remembers that a holder panicked.

use std::{
    fmt,
    ops::Deref,
    sync::atomic::{AtomicBool, Ordering},
    sync::{LockResult, PoisonError, TryLockError, TryLockResult},
    thread,
};

/// Whether a holder of the lock panicked.
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

/// Formats a lock; `locked` is the result of an attempt to take it. The value is shown if the attempt succeeded, else
/// `if_taken`, which differs between std's locks.
pub(super) fn show<G>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    locked: TryLockResult<G>,
    if_taken: &dyn fmt::Debug,
    is_poisoned: bool,
) -> fmt::Result
where
    G: Deref<Target: fmt::Debug>,
{
    let mut out = f.debug_struct(name);
    match locked {
        Ok(guard) => out.field("data", &&*guard),
        Err(TryLockError::Poisoned(poisoned)) => out.field("data", &&**poisoned.get_ref()),
        Err(TryLockError::WouldBlock) => out.field("data", if_taken),
    };
    out.field("poisoned", &is_poisoned);
    out.finish_non_exhaustive()
}

/// A lock can be made of a value.
macro_rules! made_of_value {
    ($lock:ident) => {
        impl<T> From<T> for $lock<T> {
            fn from(value: T) -> $lock<T> {
                $lock::new(value)
            }
        }

        impl<T: Default> Default for $lock<T> {
            fn default() -> $lock<T> {
                $lock::new(T::default())
            }
        }
    };
}
pub(super) use made_of_value;

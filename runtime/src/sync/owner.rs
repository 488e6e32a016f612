//! The holder of a lock, for reports; and a holder that waits for itself, in debug builds.
//!
//! The holder writes the record after it has locked and clears it before it unlocks: three instructions, which store the
//! stack pointer (sched/src/gmp/lock_owner.rs). Debug builds store a holder itself that a place on a stack does not tell
//! from others: a plain thread, and a goroutine whose stack is copied. So a caller finds itself here exactly while it
//! holds the lock.

use goroutines_sched::{GRef, LockOwner, current};

pub(crate) struct Owner(LockOwner);

impl Owner {
    #[inline]
    pub(crate) const fn new() -> Owner {
        Owner(LockOwner::new())
    }

    /// The caller has locked.
    #[inline(always)]
    pub(crate) fn set(&self) {
        if cfg!(debug_assertions) {
            let g = current();
            if !g.runs_on_own_stack() {
                return self.0.set(g);
            }
        }
        self.0.set_by_stack();
    }

    /// `g`, which waits, has the lock from now on.
    #[inline]
    pub(crate) fn give(&self, g: GRef) {
        self.0.set(g);
    }

    /// The caller is about to unlock.
    #[inline(always)]
    pub(crate) fn clear(&self) {
        self.0.clear();
    }

    /// Returns whether the lock was given to `g`, the caller's.
    pub(crate) fn is(&self, g: GRef) -> bool {
        self.0.is(g)
    }

    /// The caller is about to wait for the lock.
    ///
    /// # Panics
    ///
    /// In debug builds, when the caller holds the lock.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn check(&self, function: &str) {
        if cfg!(debug_assertions) && self.0.is(current()) {
            waits_for_itself(function);
        }
    }
}

#[cold]
#[track_caller]
fn waits_for_itself(function: &str) -> ! {
    panic!(
        "goroutines: {function}: the caller holds the lock already and would wait for itself for ever; \
         drop the guard first"
    );
}

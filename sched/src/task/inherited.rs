//! One `Arc<dyn Any>` a goroutine; a new goroutine starts with its spawner's. The public crate keeps the current
//! `Context` there.
//!
//! It lies in the goroutine's identity. A goroutine without one pays for reading a null pointer, when it is about to
//! wait. Spawning reads a flag first, which is set by the first inherited value of the process.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{
    gmp::{
        g::{G, GRef},
        identity::{Identity, Inherited},
    },
    switch::current::current,
};

/// Whether there was ever an inherited value.
static USED: AtomicBool = AtomicBool::new(false);

/// The inherited value of the caller.
#[inline]
pub fn inherited() -> Option<Inherited> {
    // Relaxed: a caller with a value has seen the flag, or got the value from a goroutine that has.
    if !USED.load(Ordering::Relaxed) {
        return None;
    }
    let identity = current().get().identity.get()?;
    // SAFETY: the identity is the caller's own.
    unsafe { identity.inherited() }
}

/// Replaces the inherited value of the caller; returns the previous one.
pub fn replace_inherited(new: Option<Inherited>) -> Option<Inherited> {
    if new.is_some() {
        // Relaxed: partner is the load in `inherited`, where a stale answer is right.
        USED.store(true, Ordering::Relaxed);
    } else if current().get().identity.get().is_none() {
        return None; // nothing to change
    }
    // SAFETY: the identity is the caller's own.
    unsafe { Identity::own().replace_inherited(new) }
}

impl GRef {
    /// Returns whether the caller has an inherited value.
    ///
    /// # Safety
    ///
    /// This is the G of the caller: its identity is changed by the caller alone, and stays as long as the caller
    /// runs.
    #[inline(always)]
    pub unsafe fn has_inherited(self) -> bool {
        // SAFETY: the identity is the caller's own, which no other thread changes.
        self.get()
            .identity
            .get()
            .is_some_and(|identity| unsafe { identity.has_inherited() })
    }
}

/// `heir` was just made by the caller: it inherits the caller's value.
#[inline(always)]
pub(crate) fn pass_on(heir: &G) {
    // Relaxed: as in `inherited`.
    if USED.load(Ordering::Relaxed) {
        pass_on_slow(heir);
    }
}

#[cold]
#[inline(never)]
fn pass_on_slow(heir: &G) {
    if let Some(inherited) = inherited() {
        let identity = heir.identity.get_or_make(|| Identity::of(heir));
        // SAFETY: no other thread has a reference to `heir` yet.
        unsafe { identity.replace_inherited(Some(inherited)) };
    }
}

//! What a goroutine passes on to those that it starts: one counted reference, whose meaning the caller knows.
//!
//! It lies in the goroutine's identity, so that one without it pays nothing but the look at a null pointer, and only
//! where it is asked for: when it is about to wait. Starting a goroutine asks a flag first, which is set by the first
//! inherited value of the process.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{
    gmp::{
        g::{G, GRef},
        identity::{Identity, Inherited},
    },
    switch::current::current,
};

/// Was there ever one?
static USED: AtomicBool = AtomicBool::new(false);

/// The caller's.
#[inline]
pub fn inherited() -> Option<Inherited> {
    // Relaxed: who has one has seen the flag, or was given it by who has.
    if !USED.load(Ordering::Relaxed) {
        return None;
    }
    let identity = current().get().identity.get()?;
    // SAFETY: the caller's own.
    unsafe { identity.inherited() }
}

/// Gives the caller another one; returns the one that it had.
pub fn replace_inherited(new: Option<Inherited>) -> Option<Inherited> {
    if new.is_some() {
        // Relaxed: as above.
        USED.store(true, Ordering::Relaxed);
    } else if current().get().identity.get().is_none() {
        return None; // as it is
    }
    // SAFETY: the caller's own.
    unsafe { Identity::own().replace_inherited(new) }
}

impl GRef {
    /// Returns whether the caller has an inherited value.
    ///
    /// # Safety
    ///
    /// This is the G of the caller: its identity is changed by the caller alone, and stays as long as the caller runs.
    #[inline(always)]
    pub unsafe fn has_inherited(self) -> bool {
        // SAFETY: the identity is the caller's own, which nobody else changes.
        self.get()
            .identity
            .get()
            .is_some_and(|identity| unsafe { identity.has_inherited() })
    }
}

/// `heir` was just made by the caller.
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
        // SAFETY: nobody else knows `heir` yet.
        unsafe { identity.replace_inherited(Some(inherited)) };
    }
}

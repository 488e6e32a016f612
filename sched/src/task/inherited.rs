//! What a goroutine passes on to those that it starts: one counted reference, whose meaning the caller knows.
//!
//! It lies in the goroutine's identity, so that one without it pays nothing but the look at a null pointer, and only
//! where it is asked for: when it is about to wait. Starting a goroutine asks a flag first, which is set by the first
//! heritage of the process.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{
    gmp::{
        g::{G, GRef},
        identity::{Heritage, Identity},
    },
    switch::current::current,
};

/// Was there ever one?
static USED: AtomicBool = AtomicBool::new(false);

/// The caller's.
#[inline]
pub fn heritage() -> Option<Heritage> {
    // Relaxed: who has one has seen the flag, or was given it by who has.
    if !USED.load(Ordering::Relaxed) {
        return None;
    }
    let identity = current().get().identity.get()?;
    // SAFETY: the caller's own.
    unsafe { identity.heritage() }
}

/// Gives the caller another one; returns the one that it had.
pub fn replace_heritage(new: Option<Heritage>) -> Option<Heritage> {
    if new.is_some() {
        // Relaxed: as above.
        USED.store(true, Ordering::Relaxed);
    } else if current().get().identity.get().is_none() {
        return None; // as it is
    }
    // SAFETY: the caller's own.
    unsafe { Identity::own().replace_heritage(new) }
}

impl GRef {
    /// Returns whether the caller has a [`heritage`].
    ///
    /// # Safety
    ///
    /// This is the G of the caller: its identity is changed by the caller alone, and stays as long as the caller runs.
    #[inline(always)]
    pub unsafe fn has_heritage(self) -> bool {
        // SAFETY: the identity is the caller's own, which nobody else changes.
        self.get()
            .identity
            .get()
            .is_some_and(|identity| unsafe { identity.has_heritage() })
    }
}

/// `heir` was just made by the caller.
#[inline(always)]
pub(crate) fn pass_on(heir: &G) {
    // Relaxed: as in `heritage`.
    if USED.load(Ordering::Relaxed) {
        pass_on_slow(heir);
    }
}

#[cold]
#[inline(never)]
fn pass_on_slow(heir: &G) {
    if let Some(heritage) = heritage() {
        let identity = heir.identity.get_or_make(|| Identity::of(heir));
        // SAFETY: nobody else knows `heir` yet.
        unsafe { identity.replace_heritage(Some(heritage)) };
    }
}

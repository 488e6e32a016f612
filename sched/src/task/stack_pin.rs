//! Pinning a copied stack to its window, so that other threads may use it while its goroutine is parked.

use std::marker::PhantomData;

use crate::{gmp::g::GRef, switch::current::current};

/// Keeps a goroutine with a copy stack in its window while this lives, so that other threads may use what lies on its
/// stack even while it is parked. Does nothing for any other goroutine, and for OS threads.
///
/// The other goroutines of the window cannot run meanwhile: one that pins itself must not wait for them.
#[derive(Debug)]
#[must_use = "the stack stays in place only while this lives"]
pub struct StackPin {
    g: GRef,
    was_pinned: bool,
    /// Dropped by the goroutine that made it.
    _not_send: PhantomData<*const ()>,
}

/// Pins the caller's stack: see [`StackPin`].
pub fn pin_stack() -> StackPin {
    let g = current();
    let pinned = &g.get().keeps_window;
    StackPin {
        g,
        was_pinned: pinned.replace(pinned.get() || g.is_copied_out()),
        _not_send: PhantomData,
    }
}

impl Drop for StackPin {
    fn drop(&mut self) {
        // It is not Send, so the goroutine that made it drops it, and is in the window.
        self.g.get().keeps_window.set(self.was_pinned);
    }
}

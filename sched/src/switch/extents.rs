//! The stacks that a switch leaves and enters, as they are reported to tools (sys/tools). Without a tool nothing here
//! is called.

use crate::{
    gmp::{
        g::GRef,
        segment::{Segment, low, top_of},
    },
    switch::thread_word::current_m,
    sys::{
        fatal,
        tools::{self, Bounds, Extent},
    },
};

/// The stack of `g`, which runs here or is about to.
pub(super) fn of(g: GRef) -> Extent {
    if let Some(segment) = g.get().segments.running() {
        return of_segment(segment);
    }
    // SAFETY: null, or the stack of `g`, which it keeps while it runs.
    match unsafe { g.get().own_stack().as_ref() } {
        Some(stack) => (low(stack), stack.limit()),
        None => fatal::throw(format_args!("a goroutine without a stack")),
    }
}

pub(super) fn of_segment(segment: &Segment) -> Extent {
    (segment.low, top_of(segment).addr() - segment.low)
}

/// The place for the bounds of the g0 of this thread's M.
pub(super) fn g0() -> &'static Bounds {
    match current_m() {
        Some(m) => &m.g0_bounds,
        None => fatal::throw(format_args!("a goroutine without an M")),
    }
}

/// The first act of `g`, on its stack.
#[inline(always)]
pub(crate) fn arrive_on_goroutine(g: GRef) {
    tools::arrive_on_goroutine(|| of(g), g0);
}

/// The first act on `segment`.
#[inline(always)]
pub(crate) fn arrive_on_segment(segment: &Segment) {
    tools::arrive_on_segment(|| of_segment(segment), &segment.below);
}

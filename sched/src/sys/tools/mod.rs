//! What the runtime reports of each switch to tools that watch stacks.
//!
//! A tool sees the stack pointer jump and has to guess. The runtime reports to two tools, each behind a feature:
//!
//! | feature | tool | what is reported |
//! |---|---|---|
//! | `valgrind` | memcheck and its like | which ranges are stacks, when a stack is first used |
//! | `asan` | AddressSanitizer | each switch, before and after, with the bounds of the stack switched to |
//!
//! Without the features the functions below are empty, and the compiler removes the calls.

#[cfg(feature = "asan")]
mod asan;
#[cfg(feature = "valgrind")]
mod valgrind;

#[cfg(feature = "asan")]
pub(crate) use asan::*;
#[cfg(not(feature = "asan"))]
pub(crate) use nothing::*;

use goroutines_stack::Stack;

/// Before the first stack is made.
#[inline(always)]
pub(crate) fn prepare() {
    #[cfg(feature = "valgrind")]
    valgrind::prepare();
}

/// Nothing lives on `stack`, and a goroutine is about to run there.
#[inline(always)]
#[allow(unused_variables)]
pub(crate) fn begin(stack: &Stack) {
    #[cfg(feature = "valgrind")]
    valgrind::begin(stack);
    #[cfg(feature = "asan")]
    asan::begin(stack);
}

/// A stack as it is reported to the tools: its lowest address, and its size in bytes.
pub(crate) type Extent = (usize, usize);

#[cfg(not(feature = "asan"))]
mod nothing {
    use super::Extent;

    /// The bounds of a stack, as a tool reported them.
    pub(crate) struct Bounds;

    impl Bounds {
        pub(crate) const fn new() -> Bounds {
            Bounds
        }
    }

    /// What [`arrive`] needs of the departure.
    pub(crate) struct Departure;

    #[inline(always)]
    pub(crate) fn leave_to_goroutine(_to: impl FnOnce() -> Extent) -> Departure {
        Departure
    }

    #[inline(always)]
    pub(crate) fn leave_to_g0(_from: impl FnOnce() -> Extent, _g0: &Bounds) -> Departure {
        Departure
    }

    #[inline(always)]
    pub(crate) fn leave_to_segment(_to: impl FnOnce() -> Extent) -> Departure {
        Departure
    }

    #[inline(always)]
    pub(crate) fn leave_segment(_from: impl FnOnce() -> Extent, _below: &Bounds) {}

    #[inline(always)]
    pub(crate) fn arrive(_: Departure, _g0: impl FnOnce() -> &'static Bounds) {}

    #[inline(always)]
    pub(crate) fn arrive_on_goroutine(
        _here: impl FnOnce() -> Extent,
        _g0: impl FnOnce() -> &'static Bounds,
    ) {
    }

    #[inline(always)]
    pub(crate) fn arrive_on_segment(_here: impl FnOnce() -> Extent, _below: &Bounds) {}
}

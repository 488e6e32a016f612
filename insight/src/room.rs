//! Room on the stack for what the system does on it.

use goroutines_sched::{has_stack, on_segment, reserve_stack};

/// What starting a thread, and reading the symbols of a program, need.
const STACK: usize = 512 << 10;

/// Calls `f` where there is room for system calls that cannot move the guard of a goroutine's stack, or that block its
/// signals.
pub(crate) fn with_room<R>(f: impl FnOnce() -> R) -> R {
    // Where it fails, a segment is there from the start.
    let _ = reserve_stack(STACK);
    match has_stack(STACK) {
        true => f(),
        false => on_segment(STACK, f),
    }
}

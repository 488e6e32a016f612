//! The wing `stacks`: what the scheduler does with stacks besides running on them.
//!
//! Imported by `global` (the shrinker is part of the scheduler), `start`, and the public functions.
//!
//! Essays: [`on_segment`] (growing by linked segments), [`shrink`] (memory of parked goroutines goes back),
//! [`fault_hooks`] (what the fault handler asks).

#![cfg(not(goroutines_loom))]

pub(crate) mod fault_hooks;
pub(crate) mod on_segment;
pub(crate) mod reserve_stack;
pub(crate) mod shrink;

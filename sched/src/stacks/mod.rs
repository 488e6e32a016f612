//! WING stacks

#![cfg(not(loom))]

pub(crate) mod fault_hooks;
pub(crate) mod on_segment;
pub(crate) mod reserve_stack;
pub(crate) mod shrink;

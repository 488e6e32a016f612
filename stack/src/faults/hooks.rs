//! Hooks: the one way from this crate up to the scheduler. This crate does not know what a goroutine is; its handlers ask.

use std::fmt;

use crate::windows::window::Stack;

/// What the signal handlers ask the scheduler. All are called in signal context: no locks, no allocation, no panics.
#[derive(Clone, Copy)]
pub struct Hooks {
    /// The stack of the goroutine that runs on this thread; null if none does.
    pub current: fn() -> *mut Stack,
    /// The stack pointer of the code that was interrupted, out of the context that a handler is given.
    pub stack_pointer: unsafe fn(*const libc::c_void) -> usize,
    /// Writes the name of that goroutine, such as `goroutine 17 [name]`.
    pub describe: fn(&mut dyn fmt::Write),
    /// The name of what it runs, such as the type of a closure, if that is known.
    pub origin: fn() -> Option<&'static str>,
    /// What helps against the overflow of this stack, if it is not a larger class.
    pub remedy: fn() -> Option<&'static str>,
}

//! The settings of a scheduler.

use std::time::Duration;

use goroutines_stack::{Class, Step};

/// The settings in force.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StackKind {
    pub(crate) class: Class,
    pub(crate) start: Step,
    /// Whether stacks are copied out of shared windows.
    pub(crate) copied: bool,
}

/// The settings in force.
pub(crate) struct Settings {
    pub(crate) procs: usize,
    /// The program sets no number of Ps, so that their number follows the machine.
    pub(crate) follow: bool,
    pub(crate) stacks: StackKind,
    /// None: stacks keep their memory.
    pub(crate) stack_idle: Option<Duration>,
    pub(crate) max_threads: usize,
    /// None: threads stay.
    pub(crate) thread_idle: Option<Duration>,
}

//! What the raw locks import from outside of `raw/`. The loom models of sched compile `raw/` with a door of their own,
//! which offers loom's atomics and a scheduler of a few lines: so they check the source that runs here.

pub(crate) use std::{
    hint::spin_loop,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    time::Instant,
};

pub(crate) use goroutines_sched::{
    ByteLock, GRef, TIMED_OUT, Ticket, WaitFor, WaitReason, arm, current, park, park_until, procs,
    ready, ready_tail,
};

/// Looks at a lock before a waiter parks. Together some hundred nanoseconds: longer than a critical
/// section that does little, far shorter than parking a thread.
pub(crate) const SPINS: u32 = 40;

pub(crate) use super::owner::Owner;

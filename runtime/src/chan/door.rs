//! What the core of a channel imports from outside of `core/`. The loom models of sched compile `core/` with a door of
//! their own, which offers loom's atomics and a small scheduler.

pub(super) use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Instant,
};

pub(super) use goroutines_sched::{
    ByteLock, Caller, ChannelCounts, ChannelHead, GRef, ParkState, TIMED_OUT, Ticket, WaitReason,
    arm, caller, current, park_until, ready, ready_tail, wake,
};

pub(super) use crate::sync::raw::waitq;

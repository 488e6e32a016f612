//! The one door to what the core of a channel is built of, as `sync/door.rs` is for the raw locks. The loom models of
//! sched compile the sources of [`channel`](super::channel), [`locked`](super::locked), [`waiter`](super::waiter),
//! [`steps`](super::steps), [`keeper`](super::keeper), [`promise`](super::promise), [`future_wait`](super::future_wait), [`shelter`](super::shelter),
//! [`counter`](super::counter) and of the buffers with another door. So these import from each other and from here, and
//! nothing else that synchronises.

pub(super) use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Instant,
};

pub(super) use goroutines_sched::{
    ByteLock, Caller, GRef, Landing, TIMED_OUT, Ticket, WaitReason, arm, caller, current,
    park_until, ready, ready_tail, wake,
};

pub(super) use crate::sync::waitq;

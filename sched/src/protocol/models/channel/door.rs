//! What the core of a channel is built of, under loom: mostly the same as for the locks.

use loom::cell::UnsafeCell;

pub(super) use loom::sync::atomic::Ordering;

pub(super) use super::super::locks::{
    door::{
        ByteLock, GRef, Instant, TIMED_OUT, Ticket, WaitFor, WaitReason, arm, current, park_until,
        ready, ready_tail,
    },
    raw::waitq,
};
pub(super) use crate::protocol::{
    channel_head::{ChannelCounts, ChannelHead},
    park_state::ParkState,
};

/// The caller of an operation: under loom it is looked up each time.
#[derive(Clone, Copy)]
pub(super) struct Caller(GRef);

pub(super) fn caller() -> Caller {
    Caller(current())
}

impl Caller {
    pub(super) fn g(&self) -> GRef {
        self.0
    }

    pub(super) unsafe fn park(self, wait: impl Into<WaitFor>, commit: impl FnOnce() -> bool) {
        // SAFETY: both doors ask the same of a commit: one `ready` for each that returns true.
        unsafe { super::super::locks::door::park(wait, commit) }
    }
}

pub(super) fn wake(waker: std::task::Waker) {
    waker.wake();
}

/// Read by every use and written by the drop: loom reports a use of what is being freed. A use does not order itself
/// by this cell: so the orderings of the channel must.
struct Alive(UnsafeCell<()>);

impl Alive {
    fn check(&self) {
        self.0.with(|_| ());
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.with_mut(|_| ());
        }
    }
}

pub(super) struct AtomicUsize {
    value: loom::sync::atomic::AtomicUsize,
    alive: Alive,
}

impl AtomicUsize {
    pub(super) fn new(value: usize) -> AtomicUsize {
        AtomicUsize {
            value: loom::sync::atomic::AtomicUsize::new(value),
            alive: Alive(UnsafeCell::new(())),
        }
    }

    pub(super) fn fetch_add(&self, value: usize, order: Ordering) -> usize {
        self.alive.check();
        self.value.fetch_add(value, order)
    }

    pub(super) fn fetch_sub(&self, value: usize, order: Ordering) -> usize {
        self.alive.check();
        self.value.fetch_sub(value, order)
    }

    pub(super) fn load(&self, order: Ordering) -> usize {
        self.alive.check();
        self.value.load(order)
    }
}

pub(super) struct AtomicBool {
    value: loom::sync::atomic::AtomicBool,
    alive: Alive,
}

impl AtomicBool {
    pub(super) fn new(value: bool) -> AtomicBool {
        AtomicBool {
            value: loom::sync::atomic::AtomicBool::new(value),
            alive: Alive(UnsafeCell::new(())),
        }
    }

    pub(super) fn swap(&self, value: bool, order: Ordering) -> bool {
        self.alive.check();
        self.value.swap(value, order)
    }
}

//! What the core of a channel is built of, under loom: mostly what the locks are.

pub(super) use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub(super) use super::super::locks::{
    door::{
        ByteLock, GRef, Instant, TIMED_OUT, Ticket, arm, current, park_until, ready, ready_tail,
    },
    waitq,
};
pub(super) use crate::landing::Landing;

/// Who calls: nothing is saved by asking once.
#[derive(Clone, Copy)]
pub(super) struct Caller(GRef);

pub(super) fn caller() -> Caller {
    Caller(current())
}

impl Caller {
    pub(super) fn g(&self) -> GRef {
        self.0
    }

    pub(super) unsafe fn park(self, commit: impl FnOnce() -> bool) {
        // SAFETY: passed on.
        unsafe { super::super::locks::door::park(commit) }
    }
}

pub(super) fn wake(waker: std::task::Waker) {
    waker.wake();
}

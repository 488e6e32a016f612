//! One who waits for a lock that others may take meanwhile.
//!
//! Locks here are barged: one who comes takes what is free, also while a waiter is on its way to it. So a running
//! goroutine that locks again and again need not switch for each, and the lock is not owned by somebody who sleeps. A
//! waiter that comes too late goes back to the front of the queue; when it has waited for longer than [`PATIENCE`]
//! it says so in the lock's word. From then on nobody barges: the lock is given to who waits, who owns it from that
//! moment on, until those are served who have waited for so long.
//!
//! The clock is read by who parks, and by those who deal with one who has lost.

use std::{cell::Cell, time::Duration};

use super::{
    door::{GRef, Instant},
    sleeper::{Sleeper, Sleeps},
};

/// How long waiters lose a lock to others before it is handed over.
pub(crate) const PATIENCE: Duration = Duration::from_millis(1);

pub(crate) struct Waiter {
    sleeper: Cell<Sleeper>,
    since: Instant,
    /// What it waits for was given to it. Written by who takes it out, read when it wakes.
    served: Cell<bool>,
}

impl Sleeps for Waiter {
    #[inline(always)]
    fn sleeper(&self) -> Sleeper {
        self.sleeper.get()
    }
}

impl Waiter {
    /// For `g`, the caller, who waits from now on. `None`: `deadline` has passed.
    #[inline(always)]
    pub(crate) fn new(g: GRef, deadline: Option<Instant>) -> Option<Waiter> {
        let since = Instant::now();
        if deadline.is_some_and(|deadline| since >= deadline) {
            return None;
        }
        Some(Waiter {
            sleeper: Cell::new(Sleeper::new(g, deadline)),
            since,
            served: Cell::new(false),
        })
    }

    /// It was woken, came too late, and waits once more.
    #[inline(always)]
    pub(crate) fn again(&self, g: GRef, deadline: Option<Instant>) {
        self.sleeper.set(Sleeper::new(g, deadline));
    }

    /// Has it waited for too long?
    #[inline]
    pub(crate) fn starves(&self) -> bool {
        self.since.elapsed() > PATIENCE
    }

    /// It has what it waits for. Called by who has taken it out, before it is woken.
    #[inline(always)]
    pub(crate) fn serve(&self) {
        self.served.set(true);
    }

    /// Was it given what it waits for, or only woken to try?
    #[inline(always)]
    pub(crate) fn was_served(&self) -> bool {
        self.served.get()
    }
}

//! A waiter for a lock that others may take meanwhile.
//!
//! Locks here allow barging: a new caller takes a free lock, also while a woken waiter is on its way to it. So a running
//! goroutine that locks again and again need not switch for each, and a sleeping goroutine never owns the lock. A
//! waiter that comes too late goes back to the front of the queue. When it has waited for longer than [`PATIENCE`]
//! it sets a bit in the lock's word. From then on new callers do not barge: the lock is handed over to a waiter, which
//! owns it from that moment on, until those are served that have waited for so long.
//!
//! The clock is read when a waiter parks, and when one that has lost is dealt with.

use std::{cell::Cell, time::Duration};

use super::{
    door::{GRef, Instant},
    limit::Limit,
    sleeper::{Sleeper, Sleeps},
};

/// How long waiters lose a lock to others before it is handed over.
pub(crate) const PATIENCE: Duration = Duration::from_millis(1);

pub(crate) struct Waiter {
    sleeper: Cell<Sleeper>,
    since: Instant,
    /// What it waits for was given to it. Written by its taker, read when it wakes.
    served: Cell<bool>,
}

impl Sleeps for Waiter {
    #[inline(always)]
    fn sleeper(&self) -> Sleeper {
        self.sleeper.get()
    }
}

impl Waiter {
    /// For `g`, the caller, which waits from now on. `None`: `limit` has come.
    #[inline(always)]
    pub(crate) fn new(g: GRef, limit: Option<&Limit<'_>>) -> Option<Waiter> {
        let since = Instant::now();
        if limit.is_some_and(|limit| limit.has_come(since)) {
            return None;
        }
        Some(Waiter {
            sleeper: Cell::new(Sleeper::new(g, limit)),
            since,
            served: Cell::new(false),
        })
    }

    /// The waiter was woken, came too late, and waits once more.
    #[inline(always)]
    pub(crate) fn again(&self, g: GRef, limit: Option<&Limit<'_>>) {
        self.sleeper.set(Sleeper::new(g, limit));
    }

    /// Returns whether it has waited for longer than [`PATIENCE`].
    #[inline]
    pub(crate) fn starves(&self) -> bool {
        self.since.elapsed() > PATIENCE
    }

    /// Notes that it has what it waits for. Called by its taker, before it is woken.
    #[inline(always)]
    pub(crate) fn serve(&self) {
        self.served.set(true);
    }

    /// Returns whether it was given what it waits for; if not, it was woken to try.
    #[inline(always)]
    pub(crate) fn was_served(&self) -> bool {
        self.served.get()
    }
}

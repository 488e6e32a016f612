//! When a waiter gives up: at a moment, or when what it waits under is over, whichever comes first.

use super::{door::Instant, waits::Waits};

/// The limit of a wait: a moment, the end of a context, or whichever comes first. A wait without a limit has `None` in its
/// place.
#[derive(Clone, Copy)]
pub(crate) struct Limit<'a> {
    pub(super) deadline: Option<Instant>,
    pub(super) under: Option<&'a Waits>,
}

impl<'a> Limit<'a> {
    /// At `deadline`. `None`: there is no limit, as when a timeout is longer than a clock can hold.
    pub(crate) fn at(deadline: Option<Instant>) -> Option<Limit<'a>> {
        deadline.map(|deadline| Limit {
            deadline: Some(deadline),
            under: None,
        })
    }

    /// At `deadline`, if there is one, and when `waits` are over.
    pub(crate) fn under(waits: &'a Waits, deadline: Option<Instant>) -> Limit<'a> {
        Limit {
            deadline,
            under: Some(waits),
        }
    }

    /// Returns whether it has come, at the moment `now`.
    #[inline]
    pub(super) fn has_come(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
            || self.under.is_some_and(Waits::are_over)
    }
}

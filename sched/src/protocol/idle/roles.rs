//! The parts that a sleeping M may have: it keeps the time, or sleeps in the kernel's poll, or both.

use super::{Id, Idle, Lists, Sleeper};
use crate::protocol::{
    sync::{Ordering, lock},
    timers::NEVER,
};

impl Idle {
    /// Makes the sleeping `m` the timekeeper of a timer due at `when`, unless another timekeeper wakes before that.
    /// True if `m` must sleep only until then.
    pub(crate) fn keep_time(&self, m: Id, when: u64) -> bool {
        let mut lists = lock(&self.lists);
        if !lists.ms.contains(&m) || lists.timekeeper.is_some_and(|(_, due)| due <= when) {
            return false;
        }
        lists.timekeeper = Some((m, when));
        true
    }

    /// Returns whether a sleeping M wakes at `when` or before. The caller has published the timer, and passed a fence
    /// since.
    pub(crate) fn keeps_time(&self, when: u64) -> bool {
        let lists = lock(&self.lists);
        lists.timekeeper.is_some_and(|(_, due)| due <= when)
    }

    /// When the timekeeper wakes by itself, or [`NEVER`]. A snapshot.
    pub(crate) fn kept_until(&self) -> u64 {
        lock(&self.lists).timekeeper.map_or(NEVER, |(_, due)| due)
    }

    /// K1 of poll.rs: makes the sleeping `m` the one that sleeps in the kernel's poll, if there is none and the last one has
    /// left it. Then `m` calls [`Idle::end_poll`] when it is back.
    pub(crate) fn keep_poll(&self, m: Id) -> bool {
        let mut lists = lock(&self.lists);
        // Relaxed (both): under the lock.
        if !lists.ms.contains(&m) || self.in_poll.load(Ordering::Relaxed) {
            return false;
        }
        self.in_poll.store(true, Ordering::Relaxed);
        lists.poller = Some(m);
        true
    }

    /// `m` is back from the kernel's poll.
    pub(crate) fn end_poll(&self, m: Id) {
        let mut lists = lock(&self.lists);
        // Relaxed: under the lock; a caller without the lock asks again.
        self.in_poll.store(false, Ordering::Relaxed);
        if lists.poller == Some(m) {
            lists.poller = None;
        }
    }

    /// Returns whether an M sleeps in the kernel's poll. Where the answer decides whether any M will poll, a fence of
    /// the caller came after the last P was put down.
    pub(crate) fn has_poller(&self) -> bool {
        // Relaxed: see above.
        self.in_poll.load(Ordering::Relaxed)
    }
}

impl Lists {
    /// A sleeping M: preferably one without a part, then the timekeeper, then the one in the kernel's poll.
    pub(super) fn take_sleeper(&mut self) -> Option<Sleeper> {
        let timekeeper = self.timekeeper.map(|(m, _)| m);
        let last = self.ms.len().checked_sub(1)?;
        let spare = |&m: &Id| Some(m) != timekeeper && Some(m) != self.poller;
        let place = self.ms.iter().rposition(spare);
        let place = place.or_else(|| self.ms.iter().rposition(|&m| Some(m) != self.poller));
        let m = self.ms.swap_remove(place.unwrap_or(last));
        self.dismiss(m);
        let was_timekeeper = timekeeper == Some(m);
        Some(Sleeper { m, was_timekeeper })
    }

    /// `m`, which is awake from here on, keeps no time and does not count as polling.
    pub(super) fn dismiss(&mut self, m: Id) {
        if self
            .timekeeper
            .is_some_and(|(timekeeper, _)| timekeeper == m)
        {
            self.timekeeper = None;
        }
        if self.poller == Some(m) {
            self.poller = None;
        }
    }
}

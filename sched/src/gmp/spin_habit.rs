//! Whether an M that runs out of work spins before it sleeps: it learns that from its last sleep.
//!
//! A spin costs 15 us of a CPU each time. It is worth that where work comes while it lasts, or soon after: then the
//! thread that has the work need not wake this M, which costs 8 to 11 us and two switches. So an M regrets a sleep
//! that another thread ended soon, and spins the next time; and it does not spin after a sleep that lasted longer, or
//! that a timer ended, for which nobody spins. An M that is wrong pays once: the next sleep teaches it again.
//!
//! It is the spinner's own decision. The steps of idle.rs hold for an M that rests without having spun.

use std::{cell::Cell, time::Duration};

/// How long the spinner looks for work before it sleeps.
pub(crate) const SPIN: Duration = Duration::from_micros(15);

/// A sleep that was ended by others before that is regretted, in nanoseconds.
const SOON: u64 = 2 * SPIN.as_nanos() as u64;

/// For the thread of its M.
pub(crate) struct SpinHabit {
    /// When it last put its P down.
    rested: Cell<u64>,
    pays: Cell<bool>,
}

impl SpinHabit {
    pub(crate) fn new() -> SpinHabit {
        SpinHabit {
            rested: Cell::new(0),
            pays: Cell::new(true),
        }
    }

    /// Returns whether a spin is worth its time.
    pub(crate) fn pays(&self) -> bool {
        self.pays.get()
    }

    /// It puts its P down at `now`.
    pub(crate) fn rests(&self, now: u64) {
        self.rested.set(now);
    }

    /// It woke at `now`, `by_others` who had work for it, which may be an event of the poller; or by itself, for a timer.
    pub(crate) fn woke(&self, by_others: bool, now: u64) {
        self.pays
            .set(by_others && now.saturating_sub(self.rested.get()) < SOON);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_that_others_end_soon_is_regretted_and_no_other() {
        let habit = SpinHabit::new();
        assert!(habit.pays(), "an M that has not slept yet");
        habit.rests(1000);
        habit.woke(true, 1000 + SOON);
        assert!(!habit.pays());
        habit.rests(100_000);
        habit.woke(true, 100_000 + SOON - 1);
        assert!(habit.pays());
        habit.rests(200_000);
        habit.woke(false, 200_001);
        assert!(!habit.pays());
    }

    #[test]
    fn work_of_others_after_a_timer_is_learnt_from() {
        let habit = SpinHabit::new();
        habit.rests(1000);
        habit.woke(false, 1001);
        habit.rests(2000);
        habit.woke(true, 2001);
        assert!(habit.pays());
    }
}

//! Receivers without senders: the clock fills their buffer of one.
//!
//! ```text
//!   at(3), recv at 5:      ───────3─────5──────►      the message says 3; there is no other
//!   tick(2), recv at 7:    ───2───4───6─7─8───►       the message says 2; the next one is due at 8
//! ```
//!
//! Nothing runs for them: a receive reads the clock to see whether a message is there, and a receiver that
//! waits has a deadline. Such a channel has the lock, the queue and the counters of any other, but no sender
//! ever serves its waiters. They stand in the queue for `close`, and in line for the timer
//! (timekeeper.rs).
//!
//! The messages of a `tick` are due at whole periods after its start, so it does not drift however late they are
//! taken. One message that is not taken is kept, further ones are dropped: so they do not pile up.

use std::time::Duration;

use super::door::Instant;

pub(crate) struct Clock {
    /// When the next message is there, if there will be one.
    next: Option<Instant>,
    /// None: there is one message only.
    period: Option<Duration>,
}

impl Clock {
    /// The first message is there at `next`; the others, if there is a period, in steps of it.
    pub(crate) fn new(next: Instant, period: Option<Duration>) -> Clock {
        Clock {
            next: Some(next),
            period,
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Messages that are there: at most one.
    #[inline(never)]
    pub(super) fn len(&self) -> usize {
        self.next.is_some_and(|next| next <= Instant::now()).into()
    }

    /// From now on there are no messages but the one that is there, if it is.
    pub(super) fn stop(&mut self) {
        self.period = None;
        if self.len() == 0 {
            self.next = None;
        }
    }

    /// The message, which is there.
    pub(super) fn take(&mut self) -> Instant {
        let now = Instant::now();
        let Some(due) = self.next else {
            unreachable!("goroutines: a message without a moment");
        };
        self.next = self
            .period
            .and_then(|period| due.checked_add(whole_periods(now - due, period)));
        due
    }
}

/// The first multiple of `period` that is more than `late`, and so in the future; for a period of zero,
/// `late` itself: now.
fn whole_periods(late: Duration, period: Duration) -> Duration {
    if period.is_zero() {
        return late;
    }
    let past = late.as_nanos() / period.as_nanos();
    let next = (past + 1).saturating_mul(period.as_nanos());
    let seconds = u64::try_from(next / 1_000_000_000).unwrap_or(u64::MAX);
    Duration::new(seconds, (next % 1_000_000_000) as u32)
}

#[cfg(all(test, not(goroutines_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_late_tick_stays_on_its_beat() {
        let ns = Duration::from_nanos;
        for (late, next) in [(0, 10), (1, 10), (9, 10), (10, 20), (99, 100), (1000, 1010)] {
            assert_eq!(whole_periods(ns(late), ns(10)), ns(next), "{late} late");
        }
        assert_eq!(whole_periods(ns(7), Duration::ZERO), ns(7));
        assert_eq!(
            whole_periods(Duration::ZERO, Duration::MAX),
            Duration::MAX,
            "no overflow"
        );
    }
}

//! Receivers without senders: the clock fills their buffer of one.
//!
//! ```text
//!   at(3), recv at 5:      ───────3─────5──────►      the message says 3; there is no other
//!   tick(2), recv at 7:    ───2───4───6─7─8───►       the message says 2; the next one is due at 8
//! ```
//!
//! Nothing runs for them: whether a message is there is a look at the clock, and one who waits has a
//! deadline. Such a channel has the lock, the queue and the counters of any other, but nobody ever
//! serves its waiters. They stand in the queue for [`close`](super::Receiver::close), and in line for the timer
//! (keeper.rs).
//!
//! The beats of a `tick` are whole periods after its start, so it does not drift however late its messages are
//! taken. What is not taken is missed, except for one: so it does not pile up.

use std::time::{Duration, Instant};

use super::{Receiver, buffer::Buffer, channel::Channel, counter};

pub(super) struct Clock {
    /// When the next message is there, if there will be one.
    next: Option<Instant>,
    /// None: there is one message only.
    period: Option<Duration>,
}

impl Clock {
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Messages that are there: at most one.
    #[inline(never)]
    pub(super) fn len(&self) -> usize {
        self.next.is_some_and(|next| next <= Instant::now()).into()
    }

    /// No messages any more but the one that is there, if it is.
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

fn clock(next: Instant, period: Option<Duration>) -> Receiver<Instant> {
    let clock = Clock {
        next: Some(next),
        period,
    };
    Receiver {
        handle: counter::new_receiver(Channel::new(Buffer::Clock(clock), Some(1))),
    }
}

/// A receiver that gets one message, after `duration`: the moment when it was due.
///
/// It is never disconnected. Nothing runs meanwhile; who waits for it has a deadline. A `duration` beyond what an
/// [`Instant`] can hold makes a [`never`](fn@never).
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::chan::{after, select, unbounded};
/// use std::time::Duration;
///
/// let (tx, rx) = unbounded::<i32>();
/// select! {
///     recv(rx) -> _ => unreachable!("nobody sends"),
///     recv(after(Duration::from_millis(5))) -> due => assert!(due.is_ok()),
/// }
/// # drop(tx);
/// ```
pub fn after(duration: Duration) -> Receiver<Instant> {
    Instant::now().checked_add(duration).map_or_else(never, at)
}

/// A receiver that gets one message at the moment `when`: `when` itself.
///
/// It is never disconnected. If `when` is in the past, the message is there.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use std::time::{Duration, Instant};
///
/// let when = Instant::now() + Duration::from_millis(5);
/// let rx = goroutines::chan::at(when);
/// assert!(rx.is_empty());
/// assert_eq!(rx.recv(), Ok(when));
/// assert!(Instant::now() >= when);
/// assert!(rx.try_recv().is_err());
/// ```
pub fn at(when: Instant) -> Receiver<Instant> {
    clock(when, None)
}

/// A receiver that never gets a message and is never disconnected: for a case of a select that is not
/// wanted this time.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::chan::{after, never, select, unbounded};
/// use std::time::Duration;
///
/// let (tx, rx) = unbounded();
/// tx.send(1).unwrap();
/// let limit = None::<Duration>;
/// select! {
///     recv(rx) -> msg => assert_eq!(msg, Ok(1)),
///     recv(limit.map_or_else(never, after)) -> _ => unreachable!("there is no limit"),
/// }
/// ```
pub fn never<T>() -> Receiver<T> {
    Receiver {
        handle: counter::new_receiver(Channel::new(Buffer::Never, Some(0))),
    }
}

/// A receiver that gets a message every `duration`: the moment when it was due.
///
/// It is never disconnected. There is room for one message: one who comes late gets the first that it
/// missed, and then the next that is due. Messages are due at multiples of `duration` after the call, whenever they
/// are received. Clones share the messages. A `duration` of zero makes one whose message is
/// always there.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use std::time::Duration;
///
/// let beat = Duration::from_millis(2);
/// let ticks: Vec<_> = goroutines::chan::tick(beat).iter().take(3).collect();
/// assert!(ticks[1] - ticks[0] >= beat);
/// assert!(ticks[2] - ticks[1] >= beat);
/// ```
pub fn tick(duration: Duration) -> Receiver<Instant> {
    match Instant::now().checked_add(duration) {
        Some(first) => clock(first, Some(duration)),
        None => never(),
    }
}

#[cfg(test)]
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

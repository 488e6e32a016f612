//! Time as the scheduler counts it: nanoseconds of the monotonic clock in a `u64`. `u64::MAX` stands for never, and
//! for each moment that does not fit (`protocol::timers::NEVER`).

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

/// Nanoseconds on the monotonic clock, never 0.
#[inline]
pub(crate) fn now() -> u64 {
    read(libc::CLOCK_MONOTONIC) + 1
}

/// The nanoseconds that `clock` shows; 0 if the clock does not exist, or exists no longer.
#[inline]
pub(crate) fn read(clock: libc::clockid_t) -> u64 {
    let mut ts = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `ts` is a live timespec, which the call fills or leaves as it is.
    unsafe { libc::clock_gettime(clock, &raw mut ts) };
    (ts.tv_sec as u64) * 1_000_000_000 + (ts.tv_nsec as u64)
}

/// The moment `duration` from now; `u64::MAX` (never) where it does not fit (over 580 years).
pub(crate) fn after(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).map_or(u64::MAX, |ns| now().saturating_add(ns))
}

/// `deadline` as a moment on the scheduler's clock, no earlier than it is on std's. A deadline before the first call
/// counts as long past.
///
/// Both clocks advance at the same rate, so one reading of std's is enough: a wait with a deadline reads neither
/// clock.
pub(crate) fn at(deadline: Instant) -> u64 {
    static ONCE: OnceLock<(Instant, u64)> = OnceLock::new();
    // From left to right: the scheduler's moment is not before std's.
    let (first, moment) = *ONCE.get_or_init(|| (Instant::now(), now()));
    let since = deadline.saturating_duration_since(first).as_nanos();
    u64::try_from(since).map_or(u64::MAX, |ns| moment.saturating_add(ns))
}

/// Sleeps for `duration`, without the up to 50 us of timer slack that the kernel adds by default.
pub(crate) fn nap_sharply(duration: Duration) {
    sharply(|| std::thread::sleep(duration));
}

/// Runs `wait` with the timer slack of this thread at its minimum.
pub(crate) fn sharply<R>(wait: impl FnOnce() -> R) -> R {
    let slack = slack(libc::PR_GET_TIMERSLACK, 0);
    let _ = self::slack(libc::PR_SET_TIMERSLACK, 1);
    let result = wait();
    // A thread that this one starts inherits the slack, so the old value is restored.
    if slack > 0 {
        let _ = self::slack(libc::PR_SET_TIMERSLACK, slack as libc::c_ulong);
    }
    result
}

/// Reads or sets the timer slack of this thread: how late the kernel may wake it from a sleep.
fn slack(option: libc::c_int, value: libc::c_ulong) -> libc::c_int {
    let none: libc::c_ulong = 0;
    // SAFETY: these options take a number and touch no memory of the process. The kernel looks at five words.
    unsafe { libc::prctl(option, value, none, none, none) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_not_before_it_is_on_stds_clock_and_not_long_after() {
        for rest in [0, 1, 1_000_000, 3_600_000_000_000] {
            for _ in 0..1000 {
                let (before, start) = (now(), Instant::now());
                let moment = at(start + Duration::from_nanos(rest));
                // The scheduler's clock, read first, shows no more than std's, read after it.
                assert!(moment >= before + rest - 1, "{rest}");
                assert!(moment - rest <= now() + 1_000_000_000, "{rest}");
            }
        }
        let now_there = Instant::now();
        let past = now_there.checked_sub(Duration::from_secs(1));
        assert!(past.is_none_or(|past| at(past) <= now()));
        let far = now_there.checked_add(Duration::from_secs(1 << 40));
        assert!(far.is_none_or(|far| at(far) > now() + (1 << 60)));
    }
}

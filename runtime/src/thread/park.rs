//! Waiting for an `unpark`, or for a moment.

use std::time::{Duration, Instant};

use goroutines_sched as sched;

use crate::go::sleep_at_most;

/// Waits for a call of [`unpark`](crate::thread::Thread::unpark) on the caller's handle, and consumes it. Returns at
/// once if one came before that was not consumed. Several calls count as one.
///
/// Unlike std's it does not return without an `unpark`; programs that are to run with both still check the condition
/// that they wait for in a loop.
///
/// # Parks
///
/// Until unparked: only the goroutine. A plain OS thread sleeps.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::thread;
/// use std::sync::{Arc, atomic::{AtomicBool, Ordering}};
///
/// let ready = Arc::new(AtomicBool::new(false));
/// let waiter = thread::spawn({
///     let ready = Arc::clone(&ready);
///     move || {
///         while !ready.load(Ordering::Acquire) {
///             thread::park();
///         }
///     }
/// });
/// ready.store(true, Ordering::Release);
/// waiter.thread().unpark();
/// waiter.join().unwrap();
/// ```
pub fn park() {
    sched::park_until_unparked(None);
}

/// As [`park`], but for `timeout` at most. A timeout that no clock can hold is none.
///
/// # Parks
///
/// As [`park`].
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::thread;
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// thread::park_timeout(Duration::from_millis(5));
/// assert!(start.elapsed() >= Duration::from_millis(5));
///
/// thread::current().unpark();
/// thread::park_timeout(Duration::MAX); // returns at once
/// ```
pub fn park_timeout(timeout: Duration) {
    sched::park_until_unparked(Instant::now().checked_add(timeout));
}

/// [`park_timeout`] in milliseconds: std's old name.
///
/// # Parks
///
/// As [`park_timeout`].
///
/// # Examples
///
/// ```
/// # #![allow(deprecated)]
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::thread;
///
/// thread::current().unpark();
/// thread::park_timeout_ms(u32::MAX); // returns at once
/// ```
#[deprecated(note = "use `park_timeout`")]
pub fn park_timeout_ms(ms: u32) {
    park_timeout(Duration::from_millis(ms.into()));
}

/// [`sleep`](crate::sleep) in milliseconds: std's old name.
///
/// # Parks
///
/// As [`sleep`](crate::sleep).
///
/// # Examples
///
/// ```
/// # #![allow(deprecated)]
/// # unsafe { goroutines::start() }.unwrap();
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// goroutines::thread::sleep_ms(5);
/// assert!(start.elapsed() >= Duration::from_millis(5));
/// ```
#[deprecated(note = "use `sleep`")]
pub fn sleep_ms(ms: u32) {
    crate::sleep(Duration::from_millis(ms.into()));
}

/// Waits until `deadline`: only this goroutine, others run meanwhile. A plain OS thread sleeps. Returns at once if the
/// deadline has passed.
///
/// # Parks
///
/// Until `deadline`, or a little longer; less when the caller's [`Context`](crate::context::Context) is done before.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::thread;
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// for tick in 1..=3 {
///     thread::sleep_until(start + tick * Duration::from_millis(1)); // does not drift
/// }
/// assert!(start.elapsed() >= Duration::from_millis(3));
/// ```
pub fn sleep_until(deadline: Instant) {
    if deadline > Instant::now() {
        sleep_at_most(Some(deadline));
    }
}

//! How many goroutines run at the same time.

use goroutines_sched as sched;

/// How many goroutines can run at the same time: the number of Ps. 0 while the runtime has not been started.
///
/// See [`Config::procs`](crate::Config::procs) for where the number comes from.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// assert!(goroutines::gomaxprocs() >= 1);
/// ```
#[doc(alias = "GOMAXPROCS")]
pub fn gomaxprocs() -> usize {
    sched::procs()
}

/// Sets how many goroutines can run at the same time, and returns the previous number.
///
/// Nothing is stopped, and nothing is lost: processors (Ps) that are too many finish what they run, pass on what waits
/// in their queues and timers, and are gone when this returns. A goroutine that makes no call for long loses its P
/// as always; it runs on beside the others, on a thread of its own, until its next call.
///
/// From now on the number stays as it is: it no longer follows the machine (see
/// [`Config::procs`](crate::Config::procs)).
///
/// # Parks
///
/// Until the threads that run the surplus Ps have given them up: some microseconds, or some milliseconds if goroutines on
/// them compute.
///
/// # Panics
///
/// If `count` is 0, larger than 4096 or than [`Config::max_threads`](crate::Config::max_threads), or if the runtime
/// has not been started.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// let before = goroutines::set_gomaxprocs(3);
/// assert_eq!(goroutines::gomaxprocs(), 3);
/// assert_eq!(goroutines::set_gomaxprocs(before), 3);
/// ```
#[doc(alias = "GOMAXPROCS")]
#[track_caller]
pub fn set_gomaxprocs(count: usize) -> usize {
    sched::set_procs(count)
}

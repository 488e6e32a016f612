//! Long computations.

/// For long computations: lets other goroutines run if they have waited for long enough, and returns at once
/// otherwise.
///
/// Nothing happens before the goroutine has run for some milliseconds without a break *and* something waits for
/// its processor (P); so this can be called often. It costs about a nanosecond.
///
/// A computation without any call into this crate does not block the other goroutines either: after some milliseconds
/// the scheduler takes its P away, and its thread runs on beside the others. With `checkpoint` the computation keeps
/// its P, so that no more threads run than [`Config::procs`](crate::Config::procs) asks for.
///
/// On a plain OS thread, and inside [`blocking`](crate::blocking()), it does nothing.
///
/// # Parks
///
/// When others wait: the goroutine goes to the tail of the global run queue.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// let sum = goroutines::go(|| {
///     (0..1_000_000_u64).fold(0, |sum, n| {
///         goroutines::checkpoint();
///         sum ^ n.wrapping_mul(n)
///     })
/// });
/// assert!(sum.join().is_ok());
/// ```
#[inline]
pub fn checkpoint() {
    goroutines_sched::checkpoint();
}

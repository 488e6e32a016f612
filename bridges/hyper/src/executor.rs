//! Running the futures that hyper starts.

use goroutines::{block_on, go};
use hyper::rt::Executor;

/// Runs each future on a goroutine of its own, to its end. What the future returns is dropped there.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::chan;
/// use hyper::rt::Executor;
///
/// let (tx, rx) = chan::bounded(0);
/// goroutines_hyper::Goroutines.execute(async move { tx.send(42).unwrap() });
/// assert_eq!(rx.recv(), Ok(42));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Goroutines;

impl<F> Executor<F> for Goroutines
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        go(move || drop(block_on(future)));
    }
}

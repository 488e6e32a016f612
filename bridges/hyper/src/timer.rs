//! The timers that hyper asks for.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use goroutines::chan;
use hyper::rt::{Sleep, Timer};

/// The timers of the scheduler: for a connection's `timer` method, without which hyper has no timeouts.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::block_on;
/// use hyper::rt::Timer;
/// use std::time::{Duration, Instant};
///
/// let begin = Instant::now();
/// block_on(goroutines_hyper::Timers.sleep(Duration::from_millis(5)));
/// assert!(begin.elapsed() >= Duration::from_millis(5));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Timers;

/// One that is set.
struct Set(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl Timer for Timers {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        match Instant::now().checked_add(duration) {
            Some(deadline) => self.sleep_until(deadline),
            // A moment that the clock does not know never comes.
            None => Box::pin(Set(Box::pin(std::future::pending()))),
        }
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let time = chan::at(deadline);
        Box::pin(Set(Box::pin(async move {
            // The one message that it sends.
            let _ = time.recv_async().await;
        })))
    }
}

impl Future for Set {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl Sleep for Set {}

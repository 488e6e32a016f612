//! How the caller polls a future to its end.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::Instant,
};

use goroutines_sched::{ThreadWaker, pin_stack};

/// Something else has ended the wait for a future.
pub(crate) struct Interrupted;

/// Runs `future` to its end on the caller, or until `interrupt` is ready, which is polled when the future is pending, or
/// until `deadline`.
pub(crate) fn drive<F: Future>(
    future: F,
    deadline: Option<Instant>,
    mut interrupt: impl FnMut(&mut Context<'_>) -> Poll<()>,
) -> Result<F::Output, Interrupted> {
    let _stays = pin_stack();
    let bell = ThreadWaker::new();
    let waker = Waker::from(bell.clone());
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        bell.clear();
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Ok(output);
        }
        let over = interrupt(&mut context).is_ready();
        if over || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Interrupted);
        }
        bell.wait(deadline);
    }
}

//! Why a semaphore gave no permit.

use std::{error::Error, fmt};

use super::Semaphore;

/// [`Semaphore::try_acquire`] and its like: the permits were not free, or are kept for waiters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TryAcquireError(pub(super) ());

/// [`Semaphore::acquire_timeout`] and its like: the time was up before the permits were there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcquireTimeoutError(pub(super) ());

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("no permits available")
    }
}

impl fmt::Display for AcquireTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("timed out waiting for permits")
    }
}

impl Error for TryAcquireError {}
impl Error for AcquireTimeoutError {}

/// `what` with `n` permits would make more than there can be.
#[cold]
#[track_caller]
pub(super) fn overflow(what: &str, n: usize, semaphore: &Semaphore) -> ! {
    let (free, most) = (semaphore.available_permits(), Semaphore::MAX_PERMITS);
    panic!(
        "goroutines::sync::Semaphore: {what} {n} permits beside {free} free ones makes more than {most} \
         (Semaphore::MAX_PERMITS); add no more than were taken"
    );
}

/// Panics for a caller that wants `n` permits, which can never be free.
#[cold]
#[track_caller]
pub(super) fn never(n: usize) -> ! {
    let most = Semaphore::MAX_PERMITS;
    panic!(
        "goroutines::sync::Semaphore: {n} permits are wanted and there can never be more than {most} \
         (Semaphore::MAX_PERMITS); this would wait for ever"
    );
}

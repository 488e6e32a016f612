//! Why a semaphore gave no permit.

use std::{error::Error, fmt};

/// [`Semaphore::try_acquire`](super::Semaphore::try_acquire) and its like: the permits were not there, or others wait for theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TryAcquireError(pub(super) ());

/// [`Semaphore::acquire_timeout`](super::Semaphore::acquire_timeout) and its like: the time was up before the permits were there.
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

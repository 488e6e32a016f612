//! Waiting for a moment, or forever.

use std::{thread, time::Instant};

use crate::{
    park::{arm, park_until},
    protocol::wait_reason::WaitReason,
    switch::current::on_goroutine,
};

/// Waits until `deadline`.
///
/// # Parks
///
/// Only the goroutine; other goroutines run meanwhile. A plain OS thread sleeps.
pub fn sleep_until(deadline: Instant) {
    if !on_goroutine() {
        return thread::sleep(deadline.saturating_duration_since(Instant::now()));
    }
    let ticket = arm();
    // SAFETY: only the timer has the ticket; it claims it and makes the caller ready.
    unsafe { park_until(WaitReason::Sleep, ticket, Some(deadline), || true) };
}

/// Waits forever.
///
/// # Parks
///
/// And never resumes.
pub fn sleep_forever() -> ! {
    loop {
        let ticket = arm();
        // SAFETY: no waker has the ticket, so none claims it.
        unsafe { park_until(WaitReason::Sleep, ticket, None, || true) };
    }
}

//! Waiting for a moment, or for ever.

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
    // SAFETY: only the timer knows the ticket; it claims it and makes us ready.
    unsafe { park_until(WaitReason::Sleep, ticket, Some(deadline), || true) };
}

/// Waits for ever.
///
/// # Parks
///
/// And never goes on.
pub fn sleep_forever() -> ! {
    loop {
        let ticket = arm();
        // SAFETY: nobody knows the ticket, so nobody claims it.
        unsafe { park_until(WaitReason::Sleep, ticket, None, || true) };
    }
}

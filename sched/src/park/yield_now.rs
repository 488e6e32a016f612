//! `yield_now`: to the tail of the queue.

use std::thread;

use crate::{
    global::ready,
    park::{park_with, unwinding::shared_thread},
    switch::{commit::leave_with, current::running_goroutine, thread_word::current_m},
};

/// Lets the goroutines that are runnable go first. On a plain OS thread, yields to other threads.
///
/// # Parks
///
/// The goroutine goes to the tail of the run queue, and may resume on another thread.
#[inline]
pub fn yield_now() {
    let Some((m, g)) = running_goroutine() else {
        return yield_thread();
    };
    // SAFETY: the commit queues the goroutine, once, as its last step; it is the one that runs here.
    unsafe {
        leave_with(m, g, None, move |m| {
            ready::requeue(m, g);
            true
        });
    }
}

/// As [`yield_now`], for a goroutine that may not leave its thread now.
#[cold]
fn yield_thread() {
    let runs = current_m().and_then(|m| m.current.get());
    let Some(g) = runs.filter(|&g| shared_thread(g).is_some()) else {
        return thread::yield_now();
    };
    // SAFETY: the commit queues the goroutine, once, as its last step; it is the one that runs here.
    unsafe {
        park_with(None, move |m| {
            ready::requeue(m, g);
            true
        });
    }
}

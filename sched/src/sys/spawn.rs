//! How the runtime starts its own threads, and how a panic of one of them ends the process.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    thread::{self, JoinHandle},
};

use goroutines_stack::has_room_for_thread;

use crate::sys::{fatal, tasks::as_own_thread};

/// Stack of a thread that runs nothing but the runtime's own code, in bytes.
pub(crate) const SMALL: usize = 128 << 10;

/// Starts a thread of the runtime. `stack` is the size of its stack in bytes. `None` means std's default, for threads
/// whose thread-local storage may have destructors of the user's.
///
/// # Errors
///
/// When the system has no thread, or no memory for one.
pub(crate) fn spawn(
    name: &'static str,
    stack: Option<usize>,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    // std panics in a new thread that finds no memory for its signal stack.
    if !has_room_for_thread() {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    let mut builder = thread::Builder::new().name(name.to_owned());
    if let Some(stack) = stack {
        builder = builder.stack_size(stack);
    }
    builder.spawn(move || guarded(name, body))
}

/// Runs `body`. Panics of user code on these threads (of goroutines and hooks) are caught before they arrive here. A
/// panic that arrives is the runtime's own, and without this thread other threads would wait forever.
fn guarded(name: &str, body: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(|| as_own_thread(body))).is_err() {
        fatal::throw(format_args!("the thread `{name}` panicked"));
    }
}

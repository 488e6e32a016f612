//! A panic on a goroutine says which one it is.
//!
//! The hook writes one line, and calls the hook that was there before, std's as a rule, which writes its message as ever:
//!
//! ```text
//! goroutine 17 [worker] panicked at src/main.rs:7:9, spawned as app::serve::{{closure}}
//!
//! thread 'goroutines-m' (2107) panicked at src/main.rs:7:9:
//! no such file
//! ```
//!
//! It runs on the goroutine's stack, before the unwinding: it parks nowhere, and takes no lock, also not that
//! of std's stderr (a goroutine may be parked while it holds it). On a plain thread it only calls the other one.

use std::{fmt::Write as _, panic, thread};

use goroutines_sched as sched;

/// Puts the hook before the present one.
pub(crate) fn install() {
    // std refuses to change the hook on a thread that panics.
    if thread::panicking() {
        return;
    }
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if let Some((mut line, origin)) = sched::describe_goroutine() {
            let _ = match info.location() {
                Some(place) => write!(line, " panicked at {place}"),
                None => write!(line, " panicked"),
            };
            // Writing to a string does not fail.
            let _ = writeln!(line, ", spawned as {origin}");
            sched::write_to_stderr(line.as_bytes());
        }
        before(info);
    }));
}

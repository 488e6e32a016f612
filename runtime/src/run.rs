//! A program whose `main` is a goroutine.

use std::panic::resume_unwind;

use crate::{Config, StartError, go::go};

/// Starts the runtime with `config`, runs `main` as a goroutine, and returns what it returned. The thread that calls this
/// sleeps meanwhile.
///
/// The program's own `main` runs on a plain OS thread: each message between it and a goroutine wakes one of the system's
/// threads, which takes microseconds. Between goroutines it takes some ten nanoseconds. As with any `main`, the goroutines
/// that are left end with the process.
///
/// # Errors
///
/// See [`StartError`]. Nothing has been started then, and `main` has not run.
///
/// # Panics
///
/// With the panic of `main`; and when there is no memory or address space for a goroutine.
///
/// # Safety
///
#[doc = include_str!("safety.md")]
///
/// # Examples
///
/// ```
/// use goroutines::{Config, StartError, chan, go};
///
/// fn main() -> Result<(), StartError> {
///     // SAFETY: no code of this program keeps thread-local storage over a call that can park.
///     unsafe { goroutines::run(Config::new(), serve) }
/// }
///
/// fn serve() {
///     let (tx, rx) = chan::bounded(0);
///     go(move || tx.send("from one goroutine to another"));
///     println!("{}", rx.recv().unwrap());
/// }
/// ```
pub unsafe fn run<T, F>(config: Config, main: F) -> Result<T, StartError>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    // SAFETY: the caller promises what `start` asks for.
    unsafe { config.start()? };
    match go(main).join() {
        Ok(value) => Ok(value),
        Err(payload) => resume_unwind(payload),
    }
}

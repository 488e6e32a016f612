//! [`std::thread`] for goroutines: a program that spawns threads spawns goroutines when its `use std::thread` becomes
//! `use goroutines::thread`.
//!
//! The types are those of the crate's root: [`spawn`] is [`go`](crate::go). A call that waits parks the goroutine and
//! not the thread. Everything works on plain OS threads as well: there [`current`] and [`park`] concern the thread, and
//! a value of [`goroutine_local!`](crate::goroutine_local) belongs to it.
//!
//! What differs from [`std::thread`]:
//!
//! - A name is for messages; the system does not get it.
//! - [`available_parallelism`] says how many goroutines run at the same time.
//! - The tokens of [`park`] are not those of [`std::thread::park`]: a thread that sleeps in the one is not woken
//!   by the other's `unpark`.
//! - The destructors of goroutine-local values run before the goroutine counts as ended, also for [`scope`].
//! - `thread_local!` is per thread, and a goroutine changes threads: [`goroutine_local!`](crate::goroutine_local) is
//!   what takes its place.

pub(crate) mod current;
mod local;
mod park;
mod scope;

#[doc(no_inline)]
pub use std::thread::{Result, panicking};

pub use crate::{
    builder::Builder,
    go::{JoinHandle, sleep, yield_now},
    goroutine_local,
};
pub use current::{Thread, ThreadId, available_parallelism, current};
pub use local::{AccessError, LocalKey};
pub use park::{park, park_timeout, sleep_until};
#[expect(deprecated)]
pub use park::{park_timeout_ms, sleep_ms};
pub use scope::{Scope, ScopedJoinHandle, scope};

/// Starts a goroutine that runs `f`: [`go`](crate::go), by std's name.
///
/// # Panics
///
/// As [`go`](crate::go).
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::thread;
///
/// let worker = thread::spawn(|| thread::current().id());
/// let id = worker.thread().id();
/// assert_eq!(worker.join().unwrap(), id);
/// ```
#[inline]
#[track_caller]
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    crate::go(f)
}

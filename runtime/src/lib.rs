//! Goroutines for Rust: a stackful M:N runtime on Go's GMP model.
//!
//! `go(|| ...)` starts a goroutine for some tens of nanoseconds; a call that blocks parks the goroutine
//! and not the thread; plain sequential code works unchanged.
//!
//! ```
//! use goroutines::{chan, go};
//!
//! fn main() -> Result<(), goroutines::StartError> {
//!     // SAFETY: no code of this program keeps thread-local storage over a call that can park.
//!     unsafe { goroutines::start()? };
//!
//!     let (tx, rx) = chan::bounded(0);
//!     let squares = go(move || rx.iter().map(|n: u64| n * n).sum::<u64>());
//!     for n in 1..=10 {
//!         tx.send(n).unwrap();
//!     }
//!     drop(tx);
//!     assert_eq!(squares.join().unwrap(), 385);
//!     Ok(())
//! }
//! ```
//!
//! Everything here works from goroutines and from plain OS threads, on either end. A panic in a
//! goroutine reaches its [`JoinHandle::join`] and nothing else. The process ends when `main` returns,
//! whether goroutines are left or not.
//!
//! # Signals and forks
//!
//! A signal handler must not call this crate: it may have interrupted the scheduler in the middle of a change. Let it
//! store into an atomic or write to a pipe, and let a goroutine or thread wait for that. In debug builds such a call ends
//! the process with a message, where it can be told from others: on the signal stack, and where it interrupted the
//! scheduler. Handlers should be installed with `SA_ONSTACK`; without it they run on the goroutine's stack. After a handler
//! `errno` is the handler's business, as ever; over a wait of this crate it stays what it was.
//!
//! The child of a `fork` has none of the scheduler's threads. It may `exec`, as [`std::process::Command`] does, from a
//! goroutine as well; its first call into this crate ends it with a message. A program that wants to go on in the child
//! forks before [`start`].

mod blocking;
mod builder;
pub mod chan;
mod checkpoint;
mod config;
pub mod context;
pub mod errgroup;
mod future;
mod go;
mod grow;
mod metrics;
mod pinned;
mod procs;
mod reserve_stack;
pub mod sync;
pub mod thread;
pub mod time;

pub use blocking::blocking;
pub use builder::Builder;
pub use checkpoint::checkpoint;
pub use config::Config;
pub use future::{Join, block_on};
pub use go::{JoinHandle, go, sleep, start, yield_now};
pub use goroutines_macros::grow;
pub use goroutines_sched::{HogFrame, HogReport, Metrics, ProcMetrics, SizeError, StartError};
pub use grow::grow;
pub use metrics::metrics;
pub use pinned::{PinnedBuilder, lock_os_thread, unlock_os_thread};
pub use procs::{gomaxprocs, set_gomaxprocs};
pub use reserve_stack::reserve_stack;

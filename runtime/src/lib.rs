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

mod blocking;
pub mod chan;
mod checkpoint;
mod config;
mod go;
mod grow;
mod metrics;
mod pinned;
mod procs;
pub mod sync;
pub mod thread;
pub mod time;

pub use blocking::blocking;
pub use checkpoint::checkpoint;
pub use config::Config;
pub use go::{Builder, JoinHandle, go, sleep, start, yield_now};
pub use goroutines_macros::grow;
pub use goroutines_sched::{HogReport, Metrics, ProcMetrics, StartError};
pub use grow::grow;
pub use metrics::metrics;
pub use pinned::{PinnedBuilder, lock_os_thread, unlock_os_thread};
pub use procs::{gomaxprocs, set_gomaxprocs};

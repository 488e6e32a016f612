//! Locks and meeting points. Names and shapes are those of `std::sync`; [`WaitGroup`] is that of
//! `crossbeam-utils`.
//!
//! Whoever waits here parks its goroutine and not its thread. Everything works from plain OS threads
//! as well.

mod mutex;
mod poison;
mod rawlock;
mod waitgroup;
pub(crate) mod waitq;

pub use mutex::{Mutex, MutexGuard};
pub use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};
pub use waitgroup::WaitGroup;

//! Locks and meeting points. Names and shapes are those of `std::sync`; [`WaitGroup`] is that of
//! `crossbeam-utils`.
//!
//! Whoever waits here parks its goroutine and not its thread. Everything works from plain OS threads
//! as well.

mod barrier;
mod condvar;
mod door;
mod guard;
mod mutex;
mod owner;
mod poison;
mod rawcond;
mod rawlock;
mod rawrw;
mod readguard;
mod rwlock;
mod sleeper;
mod turns;
mod waitgroup;
pub(crate) mod waitq;
mod writeguard;

pub use barrier::{Barrier, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use guard::{MappedMutexGuard, MutexGuard};
pub use mutex::Mutex;
pub use readguard::{MappedRwLockReadGuard, RwLockReadGuard};
pub use rwlock::RwLock;
pub use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};
pub use waitgroup::WaitGroup;
pub use writeguard::{MappedRwLockWriteGuard, RwLockWriteGuard};

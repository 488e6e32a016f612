//! Locks and meeting points. Names and shapes are those of `std::sync`; [`WaitGroup`] is that of
//! `crossbeam-utils`.
//!
//! Whoever waits here parks its goroutine and not its thread. Everything works from plain OS threads
//! as well, also beside goroutines.
//!
//! | | |
//! |---|---|
//! | [`Mutex`] | one at a time; who waits for more than a millisecond is handed it |
//! | [`RwLock`] | many who read, or one who writes; with one who waits for more than a millisecond they take turns |
//! | [`Condvar`] | waiting for a condition under a mutex |
//! | [`Barrier`] | so many wait for each other |
//! | [`WaitGroup`] | one waits for all others |
//! | [`Semaphore`] | so many at a time; who waits for more than a millisecond is served before those who come |
//! | [`Once`] | something happens once |
//! | [`OnceLock`], [`LazyLock`] | a value is made once: by who first has it, by who first wants it |
//! | [`mpsc`] | channels with one receiver |
//! | `lock_api` | raw locks for crates that are generic over them (with the feature of this name) |
//!
//! Beyond std: waiting with a timeout ([`Mutex::try_lock_for`], [`RwLock::try_read_for`],
//! [`RwLock::try_write_for`]), and mapped guards. In debug builds a lock that would wait for its own
//! holder panics and says so.

mod acquire_error;
mod barrier;
mod condvar;
mod door;
mod exclusive;
mod guard;
mod lazylock;
#[cfg(feature = "lock_api")]
pub mod lock_api;
pub mod mpsc;
mod mutex;
mod once;
mod oncelock;
mod oncestate;
mod owner;
mod permit;
mod poison;
pub(crate) mod raw;
mod readguard;
mod rwlock;
mod semaphore;
mod waitgroup;
mod writeguard;

pub use acquire_error::{AcquireTimeoutError, TryAcquireError};
pub use barrier::{Barrier, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use guard::{MappedMutexGuard, MutexGuard};
pub use lazylock::LazyLock;
pub use mutex::Mutex;
#[expect(deprecated)]
pub use once::ONCE_INIT;
pub use once::Once;
pub use oncelock::OnceLock;
pub use oncestate::OnceState;
pub use permit::{OwnedSemaphorePermit, SemaphorePermit};
pub use readguard::{MappedRwLockReadGuard, RwLockReadGuard};
pub use rwlock::RwLock;
pub use semaphore::Semaphore;
#[doc(no_inline)]
pub use std::sync::{Arc, LockResult, PoisonError, TryLockError, TryLockResult, Weak, atomic};
pub use waitgroup::WaitGroup;
pub use writeguard::{MappedRwLockWriteGuard, RwLockWriteGuard};

//! Locks and meeting points. Names and shapes are those of `std::sync`; [`WaitGroup`] is that of
//! `crossbeam-utils`.
//!
//! A call that waits parks the goroutine and not its thread. Everything works from plain OS threads
//! as well, also beside goroutines.
//!
//! | | |
//! |---|---|
//! | [`Mutex`] | one holder at a time; a waiter gets the lock handed over after 1 ms |
//! | [`RwLock`] | many readers, or one writer; after a wait of 1 ms the two sides take turns |
//! | [`Condvar`] | waiting for a condition under a mutex |
//! | [`Barrier`] | a number of callers wait for each other |
//! | [`WaitGroup`] | one waits for all others |
//! | [`Semaphore`] | a number of permits; after a wait of 1 ms waiters are served before new callers |
//! | [`Limiter`] | something happens at a rate |
//! | [`Once`] | something happens once |
//! | [`OnceLock`], [`LazyLock`] | a value is made once: by the first caller that sets it, by the first that uses it |
//! | [`mpsc`] | channels with one receiver |
//! | [`oneshot`] | a channel for one value |
//! | [`watch`] | a channel that keeps its latest value |
//! | [`broadcast`] | a channel in which each receiver gets each message |
//! | `lock_api` | raw locks for crates that are generic over them (with the feature of this name) |
//!
//! Beyond std: waiting with a timeout ([`Mutex::try_lock_for`], [`RwLock::try_read_for`],
//! [`RwLock::try_write_for`]) or until a [context](crate::context) is done ([`Mutex::lock_ctx`], [`RwLock::read_ctx`],
//! [`RwLock::write_ctx`], [`Condvar::wait_ctx`], [`Semaphore::acquire_ctx`], [`WaitGroup::wait_ctx`],
//! [`Barrier::wait_ctx`]), and mapped guards. In debug builds a caller that would wait for a lock that it
//! holds itself panics with a message.

mod acquire_error;
mod barrier;
pub mod broadcast;
mod condvar;
mod door;
mod exclusive;
mod guard;
mod lazylock;
mod limiter;
#[cfg(feature = "lock_api")]
pub mod lock_api;
pub mod mpsc;
mod mutex;
mod once;
mod oncelock;
mod oncestate;
pub mod oneshot;
mod owner;
mod permit;
mod poison;
pub(crate) mod raw;
mod readguard;
mod rwlock;
mod semaphore;
mod tokens;
mod waitgroup;
pub mod watch;
mod with_context;
mod writeguard;

pub use acquire_error::{AcquireTimeoutError, TryAcquireError};
pub use barrier::{Barrier, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use guard::{MappedMutexGuard, MutexGuard};
pub use lazylock::LazyLock;
pub use limiter::Limiter;
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

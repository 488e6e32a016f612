//! Raw locks for the crate `lock_api`: code that is generic over its traits then works with goroutines.
//!
//! With the feature `lock_api`. Nothing here is poisoned: `lock_api` has no poisoning.
//!
//! # Examples
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! use goroutines::{go, sync::lock_api::{Mutex, RwLock}};
//!
//! static COUNT: Mutex<u32> = Mutex::new(0);
//! static NAMES: RwLock<Vec<&str>> = RwLock::new(Vec::new());
//! go(|| *COUNT.lock() += 1).join().unwrap();
//! go(|| NAMES.write().push("gopher")).join().unwrap();
//! assert_eq!((*COUNT.lock(), NAMES.read().len()), (1, 1));
//! ```

use std::time::{Duration, Instant};

use lock_api::GuardNoSend;

use super::raw::{limit::Limit, rawlock::RawLock, rawrw::RawRw};

/// A mutex of `lock_api` that parks goroutines.
pub type Mutex<T> = lock_api::Mutex<RawMutex, T>;

/// A reader-writer lock of `lock_api` that parks goroutines.
pub type RwLock<T> = lock_api::RwLock<RawRwLock, T>;

/// What [`sync::Mutex`](super::Mutex) is made of.
///
/// Its guards are not `Send`, as that one's are not. [`unlock_fair`](lock_api::RawMutexFair::unlock_fair)
/// passes the lock to the first waiter in the queue.
pub struct RawMutex(RawLock);

/// What [`sync::RwLock`](super::RwLock) is made of.
///
/// Its guards are not `Send`, as that one's are not. Every unlock is fair: the lock is always handed over.
/// [`lock_shared`](lock_api::RawRwLock::lock_shared) waits behind writers that wait, so recursive reading
/// may wait for itself.
pub struct RawRwLock(RawRw);

impl RawMutex {
    /// An unlocked mutex.
    pub const fn new() -> RawMutex {
        RawMutex(RawLock::new())
    }

    fn try_lock_at(&self, deadline: Option<Instant>) -> Option<GuardNoSend> {
        guard(self.0.lock_until(Limit::at(deadline).as_ref()))
    }
}

impl Default for RawMutex {
    fn default() -> RawMutex {
        RawMutex::new()
    }
}

impl std::fmt::Debug for RawMutex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let locked = self.0.is_locked();
        f.debug_struct("RawMutex").field("locked", &locked).finish()
    }
}

impl RawRwLock {
    /// An unlocked lock.
    pub const fn new() -> RawRwLock {
        RawRwLock(RawRw::new())
    }

    #[inline]
    #[track_caller]
    fn read(&self, deadline: Option<Instant>) -> bool {
        match self.0.read(Limit::at(deadline).as_ref()) {
            Ok(locked) => locked,
            Err(too_many) => too_many.panic("RawRwLock::lock_shared"),
        }
    }

    fn write(&self, deadline: Option<Instant>) -> bool {
        self.0.write(Limit::at(deadline).as_ref())
    }
}

impl Default for RawRwLock {
    fn default() -> RawRwLock {
        RawRwLock::new()
    }
}

impl std::fmt::Debug for RawRwLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let locked = self.0.is_locked();
        f.debug_struct("RawRwLock")
            .field("locked", &locked)
            .finish()
    }
}

/// The guard of a lock that was just taken, if it was.
#[inline(always)]
fn guard(locked: bool) -> Option<GuardNoSend> {
    locked.then(GuardNoSend::new)
}

// SAFETY: between a lock and its unlock no other caller gets the lock: rawlock.rs, which loom checks.
unsafe impl lock_api::RawMutex for RawMutex {
    #[allow(
        clippy::declare_interior_mutable_const,
        reason = "the trait wants a value to start statics with"
    )]
    const INIT: RawMutex = RawMutex::new();
    type Guard = GuardNoSend;

    #[inline]
    #[track_caller]
    fn lock(&self) -> GuardNoSend {
        self.0.lock();
        GuardNoSend::new()
    }

    #[inline]
    fn try_lock(&self) -> Option<GuardNoSend> {
        guard(self.0.try_lock())
    }

    #[inline]
    unsafe fn unlock(&self, _guard: GuardNoSend) {
        // SAFETY: the caller holds the lock.
        unsafe { self.0.unlock() };
    }

    fn is_locked(&self) -> bool {
        self.0.is_locked()
    }
}

// SAFETY: a fair unlock hands the lock to the first waiter, which holds it alone.
unsafe impl lock_api::RawMutexFair for RawMutex {
    unsafe fn unlock_fair(&self, _guard: GuardNoSend) {
        // SAFETY: the caller holds the lock.
        unsafe { self.0.unlock_fair() };
    }
}

// SAFETY: an attempt says true only of a lock that it took.
unsafe impl lock_api::RawMutexTimed for RawMutex {
    type Duration = Duration;
    type Instant = Instant;

    fn try_lock_for(&self, timeout: Duration) -> Option<GuardNoSend> {
        self.try_lock_at(Instant::now().checked_add(timeout))
    }

    fn try_lock_until(&self, deadline: Instant) -> Option<GuardNoSend> {
        self.try_lock_at(Some(deadline))
    }
}

// SAFETY: a writer is alone, readers share with readers only: rawrw.rs, which loom checks.
unsafe impl lock_api::RawRwLock for RawRwLock {
    #[allow(
        clippy::declare_interior_mutable_const,
        reason = "the trait wants a value to start statics with"
    )]
    const INIT: RawRwLock = RawRwLock::new();
    type SharedGuard = GuardNoSend;
    type ExclusiveGuard = GuardNoSend;

    #[inline]
    #[track_caller]
    fn lock_shared(&self) -> GuardNoSend {
        self.read(None);
        GuardNoSend::new()
    }

    #[inline]
    fn try_lock_shared(&self) -> Option<GuardNoSend> {
        guard(self.0.try_read())
    }

    #[inline]
    unsafe fn unlock_shared(&self, _guard: GuardNoSend) {
        // SAFETY: the caller is a reader inside.
        unsafe { self.0.unlock_read() };
    }

    #[inline]
    #[track_caller]
    fn lock_exclusive(&self) -> GuardNoSend {
        self.0.write(None);
        GuardNoSend::new()
    }

    #[inline]
    fn try_lock_exclusive(&self) -> Option<GuardNoSend> {
        guard(self.0.try_write())
    }

    #[inline]
    unsafe fn unlock_exclusive(&self, _guard: GuardNoSend) {
        // SAFETY: the caller is the writer inside.
        unsafe { self.0.unlock_write() };
    }

    fn is_locked(&self) -> bool {
        self.0.is_locked()
    }

    fn is_locked_exclusive(&self) -> bool {
        self.0.is_writing()
    }
}

// SAFETY: a fair unlock passes the lock to waiters; a writer among them is alone.
unsafe impl lock_api::RawRwLockFair for RawRwLock {
    unsafe fn unlock_shared_fair(&self, _guard: GuardNoSend) {
        // SAFETY: the caller is a reader inside.
        unsafe { self.0.unlock_read() };
    }

    unsafe fn unlock_exclusive_fair(&self, _guard: GuardNoSend) {
        // SAFETY: the caller is the writer inside.
        unsafe { self.0.unlock_write() };
    }
}

// SAFETY: the writer becomes a reader in one step of the word, which is never free in between: no other writer
// comes in.
unsafe impl lock_api::RawRwLockDowngrade for RawRwLock {
    unsafe fn downgrade(&self, guard: GuardNoSend) -> GuardNoSend {
        // SAFETY: the caller is the writer inside.
        unsafe { self.0.downgrade() };
        guard
    }
}

// SAFETY: an attempt says true only of a lock that it took.
unsafe impl lock_api::RawRwLockTimed for RawRwLock {
    type Duration = Duration;
    type Instant = Instant;

    fn try_lock_shared_for(&self, timeout: Duration) -> Option<GuardNoSend> {
        guard(self.read(Instant::now().checked_add(timeout)))
    }

    fn try_lock_shared_until(&self, deadline: Instant) -> Option<GuardNoSend> {
        guard(self.read(Some(deadline)))
    }

    fn try_lock_exclusive_for(&self, timeout: Duration) -> Option<GuardNoSend> {
        guard(self.write(Instant::now().checked_add(timeout)))
    }

    fn try_lock_exclusive_until(&self, deadline: Instant) -> Option<GuardNoSend> {
        guard(self.write(Some(deadline)))
    }
}

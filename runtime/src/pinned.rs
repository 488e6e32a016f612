//! Goroutines that stay on one thread.

use std::io;

use goroutines_sched as sched;

use crate::{builder::Builder, go::JoinHandle};

/// The settings of a goroutine that stays on the thread of its spawner: from [`Builder::pinned`].
///
/// Neither its closure nor its result need be `Send`. It shares its thread with other goroutines, those that are
/// pinned there and any others, and takes turns with them.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use std::{cell::Cell, rc::Rc};
/// use goroutines::{Builder, go};
///
/// let sum = go(|| {
///     let shared = Rc::new(Cell::new(0));
///     let all: Vec<_> = (1..=3)
///         .map(|n| {
///             let shared = Rc::clone(&shared);
///             let add = move || shared.set(shared.get() + n);
///             Builder::new().pinned().spawn(add).unwrap()
///         })
///         .collect();
///     all.into_iter().for_each(|one| one.join().unwrap());
///     shared.get()
/// });
/// assert_eq!(sum.join().unwrap(), 6);
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `spawn`"]
pub struct PinnedBuilder(pub(crate) Builder);

impl PinnedBuilder {
    /// Starts a goroutine that runs `f` on the thread of the calling goroutine, and never on another. From here on the
    /// caller stays on this thread as well, to its end: it may hold what the new one shares.
    ///
    /// A goroutine that blocks its thread (with a system call, also in [`blocking`](crate::blocking), or a computation)
    /// delays all that are pinned there. While it waits for something of this crate, also in `blocking` or while it
    /// unwinds, they run.
    ///
    /// # Errors
    ///
    /// On a plain OS thread ([`io::ErrorKind::Unsupported`]), and as [`Builder::spawn`].
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        sched::spawn_pinned(self.0.options()?, f).map(JoinHandle::of)
    }
}

/// Ties the calling goroutine to its thread, and the thread to it, as Go's `runtime.LockOSThread`: for foreign code
/// that keeps state per thread, and for rounding modes, which are the thread's. It lasts until [`unlock_os_thread`] was
/// called as often, or the goroutine ends.
///
/// When a goroutine ends locked, its thread ends too, so that what it changed in the thread affects no other goroutine.
/// First the thread runs the goroutines that can run nowhere else, and no others: those that are pinned there, have
/// locked it as well, or ran on it last and have not run elsewhere since.
///
/// While the goroutine is parked its thread sleeps; only goroutines that can run nowhere else (pinned there, or
/// holding an address of the thread's storage) still run on it. Does nothing on a plain OS thread.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// goroutines::go(|| {
///     goroutines::lock_os_thread();
///     let before = std::thread::current().id();
///     goroutines::yield_now();
///     assert_eq!(std::thread::current().id(), before);
///     goroutines::unlock_os_thread();
/// })
/// .join()
/// .unwrap();
/// ```
#[doc(alias = "LockOSThread")]
pub fn lock_os_thread() {
    sched::lock_os_thread();
}

/// Takes back one [`lock_os_thread`] of the calling goroutine. Does nothing if there is none.
#[doc(alias = "UnlockOSThread")]
pub fn unlock_os_thread() {
    sched::unlock_os_thread();
}

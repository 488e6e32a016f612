//! What is decided once, before the first M is made: which system calls the kernel lacks, and options for tests and
//! measurements.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::sys::{membarrier, tls::Tls};

/// Whether every entry of a gate has a fence of its own, because the kernel refuses membarrier.
static FENCED: AtomicBool = AtomicBool::new(false);

/// Whether the stacks of goroutines that change threads are searched (migrate.rs).
static CHECKED: AtomicBool = AtomicBool::new(true);

/// Whether goroutines change threads as often as they can (migrate.rs).
static FORCED: AtomicBool = AtomicBool::new(false);

/// Before the first M is made.
pub(crate) fn prepare(checked: bool, forced: bool) {
    // Relaxed (all): published by the start of the threads.
    FENCED.store(!membarrier::is_there(), Ordering::Relaxed);
    CHECKED.store(checked, Ordering::Relaxed);
    FORCED.store(forced, Ordering::Relaxed);
}

/// Returns whether each entry of a gate has a fence of its own.
pub(crate) fn is_fenced() -> bool {
    // Relaxed: partner is the store in `prepare`, before the threads.
    FENCED.load(Ordering::Relaxed)
}

/// Returns whether goroutines are forced to change threads.
pub(crate) fn is_forced() -> bool {
    // Relaxed: partner is the store in `prepare`, before the threads.
    FORCED.load(Ordering::Relaxed)
}

/// The storage of this thread, whose addresses a goroutine must not take to another thread.
pub(crate) fn storage() -> Tls {
    // Tools that know the purpose of each word of a stack report a function that reads them all.
    let watched = cfg!(any(feature = "asan", feature = "valgrind"));
    // Relaxed: partner is the store in `prepare`, before the threads.
    match CHECKED.load(Ordering::Relaxed) && !watched {
        true => Tls::here(),
        false => Tls::none(),
    }
}

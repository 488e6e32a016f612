//! What is decided once, before the first M is made: what the kernel lacks, and what tests and measurements ask for.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::sys::{membarrier, tls::Tls};

/// The kernel refuses membarrier: every entry of a gate has a fence of its own.
static FENCED: AtomicBool = AtomicBool::new(false);

/// Goroutines that change threads are looked through (migrate.rs).
static CHECKED: AtomicBool = AtomicBool::new(true);

/// Goroutines change threads as often as they can (migrate.rs).
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

/// The storage of this thread, of which no goroutine may take an address with it.
pub(crate) fn storage() -> Tls {
    // Tools that know what each word of a stack is for do not like one that reads them all.
    let watched = cfg!(any(feature = "asan", feature = "valgrind"));
    // Relaxed: partner is the store in `prepare`, before the threads.
    match CHECKED.load(Ordering::Relaxed) && !watched {
        true => Tls::here(),
        false => Tls::none(),
    }
}

//! Calls that block their thread.

/// Runs `f`, which may block its thread: a read from a file, a call into foreign code, a lock of
/// [`std::sync`] that another thread holds. Other goroutines run meanwhile.
///
/// The goroutine keeps its thread for the call. The processor (P) that it ran on goes to another thread
/// when the call lasts longer than about 20 us and there is work for it; a short call costs some
/// nanoseconds.
///
/// Inside `f` everything of this crate may be used; what waits there blocks the thread. On a plain OS
/// thread, and inside another `blocking`, `f` is just called.
///
/// # Parks
///
/// After the call, while every processor is busy: until one can run the goroutine.
///
/// # Panics
///
/// With what `f` panics.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// let manifest = goroutines::go(|| {
///     goroutines::blocking(|| std::fs::read_to_string("Cargo.toml"))
/// });
/// assert!(manifest.join().unwrap().unwrap().contains("[package]"));
/// ```
#[doc(alias = "spawn_blocking")]
#[doc(alias = "block_in_place")]
#[inline]
pub fn blocking<R>(f: impl FnOnce() -> R) -> R {
    goroutines_sched::blocking(f)
}

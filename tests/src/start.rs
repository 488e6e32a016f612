//! The runtime of a test process.

use std::{
    env,
    sync::{Mutex, MutexGuard, Once, PoisonError},
};

use goroutines::Config;

/// Starts the runtime of this test process with `procs` Ps, once.
pub fn start(procs: usize) {
    start_with(Config::new().procs(procs));
}

/// Starts the runtime of this test process, once. With the environment variable `TEST_COPY_STACKS` stacks are copied.
///
/// # Panics
///
/// When it does not start.
pub fn start_with(config: Config) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let config = match env::var_os("TEST_COPY_STACKS") {
            // SAFETY: the tests that are run so give nobody else the address of what lies on their stacks.
            Some(_) => unsafe { config.copy_stacks() },
            None => config,
        };
        // SAFETY: the tests keep no thread-local storage over a call that can park.
        let started = unsafe { config.start() };
        started.expect("the runtime starts");
    });
}

/// As [`start`], and returns a guard that one test of the process has at a time: for tests of what the whole process has,
/// like the number of its Ps and its metrics.
pub fn alone(procs: usize) -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // A test that failed has poisoned it.
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    start(procs);
    alone
}

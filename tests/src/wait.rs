//! How time passes in tests.

use std::{
    hint, thread,
    time::{Duration, Instant},
};

use goroutines::{Metrics, metrics};

/// Far longer than anything takes that [`until`] waits for, also on a loaded machine.
const FOR_EVER: Duration = Duration::from_secs(60);

/// Computes for `time` without a call into the runtime.
pub fn compute(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        hint::spin_loop();
    }
}

/// Waits, on a plain thread, until the scheduler stands as `condition` says. Returns how it stands.
///
/// # Panics
///
/// When it does not come to that within a minute.
#[track_caller]
pub fn until_metrics(condition: impl Fn(&Metrics) -> bool) -> Metrics {
    let end = Instant::now() + FOR_EVER;
    loop {
        let metrics = metrics();
        if condition(&metrics) {
            return metrics;
        }
        assert!(
            Instant::now() < end,
            "not within {FOR_EVER:?}: {metrics:#?}"
        );
        thread::sleep(Duration::from_millis(1));
    }
}

/// Waits, on a plain thread, until `condition` holds.
///
/// # Panics
///
/// When it does not hold within a minute: `what` says for what the test waited.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + FOR_EVER;
    while !condition() {
        assert!(Instant::now() < end, "not within {FOR_EVER:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

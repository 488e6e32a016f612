//! A ticker, and how late it is.

use std::time::{Duration, Instant};

use super::world::World;

const PERIOD: Duration = Duration::from_millis(1);

/// How late each of so many ticks was, in nanoseconds.
///
/// # Errors
///
/// When it cannot be started or has failed.
pub fn run<W: World>(ticks: usize) -> Result<Vec<u64>, String> {
    let tick = |_| {
        let due = Instant::now() + PERIOD;
        W::sleep(PERIOD);
        due.elapsed().as_nanos() as u64
    };
    W::run(move || (0..ticks).map(tick).collect())?.join()
}

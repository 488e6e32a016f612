//! Time by the clock on the wall, and the processor time that the process had meanwhile.
//!
//! The second is what to look at where other work disturbs the machine: it leaves out the time in which that work ran.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// Started at some time.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    wall: Instant,
    processor: Duration,
}

/// What has passed since then, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// On the wall.
    pub wall: f64,
    /// On all processors.
    pub processor: f64,
}

impl Stopwatch {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// When the kernel does not tell processor time.
    pub fn start() -> nix::Result<Self> {
        Ok(Self {
            processor: processor()?,
            wall: Instant::now(),
        })
    }

    /// What has passed since the start.
    ///
    /// # Errors
    ///
    /// As for [`Stopwatch::start`].
    pub fn took(self) -> nix::Result<Took> {
        let wall = self.wall.elapsed();
        Ok(Took {
            wall: wall.as_nanos() as f64,
            processor: processor()?.saturating_sub(self.processor).as_nanos() as f64,
        })
    }
}

/// The processor time of all threads of this process so far.
fn processor() -> nix::Result<Duration> {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_processor_time() {
        let watch = Stopwatch::start().unwrap();
        while watch.took().unwrap().processor < 1e6 {}
        let took = watch.took().unwrap();
        assert!(took.wall > 0.0 && took.processor >= 1e6, "{took:?}");
    }
}

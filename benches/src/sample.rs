//! What one run of a workload gave.

use std::time::Duration;

/// What one run gave.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// The time of the operations alone, without setting up and tearing down.
    pub elapsed: Duration,
    /// How many operations that were; about as many as asked for.
    pub operations: u64,
}

impl Sample {
    /// Nanoseconds an operation.
    pub fn nanoseconds(&self) -> f64 {
        self.elapsed.as_nanos() as f64 / self.operations.max(1) as f64
    }

    /// The time that exactly `operations` would have taken.
    pub fn time_for(&self, operations: u64) -> Duration {
        Duration::from_nanos((self.nanoseconds() * operations as f64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_scaled_to_the_operations_asked_for() {
        let sample = Sample {
            elapsed: Duration::from_nanos(300),
            operations: 10,
        };
        assert_eq!(
            (sample.nanoseconds(), sample.time_for(7)),
            (30.0, Duration::from_nanos(210))
        );
        assert_eq!(
            Sample {
                elapsed: Duration::ZERO,
                operations: 0
            }
            .nanoseconds(),
            0.0
        );
    }
}

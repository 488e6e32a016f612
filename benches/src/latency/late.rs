//! How late something was.

use serde::Serialize;

/// How late each of the samples was, in nanoseconds, shortest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Late(Vec<u64>);

impl Late {
    /// Of samples in any order.
    pub fn new(mut samples: Vec<u64>) -> Late {
        samples.sort_unstable();
        Late(samples)
    }

    /// The sample below or at which the fraction `share` of them lies; 0 if there are none.
    pub fn at(&self, share: f64) -> u64 {
        let place = (self.0.len() as f64 * share).ceil() as usize;
        let last = self.0.len().saturating_sub(1);
        let place = place.saturating_sub(1).min(last);
        self.0.get(place).copied().unwrap_or(0)
    }

    /// How many samples there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_the_sample_that_so_many_do_not_exceed() {
        let late = Late::new((1..=1000).rev().collect());
        assert_eq!(late.at(0.5), 500);
        assert_eq!(late.at(0.99), 990);
        assert_eq!(late.at(0.999), 999);
        assert_eq!((late.at(0.0), late.at(1.0)), (1, 1000));
    }

    #[test]
    fn without_samples_nothing_is_late() {
        assert_eq!(Late::default().at(0.99), 0);
    }
}

//! Median and spread of the rounds.

use serde::Serialize;

/// The samples of one row, summarised. All in nanoseconds an operation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The smallest sample.
    pub min: f64,
    /// A tenth of the samples lies below.
    pub p10: f64,
    /// Half of the samples lie below.
    pub median: f64,
    /// A tenth of the samples lies above.
    pub p90: f64,
    /// The largest sample.
    pub max: f64,
}

impl Summary {
    /// Summarises the samples; `None` if there are none.
    pub fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            min: *sorted.first()?,
            p10: quantile(&sorted, 0.1),
            median: quantile(&sorted, 0.5),
            p90: quantile(&sorted, 0.9),
            max: *sorted.last()?,
        })
    }
}

/// The value below which the fraction `q` of the sorted, non-empty samples lies, between two samples on the line between them.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let (below, above) = (
        sorted[place.floor() as usize],
        sorted[place.ceil() as usize],
    );
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_summary() {
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn one_sample_is_its_own_median_and_spread() {
        let one = Summary::of(&[7.0]).unwrap();
        assert_eq!(
            one,
            Summary {
                min: 7.0,
                p10: 7.0,
                median: 7.0,
                p90: 7.0,
                max: 7.0
            }
        );
    }

    #[test]
    fn the_order_of_the_samples_does_not_matter() {
        let up: Vec<f64> = (0..=100).map(f64::from).collect();
        let down: Vec<f64> = up.iter().rev().copied().collect();
        let expected = Summary {
            min: 0.0,
            p10: 10.0,
            median: 50.0,
            p90: 90.0,
            max: 100.0,
        };
        assert_eq!(Summary::of(&up), Some(expected));
        assert_eq!(Summary::of(&down), Some(expected));
    }

    #[test]
    fn an_even_number_of_samples_has_the_middle_of_the_two_middle_ones_as_median() {
        assert_eq!(Summary::of(&[1.0, 2.0, 4.0, 100.0]).unwrap().median, 3.0);
    }

    #[test]
    fn one_wild_sample_does_not_move_the_median() {
        let mut samples = vec![5.0; 20];
        samples.push(1e9);
        let summary = Summary::of(&samples).unwrap();
        assert_eq!((summary.median, summary.p90, summary.max), (5.0, 5.0, 1e9));
    }
}

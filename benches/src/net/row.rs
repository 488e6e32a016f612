//! A row of the report: a scenario and its server.

use std::io;

use serde::Serialize;

use super::contender::Contender;
use super::sample::{RawRate, Sample};
use super::scenario::{Plan, Scenario};
use crate::stats::Summary;

/// What was measured of one contender in one scenario, a sample a round.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    /// [`Scenario::name`].
    pub(super) name: String,
    pub(super) who: String,
    pub(super) samples: Vec<Sample>,
    #[serde(skip)]
    scenario: Scenario,
    #[serde(skip)]
    contender: Contender,
}

/// A figure of a sample.
pub(super) type Figure = fn(&Sample) -> Option<f64>;

impl Row {
    pub(super) fn new(scenario: &Scenario, contender: &Contender) -> Row {
        Row {
            name: scenario.name(),
            who: contender.name().to_owned(),
            samples: Vec::new(),
            scenario: *scenario,
            contender: contender.clone(),
        }
    }

    /// Takes one more sample. `raw_rate` is that of this round.
    pub(super) fn measure(&mut self, plan: &Plan, raw_rate: &mut RawRate) -> io::Result<()> {
        self.samples
            .push(self.scenario.measure(&self.contender, plan, raw_rate)?);
        Ok(())
    }

    /// The figure over the rounds; none if it was not measured.
    pub(super) fn summary(&self, figure: Figure) -> Option<Summary> {
        Summary::of(&self.samples.iter().filter_map(figure).collect::<Vec<_>>())
    }

    /// The median of its ratios to the same of `other` in the same round.
    pub(super) fn ratio(&self, other: &Row, figure: Figure) -> Option<f64> {
        let both = self.samples.iter().zip(&other.samples);
        let ratios = both.filter_map(|(one, two)| Some(figure(one)? / figure(two)?));
        Some(Summary::of(&ratios.collect::<Vec<_>>())?.median)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;

    /// Rows of a quick plan for the servers of this program, in which the contender at place `i` made `i + 1` times as
    /// many operations as the first.
    pub(in crate::net) fn made_up() -> Vec<Row> {
        let plan = Plan {
            quick: true,
            syscalls: false,
            sample: Duration::from_millis(1),
        };
        let mut rows = Vec::new();
        for scenario in Scenario::all(&plan) {
            for (place, who) in Contender::all(&[]).iter().enumerate() {
                let mut row = Row::new(&scenario, who);
                row.samples = [1000.0, 2000.0, 1500.0]
                    .map(|rate| Sample {
                        rate: Some(rate * (place + 1) as f64),
                        processor: Some(3.0),
                        ..Sample::default()
                    })
                    .into();
                rows.push(row);
            }
        }
        rows
    }

    #[test]
    fn a_ratio_is_the_median_of_those_of_the_rounds() {
        let rows = made_up();
        let rate: Figure = |sample| sample.rate;
        assert_eq!(rows[1].ratio(&rows[0], rate), Some(2.0));
        assert_eq!(rows[0].summary(rate).unwrap().median, 1500.0);
        assert_eq!(rows[0].ratio(&rows[1], |sample| sample.bytes), None);
    }
}

//! A measured number, and what it must not exceed.

use serde::{Deserialize, Deserializer, Serialize};

use crate::report::numbers::{nanoseconds, times};
use crate::stats::Summary;

/// What a figure counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Nanoseconds.
    Nanoseconds,
    /// Things.
    Count,
    /// How many times something else.
    Ratio,
}

/// What is asked of a figure.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// It is not above this.
    AtMost(f64),
    /// It is this.
    Exactly(f64),
}

/// One number of a scenario.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// The number; the median if it was measured often; not a number (JSON's null) if it was never.
    #[serde(deserialize_with = "number_or_null")]
    pub value: f64,
    /// What it counts.
    pub unit: Unit,
    /// A tenth of the samples lies below the first, a tenth above the second.
    pub spread: Option<(f64, f64)>,
    /// What is asked of it.
    pub bound: Option<Bound>,
}

impl Figure {
    /// A number that was measured once.
    pub fn new(name: impl Into<String>, value: f64, unit: Unit) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            spread: None,
            bound: None,
        }
    }

    /// The median and the spread of `samples`, in nanoseconds; not a number if there are none.
    pub fn median(name: impl Into<String>, samples: &[f64]) -> Self {
        let summary = Summary::of(samples);
        let value = summary.map_or(f64::NAN, |summary| summary.median);
        Self {
            spread: summary.map(|summary| (summary.p10, summary.p90)),
            ..Self::new(name, value, Unit::Nanoseconds)
        }
    }

    /// The same with a bound.
    #[must_use]
    pub fn within(self, bound: Bound) -> Self {
        Self {
            bound: Some(bound),
            ..self
        }
    }

    /// Whether it misses its bound. What is no number does.
    pub fn falls_short(&self) -> bool {
        match self.bound {
            None => false,
            Some(Bound::AtMost(limit)) => self.value.is_nan() || self.value > limit,
            Some(Bound::Exactly(wanted)) => self.value != wanted,
        }
    }

    /// The number for people.
    pub fn value_text(&self) -> String {
        self.unit.text(self.value)
    }

    /// The spread for people, empty without one.
    pub fn spread_text(&self) -> String {
        self.spread.map_or(String::new(), |(low, high)| {
            format!("{} .. {}", self.unit.text(low), self.unit.text(high))
        })
    }

    /// The bound for people, empty without one.
    pub fn bound_text(&self) -> String {
        match self.bound {
            None => String::new(),
            Some(Bound::AtMost(limit)) => format!("at most {}", self.unit.text(limit)),
            Some(Bound::Exactly(wanted)) => format!("exactly {}", self.unit.text(wanted)),
        }
    }
}

/// JSON has no word for what is not a number.
fn number_or_null<'de, D: Deserializer<'de>>(json: D) -> Result<f64, D::Error> {
    Option::deserialize(json).map(|number| number.unwrap_or(f64::NAN))
}

impl Unit {
    fn text(self, value: f64) -> String {
        match self {
            _ if value.is_nan() => "-".to_owned(),
            Unit::Bytes if value.abs() < 99_999.5 => format!("{value:.0} B"),
            Unit::Bytes => format!("{:.1} MB", value / 1e6),
            Unit::Nanoseconds => format!("{} ns", nanoseconds(value)),
            Unit::Count => format!("{value:.0}"),
            Unit::Ratio => times(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_on_its_bound_is_within_it() {
        let figure = |value| Figure::new("x", value, Unit::Bytes).within(Bound::AtMost(1000.0));
        assert!(!figure(1000.0).falls_short());
        assert!(figure(1000.1).falls_short());
        assert!(figure(f64::NAN).falls_short());
    }

    #[test]
    fn an_exact_count_is_missed_on_either_side() {
        let figure = |value| Figure::new("x", value, Unit::Count).within(Bound::Exactly(7.0));
        assert!(!figure(7.0).falls_short());
        assert!(figure(6.0).falls_short() && figure(8.0).falls_short());
    }

    #[test]
    fn a_figure_without_samples_is_no_number_and_misses_every_bound() {
        let figure = Figure::median("x", &[]);
        assert!(figure.value.is_nan() && figure.spread.is_none());
        assert!(!figure.falls_short());
        assert!(figure.within(Bound::AtMost(1e300)).falls_short());
    }

    #[test]
    fn every_unit_is_printed_with_its_name() {
        let text = |value, unit: Unit| unit.text(value);
        assert_eq!(text(4864.4, Unit::Bytes), "4864 B");
        assert_eq!(text(4.864e9, Unit::Bytes), "4864.0 MB");
        assert_eq!(text(-4096.0, Unit::Bytes), "-4096 B");
        assert_eq!(text(75.25, Unit::Nanoseconds), "75.2 ns");
        assert_eq!(text(2.5, Unit::Ratio), "2.5x");
        assert_eq!(text(65530.0, Unit::Count), "65530");
    }

    #[test]
    fn a_figure_survives_the_way_from_the_child() {
        let figure = Figure::median("x", &[1.0, 2.0, 3.0]).within(Bound::Exactly(2.0));
        let json = serde_json::to_string(&figure).unwrap();
        assert_eq!(serde_json::from_str::<Figure>(&json).unwrap(), figure);
        let json = serde_json::to_string(&Figure::median("y", &[])).unwrap();
        assert!(
            serde_json::from_str::<Figure>(&json)
                .unwrap()
                .value
                .is_nan()
        );
    }
}

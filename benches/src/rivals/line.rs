//! What was measured: a line for each figure of a row, with a cell for each contender.

use serde::{Deserialize, Serialize};

use crate::report::machine::Machine;
use crate::stats::Summary;

/// The name of the contender that all others are compared with.
pub(super) const OURS: &str = "goroutines";

/// Everything that was measured.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Report {
    pub(super) machine: Machine,
    pub(super) rounds: usize,
    /// Whether that was a short run on small sizes.
    pub(super) quick: bool,
    /// The columns.
    pub(super) contenders: Vec<String>,
    /// Those that are not there: name and reason.
    pub(super) missing: Vec<(String, String)>,
    pub(super) lines: Vec<Line>,
}

/// A figure of a row.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Line {
    pub(super) title: String,
    pub(super) procs: usize,
    pub(super) cells: Vec<Cell>,
}

/// What a contender answered, a sample a round.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Cell {
    pub(super) who: String,
    pub(super) samples: Vec<f64>,
    /// How many it did at once, where that is not what the row says.
    pub(super) n: Option<f64>,
    /// Why there is no sample.
    pub(super) note: Option<String>,
}

/// A rival beside ours: how many times as much it takes, and from where to where that goes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ratio {
    pub(super) who: String,
    pub(super) times: f64,
    pub(super) spread: (f64, f64),
}

impl Cell {
    pub(super) fn summary(&self) -> Option<Summary> {
        Summary::of(&self.samples)
    }
}

impl Line {
    pub(super) fn cell(&self, who: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.who == who)
    }

    /// The best of the rivals beside ours; none where there is no number of one of both. A rival that did fewer at once
    /// than ours is left out.
    pub(super) fn best(&self) -> Option<Ratio> {
        let ours = self.cell(OURS)?;
        let own = ours.summary().filter(|own| own.min > 0.0)?;
        let rivals = self
            .cells
            .iter()
            .filter(|cell| cell.who != OURS && cell.n == ours.n);
        let rivals = rivals.filter_map(|cell| Some((cell, cell.summary()?)));
        let (cell, best) = rivals.min_by(|(_, a), (_, b)| a.median.total_cmp(&b.median))?;
        Some(Ratio {
            who: cell.who.clone(),
            times: best.median / own.median,
            spread: (best.min / own.max, best.max / own.min),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A report of made-up numbers.
    pub(in crate::rivals) fn made_up() -> Report {
        let cell = |who: &str, samples: &[f64]| Cell {
            who: who.to_owned(),
            samples: samples.to_vec(),
            ..Cell::default()
        };
        let mut small = cell("may", &[1.0]);
        small.n = Some(20_000.0);
        let mut failed = cell("boost", &[]);
        failed.note = Some("failed: no end in 60 s".to_owned());
        let line = |title: &str, procs, cells| Line {
            title: title.to_owned(),
            procs,
            cells,
        };
        Report {
            machine: Machine::detect(),
            rounds: 3,
            quick: false,
            contenders: ["goroutines", "go", "may", "boost"]
                .map(str::to_owned)
                .into(),
            missing: vec![("tokio".to_owned(), "no network".to_owned())],
            lines: vec![
                line(
                    "yield, 2 tasks",
                    1,
                    vec![
                        cell("goroutines", &[10.0, 11.0, 12.0]),
                        cell("go", &[100.0, 110.0, 130.0]),
                        small,
                        failed,
                    ],
                ),
                line(
                    "unbuffered message",
                    2,
                    vec![cell("goroutines", &[30.0]), cell("go", &[15.0])],
                ),
            ],
        }
    }

    #[test]
    fn the_best_rival_is_compared_and_one_that_did_less_is_not() {
        let report = made_up();
        let best = report.lines[0].best().unwrap();
        assert_eq!((best.who.as_str(), best.times), ("go", 10.0));
        assert_eq!(best.spread, (100.0 / 12.0, 13.0));
        assert_eq!(report.lines[1].best().unwrap().times, 0.5);
    }
}

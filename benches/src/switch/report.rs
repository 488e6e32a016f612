//! What a run of the report found out.

use serde::{Serialize, Serializer};

use super::measure::Measured;
use super::row::{Group, REFERENCE, Row};
use crate::report::machine::Machine;
use crate::stats::Summary;

/// Everything that the text, the JSON and the chart show.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What the numbers are.
    pub unit: &'static str,
    /// The `id` of the row that `times_cheaper` compares with.
    pub reference: &'static str,
    /// Where this ran.
    pub machine: Machine,
    /// The CPUs this process was allowed to use when it started.
    pub cpus_allowed: Vec<usize>,
    /// The CPU it used.
    pub cpu: usize,
    /// How many rounds were measured.
    pub rounds: usize,
    /// How many were planned: more, if the time was up before.
    pub rounds_planned: usize,
    /// How long that took.
    pub seconds: f64,
    /// The rows in the order of the report.
    pub rows: Vec<Line>,
    /// Numbers that people quote, for orientation.
    pub quoted: Vec<Quoted>,
}

/// A measured row.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The row's name for programs.
    pub id: &'static str,
    /// The row's name for people.
    pub name: &'static str,
    /// What one operation is.
    pub what: &'static str,
    /// Whose work it is.
    pub group: Group,
    /// Median and spread.
    #[serde(flatten)]
    pub summary: Summary,
    /// The reference's median divided by this row's.
    pub times_cheaper: f64,
    /// One number a round.
    #[serde(serialize_with = "thousandths")]
    pub samples: Vec<f64>,
}

/// A number that people quote, and the rows that say what it is here.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Quoted {
    /// What is claimed to take so long.
    pub what: &'static str,
    /// How long.
    pub nanoseconds: f64,
    /// The `id`s of the rows to set beside it.
    pub beside: &'static [&'static str],
}

/// The two claims.
pub const QUOTED: [Quoted; 2] = [
    Quoted {
        what: "thread switch",
        nanoseconds: 1400.0,
        beside: &["thread-futex", "thread-pipe", "thread-yield"],
    },
    Quoted {
        what: "goroutine switch",
        nanoseconds: 200.0,
        beside: &["goroutine-yield", "goroutine-channel"],
    },
];

impl Report {
    /// Puts together what was measured of these rows. Rows without a sample are left out.
    pub fn new(
        machine: Machine,
        cpus_allowed: Vec<usize>,
        cpu: usize,
        rows: &[Row],
        measured: Measured,
    ) -> Self {
        let mut lines: Vec<Line> = rows
            .iter()
            .zip(measured.samples)
            .filter_map(|(row, samples)| {
                let Row {
                    id,
                    name,
                    what,
                    group,
                    ..
                } = *row;
                let summary = Summary::of(&samples)?;
                Some(Line {
                    id,
                    name,
                    what,
                    group,
                    summary,
                    times_cheaper: f64::NAN,
                    samples,
                })
            })
            .collect();
        if let Some(reference) = lines
            .iter()
            .find(|line| line.id == REFERENCE)
            .map(|line| line.summary.median)
        {
            for line in &mut lines {
                line.times_cheaper = reference / line.summary.median;
            }
        }
        Self {
            unit: "nanoseconds an operation, one way",
            reference: REFERENCE,
            machine,
            cpus_allowed,
            cpu,
            rounds: measured.rounds,
            rounds_planned: measured.planned,
            seconds: measured.elapsed.as_secs_f64(),
            rows: lines,
            quoted: QUOTED.to_vec(),
        }
    }

    /// The row of that `id`.
    pub fn line(&self, id: &str) -> Option<&Line> {
        self.rows.iter().find(|line| line.id == id)
    }
}

/// Keeps the file readable: a picosecond is far below what the clock resolves.
fn thousandths<S: Serializer>(samples: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(
        samples
            .iter()
            .map(|sample| (sample * 1000.0).round() / 1000.0),
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io;
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use crate::report::json;
    use crate::report::numbers::times;
    use crate::sample::Sample;
    use crate::switch::rows;

    fn never(_: u64) -> io::Result<Sample> {
        unreachable!("these tests measure nothing")
    }

    /// A report of made-up numbers: row `i` takes 3, 30, 300, ... ns with a tenth of spread.
    pub(crate) fn made_up() -> Report {
        let rows: Vec<Row> = rows::all()
            .into_iter()
            .map(|row| Row { run: never, ..row })
            .collect();
        let samples = (0..rows.len())
            .map(|i| 3.0 * 10_f64.powf(i as f64 / 3.0))
            .map(|ns| vec![ns * 0.9, ns, ns * 1.1]);
        let measured = Measured {
            rounds: 3,
            planned: 3,
            elapsed: Duration::from_secs(2),
            samples: samples.collect(),
        };
        Report::new(Machine::detect(), vec![0, 1], 1, &rows, measured)
    }

    #[test]
    fn the_reference_is_as_cheap_as_itself_and_the_others_in_proportion() {
        let report = made_up();
        let reference = report.line(REFERENCE).unwrap().clone();
        assert_eq!(reference.times_cheaper, 1.0);
        for line in &report.rows {
            assert_eq!(
                line.times_cheaper,
                reference.summary.median / line.summary.median,
                "{}",
                line.id
            );
        }
    }

    #[test]
    fn without_the_reference_there_is_no_ratio() {
        let row = Row {
            run: never,
            ..rows::raw::ROWS[0]
        };
        let measured = Measured {
            rounds: 1,
            planned: 1,
            elapsed: Duration::ZERO,
            samples: vec![vec![2.0]],
        };
        let report = Report::new(Machine::detect(), vec![0], 0, &[row], measured);
        assert_eq!(times(report.rows[0].times_cheaper), "-");
    }

    #[test]
    fn the_quoted_numbers_stand_beside_rows_that_exist() {
        let rows = rows::all();
        for id in QUOTED.iter().flat_map(|quoted| quoted.beside) {
            assert!(rows.iter().any(|row| row.id == *id), "{id}");
        }
    }

    #[test]
    fn every_row_is_in_the_json_with_its_numbers() {
        let report = made_up();
        let value: Value = serde_json::from_str(&json::render(&report).unwrap()).unwrap();
        let rows = value["rows"].as_array().unwrap();
        assert_eq!(rows.len(), report.rows.len());
        for (row, line) in rows.iter().zip(&report.rows) {
            assert_eq!(row["id"], line.id);
            assert_eq!(row["median"], line.summary.median);
            assert_eq!(row["samples"].as_array().unwrap().len(), report.rounds);
        }
        assert_eq!(value["rows"][0]["group"], "goroutines");
        assert_eq!(value["machine"]["kernel"], report.machine.kernel.as_str());
    }
}

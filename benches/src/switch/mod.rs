//! The switch report: what a context switch costs, goroutines beside threads.
//!
//! Every number comes from the same kind of measurement, so that the rows can be compared:
//!
//! 1. The whole process is pinned to **one** CPU ([`cpu`]) before any thread exists, so every thread and every M inherits
//!    that CPU, and the goroutines run on one P. Whatever passes control to another goroutine or thread really has to
//!    switch.
//! 2. A [`row`] is a program that does `n` operations, times only those, and says how many it did ([`rows`]). An operation
//!    is always *one way*: half of a round trip.
//! 3. The rows are interleaved ([`measure()`]): each round runs each row once for a few milliseconds, in an order that a
//!    fixed seed shuffles. A slow spell of the machine hits all rows alike instead of one row only.
//! 4. The median over the rounds stands for a row, the 10th and 90th percentile for its spread
//!    ([`Summary`](crate::stats::Summary)).
//!
//! What was measured becomes a [`report::Report`], and that a [`text`], JSON or a [`picture`].

pub mod measure;
pub mod picture;
pub mod report;
pub mod row;
pub mod rows;
pub mod text;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::cpu;
use crate::report::choose::choose;
use crate::report::cli::Common;
use crate::report::failure::{Failure, print};
use crate::report::machine::Machine;
use crate::report::output::Requested;
use crate::report::progress::Progress;
use crate::report::{chart, json};
use measure::{Plan, measure};
use report::Report;
use row::Row;

/// Measures what a context switch costs: goroutines beside threads of the operating system, all on one CPU
///
/// Every number is nanoseconds an operation, one way (half of a round trip); `vs pthread` says how many times
/// cheaper that is than two threads that hand over through a futex. All rows are measured once a round, in an order
/// that changes; the table shows the median over the rounds. It takes about ten seconds and never more than thirty.
#[derive(Parser, Debug)]
#[command(name = "switch-report", version)]
#[command(mut_arg("quick", |quick| quick.help(
    "Only try whether everything works: short and few rounds, rough numbers"
)))]
#[command(mut_arg("only", |only| only.help(
    "Only the rows whose id or name contains TEXT, such as `yield` or `thread-futex`"
)))]
#[command(mut_arg("rounds", |rounds| rounds.help(
    "Measure so many rounds [default: 100, 3 with --quick]"
)))]
pub struct Arguments {
    #[command(flatten)]
    common: Common,

    /// Also draw a bar chart to FILE, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl Arguments {
    fn plan(&self) -> Plan {
        let (rounds, sample) = if self.common.quick {
            (3, 300)
        } else {
            (100, 5000)
        };
        Plan {
            rounds: self.common.rounds_or(rounds),
            sample: Duration::from_micros(sample),
            budget: Duration::from_secs(24),
        }
    }
}

/// Measures and prints the report.
///
/// # Errors
///
/// When an argument is wrong, something cannot be measured, or a file cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let json_file = Requested::open("--json", arguments.common.json.as_deref())?;
    let svg_file = Requested::open("--svg", arguments.svg.as_deref())?;
    if let (Some(json), Some(svg)) = (&json_file, &svg_file)
        && json.path() == svg.path()
    {
        return Err(Failure::usage(format!(
            "--json and --svg name the same file `{}`",
            json.path().display()
        )));
    }
    let only = arguments.common.only.as_deref();
    let rows = choose(&rows::all(), only, |row| {
        format!("{}: {}", row.id, row.name)
    })?;
    let report = measured(&rows, &arguments.plan())?;
    if let Some(file) = json_file {
        file.write(&json::render(&report)?)?;
    }
    if let Some(file) = svg_file {
        file.write(&chart::render(&picture::chart(&report))?)?;
    }
    print(&text::render(&report))
}

/// Pins this thread, starts the runtime, measures.
fn measured(rows: &[Row], plan: &Plan) -> Result<Report, Failure> {
    let machine = Machine::detect();
    let allowed = cpu::allowed()
        .map_err(|error| Failure::run(format!("cannot ask for the allowed CPUs: {error}")))?;
    let cpu = cpu::pin()
        .map_err(|error| Failure::run(format!("cannot pin the process to one CPU: {error}")))?;
    rows::start_runtime()
        .map_err(|error| Failure::run(format!("cannot start the runtime: {error}")))?;
    let mut progress = Progress::start();
    let measured = measure(rows, plan, |done, total| {
        progress.show(&match done {
            0 => "warming up ...".to_owned(),
            _ => format!("round {done} of {total}"),
        });
    })
    .map_err(Failure::run)?;
    drop(progress);
    Ok(Report::new(machine, allowed, cpu, rows, measured))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from([&["switch-report"], arguments].concat())
    }

    #[test]
    fn no_rounds_and_too_many_rounds_are_refused() {
        for rounds in ["0", "-1", "x", "65536", ""] {
            assert_eq!(
                parse(&["--rounds", rounds]).unwrap_err().exit_code(),
                2,
                "{rounds}"
            );
        }
        assert_eq!(parse(&["--rounds", "7"]).unwrap().plan().rounds, 7);
    }

    #[test]
    fn quick_is_shorter_unless_rounds_are_given() {
        let (normal, quick) = (
            parse(&[]).unwrap().plan(),
            parse(&["--quick"]).unwrap().plan(),
        );
        assert!(quick.rounds < normal.rounds && quick.sample < normal.sample);
        assert_eq!(
            parse(&["--quick", "--rounds", "9"]).unwrap().plan().rounds,
            9
        );
    }
}

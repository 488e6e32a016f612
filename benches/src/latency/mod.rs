//! The latency report: how late a goroutine runs that should run now, beside others that take the CPUs; and OS threads in
//! its place, in the same run.
//!
//! - A *ticker* ([`ticker`]) sleeps for a millisecond again and again, and notes how much later it resumed.
//! - In a *wake* ([`wake`]) one waits for a message. The waker puts the time into it just before it makes the
//!   other one ready, and that one notes how long ago that was when it runs.
//!
//! Both are written once, for either [`World`](world::World): goroutines and their channels, OS threads and std's.

pub mod beside;
pub mod late;
pub mod scenario;
mod text;
pub mod ticker;
pub mod wake;
pub mod world;

use clap::Parser;
use goroutines::Config;
use serde::Serialize;

use crate::report::choose::choose;
use crate::report::cli::Common;
use crate::report::failure::{Failure, print};
use crate::report::json;
use crate::report::machine::Machine;
use crate::report::output::Requested;
use crate::report::progress::Progress;
use late::Late;
use scenario::Scenario;

/// Measures how late goroutines run: a 1 ms ticker, and wakes from ready to running, beside others that take the CPUs
///
/// Each row is measured with goroutines on 2 Ps, and then with OS threads. Lateness is in microseconds. All rows take
/// about a minute. The exit status is 0 whatever the numbers are, 1 when something could not be measured, and 2 when an
/// argument is wrong.
#[derive(Parser, Debug)]
#[command(name = "latency-report", version)]
#[command(mut_arg("quick", |quick| quick.help(
    "Only try whether everything works: 50 samples a row"
)))]
#[command(mut_arg("only", |only| only.help(
    "Only the rows whose name contains TEXT, such as `ticker`, `woken by` or `tight loops`"
)))]
#[command(mut_arg("rounds", |rounds| rounds.help(
    "Measure each row so many times, in turns, and print each time [default: 1]"
)))]
pub struct Arguments {
    #[command(flatten)]
    common: Common,

    /// Samples a row: ticks or wakes, one a millisecond
    #[arg(long, value_name = "NUMBER", default_value_t = 2000, conflicts_with = "quick",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    samples: u32,
}

/// What was measured of a row in one round.
#[derive(Clone, Debug, Serialize)]
struct Line {
    /// [`Scenario::name`].
    name: String,
    /// [`World::NAME`](world::World::NAME).
    who: &'static str,
    /// The samples, in nanoseconds, shortest first.
    late: Late,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
struct Report {
    machine: Machine,
    /// How many ticks or wakes a row.
    samples: u32,
    rows: Vec<Line>,
}

/// Measures and prints the report, each row when it is measured.
///
/// # Errors
///
/// When an argument is wrong, a row cannot be measured, or a file cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { common, samples } = arguments;
    let chosen = choose(&Scenario::all(), common.only.as_deref(), |row| row.name())?;
    let file = Requested::open("--json", common.json.as_deref())?;
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    unsafe { Config::new().procs(2).start() }.map_err(Failure::run)?;
    let mut report = Report {
        machine: Machine::detect(),
        samples: if common.quick { 50 } else { *samples },
        rows: Vec::new(),
    };
    print(&text::head(&report))?;
    for scenario in (0..common.rounds_or(1)).flat_map(|_| &chosen) {
        let name = scenario.name();
        let mut progress = Progress::start();
        progress.show(&name);
        let measured = scenario.measure(report.samples as usize);
        drop(progress);
        let measured =
            measured.map_err(|error| Failure::run(format!("{name}: not measured: {error}")))?;
        for (who, late) in measured {
            let name = name.clone();
            let line = Line { name, who, late };
            print(&text::row(&line))?;
            report.rows.push(line);
        }
    }
    match file {
        Some(file) => file.write(&json::render(&report)?),
        None => Ok(()),
    }
}

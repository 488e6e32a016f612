//! The sleepers report: what many sleeping goroutines cost, and how late they wake.
//!
//! Each sleeper sleeps once, for a random time of up to some seconds, and notes how much later than it asked it resumed.
//! Reported is the processor time of the whole (starting, sleeping, waking, joining) for each, and the lateness.
//! The same with OS threads, of which a machine does not carry as many. Then what a timeout costs that does not
//! come: two goroutines that unpark each other, with a timeout and without.

mod measure;
pub mod scenario;
mod text;

use std::time::Duration;

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
use scenario::{Line, Scenario, Size};

/// Measures what many sleepers cost and how late they wake, as goroutines and as OS threads
#[derive(Parser, Debug)]
#[command(name = "sleepers-report", version)]
#[command(mut_arg("quick", |quick| quick.help(
    "Only try whether everything works: few sleepers, for a short time"
)))]
#[command(mut_arg("only", |only| only.help(
    "Only the rows whose name contains TEXT, such as `copy stacks` or `OS threads`"
)))]
pub struct Arguments {
    #[command(flatten)]
    common: Common,

    /// How many goroutines sleep
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    count: u32,

    /// The longest sleep, in milliseconds
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=600_000))]
    longest: u32,

    /// How many goroutines run at the same time
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=4096))]
    procs: u16,
}

impl Arguments {
    fn size(&self) -> Size {
        if self.common.quick {
            return Size {
                sleepers: 1000,
                longest: Duration::from_millis(20),
                turns: 1000,
            };
        }
        Size {
            sleepers: self.count,
            longest: Duration::from_millis(self.longest.into()),
            turns: 1_000_000,
        }
    }
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
struct Report {
    machine: Machine,
    /// How many Ps.
    procs: u16,
    size: Size,
    rows: Vec<Line>,
}

/// Measures and prints the report, each row when it is measured.
///
/// # Errors
///
/// When an argument is wrong, a row cannot be measured, or a file cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    let chosen = choose(&Scenario::ALL, common.only.as_deref(), |scenario| {
        scenario.name().to_owned()
    })?;
    let file = Requested::open("--json", common.json.as_deref())?;
    let config = Config::new().procs(arguments.procs.into());
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    unsafe { config.start() }.map_err(Failure::run)?;
    let mut report = Report {
        machine: Machine::detect(),
        procs: arguments.procs,
        size: arguments.size(),
        rows: Vec::new(),
    };
    print(&text::head(&report))?;
    for scenario in (0..common.rounds_or(1)).flat_map(|_| &chosen) {
        let mut progress = Progress::start();
        progress.show(scenario.name());
        let lines = scenario.measure(&report.size);
        drop(progress);
        for line in lines? {
            print(&text::row(&line))?;
            report.rows.push(line);
        }
    }
    match file {
        Some(file) => file.write(&json::render(&report)?),
        None => Ok(()),
    }
}

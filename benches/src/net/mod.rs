//! The net report: what serving connections costs. Goroutines, OS threads, other runtimes, and the *raw loop*: one thread a
//! CPU that calls `epoll_wait`, `recv` and `send` and has no runtime. What it reaches is the limit of all others.
//!
//! Every sample is taken in the same way:
//!
//! 1. A *server* is a process of its own: this program, or one that [`--rival`](Arguments) names. It prints its port, and
//!    serves one of the *services* until its standard input ends.
//! 2. The clients are threads of this process, loops without a runtime ([`load`]), the same for all servers. With one P
//!    the server has the first CPU and the clients have the others; with two Ps both have all of them.
//! 3. The contenders are interleaved: each round measures each row with each of them, one after the other, so that a slow
//!    spell of the machine hits all alike.
//! 4. Open loops ask for a part of the raw loop's rate, which each round measures first.
//! 5. A figure is the median over the rounds. Beside it stands the median of its ratios to the raw loop of the same round.
//!    The processor time that the server took for an operation depends least on what else the machine does.

mod contender;
pub mod load;
mod picture;
mod readme;
mod row;
mod sample;
pub mod scenario;
mod serve;
mod server;
mod service;
mod syscalls;
mod text;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use serde::Serialize;

use crate::report::choose::choose;
use crate::report::cli::Common;
use crate::report::failure::{Failure, print};
use crate::report::machine::Machine;
use crate::report::output::Requested;
use crate::report::progress::Progress;
use crate::report::{chart, json};
use contender::{Contender, Rival};
use readme::Readme;
use row::Row;
use scenario::{Plan, Scenario};
use serve::Duty;

/// Measures what serving connections costs: goroutines beside OS threads, other runtimes, and a loop without one
///
/// Rows with other runtimes need programs that serve with them, which `scripts/rivals.sh net` builds and names. Of those
/// that are called `hyper` and `tokio`, HTTP is hyper on goroutines and hyper on tokio; `copied` are goroutines whose stacks
/// are copied out while they wait. Times are in microseconds; a ratio compares with the raw loop. The exit status is 0 whatever the numbers are, 1 when something
/// could not be measured, and 2 when an argument is wrong.
#[derive(Parser, Debug)]
#[command(name = "net-report", version)]
#[command(mut_arg("quick", |quick| quick.help(
    "Only try whether everything works: short samples, few connections, one round"
)))]
#[command(mut_arg("only", |only| only.help(
    "Only the rows whose name contains TEXT, such as `echo`, `64 connections` or `1 P`"
)))]
#[command(mut_arg("rounds", |rounds| rounds.help(
    "Measure so many rounds [default: 5, 1 with --quick]"
)))]
pub struct Arguments {
    #[command(flatten)]
    common: Common,

    /// Also draw a bar chart to FILE, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Another server, as `NAME=PROGRAM WORD ...`; it is given a service and a number of Ps. May be repeated
    #[arg(long, value_name = "NAME=COMMAND")]
    rival: Vec<Rival>,

    /// Count the system calls of each server, with strace, in place of measuring times
    #[arg(long)]
    syscalls: bool,

    /// Measure only what the project's README shows, and write that into FILE, between its two marks
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only", "syscalls"])]
    readme: Option<PathBuf>,

    /// Milliseconds for a sample
    #[arg(long, value_name = "NUMBER", default_value_t = 700, conflicts_with = "quick",
          value_parser = clap::value_parser!(u32).range(10..=600_000))]
    sample: u32,

    /// Be the server that a report starts: contender, service, number of Ps
    #[arg(long, hide = true, num_args = 3, value_names = ["CONTENDER", "SERVICE", "PROCS"])]
    serve: Option<Vec<String>>,
}

impl Arguments {
    fn plan(&self) -> Plan {
        let sample = if self.common.quick { 20 } else { self.sample };
        Plan {
            quick: self.common.quick,
            syscalls: self.syscalls,
            sample: Duration::from_millis(sample.into()),
        }
    }
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
struct Report {
    machine: Machine,
    rounds: usize,
    plan: Plan,
    rows: Vec<Row>,
}

/// Measures and prints the report.
///
/// # Errors
///
/// When an argument is wrong, something cannot be measured, or a file cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(words) = &arguments.serve {
        return Duty::of(words)?.serve();
    }
    let common = &arguments.common;
    let json_file = Requested::open("--json", common.json.as_deref())?;
    let svg_file = Requested::open("--svg", arguments.svg.as_deref())?;
    let readme = arguments.readme.as_deref().map(Readme::open).transpose()?;
    let readme_file = Requested::open("--readme", arguments.readme.as_deref())?;
    let plan = arguments.plan();
    let all = match readme {
        Some(_) => readme::scenarios(&plan),
        None => Scenario::all(&plan),
    };
    let chosen = choose(&all, common.only.as_deref(), |row| row.name())?;
    let report = Report {
        machine: Machine::detect(),
        rounds: common.rounds_or(if common.quick { 1 } else { 5 }),
        rows: Vec::new(),
        plan,
    };
    let report = measured(report, &chosen, &Contender::all(&arguments.rival))?;
    if let Some(file) = json_file {
        file.write(&json::render(&report)?)?;
    }
    if let Some(file) = svg_file {
        file.write(&chart::render(&picture::chart(&report))?)?;
    }
    if let Some((readme, file)) = readme.zip(readme_file) {
        file.write(&readme.with(&report))?;
    }
    print(&text::render(&report))
}

/// Measures each row with each contender, as often as the report says.
fn measured(
    mut report: Report,
    scenarios: &[Scenario],
    contenders: &[Contender],
) -> Result<Report, Failure> {
    for scenario in scenarios {
        for contender in contenders.iter().filter(|who| scenario.suits(who)) {
            report.rows.push(Row::new(scenario, contender));
        }
    }
    let mut progress = Progress::start();
    for round in 1..=report.rounds {
        let mut raw_rate = None;
        for row in &mut report.rows {
            progress.show(&format!("round {round}: {}, {}", row.name, row.who));
            row.measure(&report.plan, &mut raw_rate)
                .map_err(|error| Failure::run(format!("{}, {}: {error}", row.name, row.who)))?;
        }
    }
    drop(progress);
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report of made-up numbers.
    pub(super) fn made_up() -> Report {
        Report {
            machine: Machine::detect(),
            rounds: 3,
            plan: Arguments::try_parse_from(["net-report"]).unwrap().plan(),
            rows: row::tests::made_up(),
        }
    }

    #[test]
    fn a_rival_without_a_program_is_refused() {
        let parsed = Arguments::try_parse_from(["net-report", "--rival", "tokio"]);
        assert_eq!(parsed.unwrap_err().exit_code(), 2);
    }
}

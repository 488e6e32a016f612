//! The scaling report: how the scheduler would scale to 128 Ps, which no machine here has.
//!
//! A model of discrete events: each P runs the steps that the scheduler does in a round ([`world`], [`search`],
//! [`rest`], [`poll`]), with the costs
//! that were measured for them, and passes the cache lines and locks that it shares with others ([`line`]), with costs from the
//! literature ([`costs`]). It answers what saturates first, and what another design would bring. `docs/scaling.md` is its
//! result.
//!
//! In the model, as in the scheduler: rings, `runnext`, the global queue with its two ends, spills, batches, half of a ring for
//! a thief, the idle list with its lock and the words beside it, one spinner, fair rounds, one poll of the kernel, interrupts to
//! all CPUs. Not in the model: timers, locked goroutines, takes of Ps (in [`limits`], by hand), the allocator, memory bandwidth.
//!
//! With `--check` it measures some of the workloads on this machine, with more Ps than CPUs too, and prints them beside what the
//! model says about a machine with two CPUs.

pub mod costs;
pub mod limits;
mod line;
pub mod load;
mod measured;
mod picture;
mod poll;
mod rest;
pub mod run;
pub mod scenario;
mod search;
mod text;
mod world;

use std::path::PathBuf;

use clap::Parser;
use serde::Serialize;

use crate::report::choose::choose;
use crate::report::cli::Common;
use crate::report::failure::{Failure, print};
use crate::report::json;
use crate::report::machine::Machine;
use crate::report::output::Requested;
use crate::report::progress::Progress;
use costs::Costs;
use run::Outcome;
use scenario::{CHECKS, Chart, FEW_PROCS, PROCS};

/// Simulates the scheduler on up to 128 Ps, and says what saturates first
#[derive(Parser, Debug)]
#[command(name = "scaling-report", version)]
#[command(mut_arg("quick", |quick| quick.help("Only try whether everything works: few Ps and operations")))]
#[command(mut_arg("only", |only| only.help("Only the charts whose name contains TEXT, such as `echo`")))]
#[command(mut_arg("rounds", |rounds| rounds.help(
    "Measure each row of the check so many times, in turns, and take the median [default: 1]"
)))]
pub struct Arguments {
    #[command(flatten)]
    common: Common,

    /// Also draw each chart into a file of this folder, as SVG
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,

    /// Instead: measure on this machine what the model says about two CPUs
    #[arg(long)]
    check: bool,

    /// Measure this row of the check, on `--procs` Ps, and print nanoseconds
    #[arg(long, hide = true)]
    child: Option<usize>,

    #[arg(long, hide = true, default_value_t = 1)]
    procs: usize,
}

/// A curve that was simulated.
#[derive(Clone, Debug, Serialize)]
struct Curve {
    name: &'static str,
    points: Vec<Outcome>,
}

/// A row of the check.
#[derive(Clone, Debug, Serialize)]
struct Checked {
    name: &'static str,
    procs: usize,
    /// Nanoseconds an operation.
    measured: f64,
    model: f64,
    /// The same on one P.
    measured_on_one: f64,
    model_on_one: f64,
}

/// Everything that was simulated or measured.
#[derive(Clone, Debug, Serialize)]
struct Report {
    machine: Machine,
    charts: Vec<(&'static str, Vec<Curve>)>,
    checks: Vec<Checked>,
}

/// Simulates and prints the report.
///
/// # Errors
///
/// When an argument is wrong, a row cannot be measured, or a file cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    if let Some(number) = arguments.child {
        let measured = measured::child(number, arguments.procs, common.quick)?;
        return print(&format!("{measured}\n"));
    }
    let charts = choose(&scenario::charts(), common.only.as_deref(), |chart| {
        chart.name.to_owned()
    })?;
    let file = Requested::open("--json", common.json.as_deref())?;
    let plots = plots(arguments, &charts)?;
    let costs = Costs::server();
    let mut report = Report {
        machine: Machine::detect(),
        charts: Vec::new(),
        checks: Vec::new(),
    };
    print(&text::head(&report.machine, &costs))?;
    if arguments.check {
        report.checks = check(arguments)?;
    } else {
        for (chart, plot) in charts.iter().zip(plots) {
            let curves = simulate(common.quick, chart, &costs)?;
            if let Some(plot) = plot {
                plot.write(&picture::render(chart.title, chart.unit, &curves)?)?;
            }
            report.charts.push((chart.name, curves));
        }
        print(&text::limits(&costs))?;
    }
    match file {
        Some(file) => file.write(&json::render(&report)?),
        None => Ok(()),
    }
}

/// The file of each chart, tried before anything is simulated.
fn plots(arguments: &Arguments, charts: &[Chart]) -> Result<Vec<Option<Requested>>, Failure> {
    let file = |chart: &Chart| {
        let path = arguments
            .plots
            .as_deref()
            .map(|folder| folder.join(format!("{}.svg", chart.name)));
        Requested::open("--plots", path.as_deref())
    };
    charts.iter().map(file).collect()
}

fn simulate(quick: bool, chart: &Chart, costs: &Costs) -> Result<Vec<Curve>, Failure> {
    let procs = if quick { &FEW_PROCS[..] } else { &PROCS };
    let mut progress = Progress::start();
    let mut curves = Vec::new();
    for series in &chart.series {
        progress.show(series.name);
        curves.push(Curve {
            name: series.name,
            points: series.simulate(costs, procs, quick),
        });
    }
    drop(progress);
    print(&text::chart(chart, &curves))?;
    Ok(curves)
}

/// Every row of the check in turns.
fn check(arguments: &Arguments) -> Result<Vec<Checked>, Failure> {
    let quick = arguments.common.quick;
    print(&text::check_head())?;
    let mut rows: Vec<Checked> = Vec::new();
    for (number, check) in CHECKS.iter().enumerate() {
        let mut samples = vec![Vec::new(); check.procs.len()];
        for _ in 0..arguments.common.rounds_or(1) {
            for (samples, &procs) in samples.iter_mut().zip(check.procs) {
                samples.push(measured::measure(number, procs, quick)?);
            }
        }
        let (mut measured_on_one, mut model_on_one) = (f64::NAN, f64::NAN);
        for (samples, &procs) in samples.iter_mut().zip(check.procs) {
            samples.sort_by(f64::total_cmp);
            let (measured, model) = (samples[samples.len() / 2], check.simulate(procs, quick));
            if procs == 1 {
                (measured_on_one, model_on_one) = (measured, model);
            }
            let row = Checked {
                name: check.name,
                procs,
                measured,
                model,
                measured_on_one,
                model_on_one,
            };
            print(&text::check(&row))?;
            rows.push(row);
        }
    }
    Ok(rows)
}

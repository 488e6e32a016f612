//! `latency-report`: how late a goroutine runs that should run now, beside others that take the CPUs; and OS threads in
//! its place, in the same run.

use std::fmt::Write;
use std::process::ExitCode;

use clap::Parser;
use goroutines::Config;
use goroutines_benches::failure::{self, Failure, print};
use goroutines_benches::latency::{Late, Scenario};
use goroutines_benches::machine::Machine;

/// Measures how late goroutines go on: a 1 ms ticker, and wakes from ready to running, beside others that take the CPUs
///
/// Each row is measured with goroutines on 2 Ps, and then with OS threads. Lateness is in microseconds. All rows take
/// about a minute. The exit status is 0 whatever the numbers are, 1 when something could not be measured, and 2 when an
/// argument is wrong.
#[derive(Parser, Debug)]
#[command(name = "latency-report", version)]
struct Arguments {
    /// Only try whether everything works: 50 samples a row
    #[arg(long, conflicts_with = "samples")]
    quick: bool,

    /// Samples a row: ticks or wakes, one a millisecond
    #[arg(long, value_name = "NUMBER", default_value_t = 2000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    samples: u32,

    /// Only the rows whose name contains TEXT, such as `ticker`, `woken by` or `tight loops`
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,

    /// Measure each row so many times, in turns, and print each time
    #[arg(long, value_name = "NUMBER", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
}

fn main() -> ExitCode {
    failure::exit("latency-report", run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let only = arguments.only.as_deref().unwrap_or_default();
    let all = Scenario::all();
    let chosen: Vec<Scenario> = all
        .iter()
        .copied()
        .filter(|row| row.name().contains(only))
        .collect();
    if chosen.is_empty() {
        let names: Vec<String> = all.into_iter().map(Scenario::name).collect();
        let names = names.join("\n  ");
        return Err(Failure::usage(format!(
            "--only: no row contains `{only}`; there are\n  {names}"
        )));
    }
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    unsafe { Config::new().procs(2).start() }.map_err(Failure::run)?;
    let samples = if arguments.quick {
        50
    } else {
        arguments.samples
    };
    print(&head(samples))?;
    for _ in 0..arguments.rounds {
        for scenario in &chosen {
            let measured = scenario.measure(samples as usize).map_err(|error| {
                Failure::run(format!("{}: not measured: {error}", scenario.name()))
            })?;
            for (who, late) in measured {
                print(&row(&scenario.name(), who, &late))?;
            }
        }
    }
    Ok(())
}

fn head(samples: u32) -> String {
    let machine = Machine::detect();
    format!(
        "goroutines: the latency report\n\n\
         \x20 machine   {}, {} CPUs; {}; load {:.2} when it started\n\
         \x20 measured  {samples} ticks or wakes a row, on 2 Ps and with OS threads; how late, in microseconds\n\n\
         {:<62}{:>8}{:>10}{:>10}{:>10}{:>10}\n",
        machine.cpu,
        machine.cpus_online,
        machine.kernel,
        machine.load.unwrap_or(0.0),
        "what, and beside whom",
        "who",
        "p50",
        "p99",
        "p99.9",
        "max"
    )
}

fn row(name: &str, who: &str, late: &Late) -> String {
    let mut row = format!("{name:<62}{who:>8}");
    for share in [0.5, 0.99, 0.999, 1.0] {
        // Writing to a string does not fail.
        let _ = write!(row, "{:>10.1}", late.at(share) as f64 / 1000.0);
    }
    row.push('\n');
    row
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_described_without_contradiction() {
        Arguments::command().debug_assert();
    }
}

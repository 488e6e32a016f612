//! `switch-report`: what a switch costs on this machine, goroutines beside threads.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use goroutines_benches::failure::{self, Failure, print};
use goroutines_benches::machine::Machine;
use goroutines_benches::measure::{Plan, measure};
use goroutines_benches::output::Output;
use goroutines_benches::report::Report;
use goroutines_benches::{chart, cpu, json, rows, table};

/// Measures what a context switch costs: goroutines beside threads of the operating system, all on one CPU
///
/// Every number is nanoseconds an operation, one way (half of a round trip); `vs pthread` says how many times
/// cheaper that is than two threads that hand over through a futex. All rows are measured once a round, in an order
/// that changes; the table shows the median over the rounds. It takes about ten seconds and never more than thirty.
#[derive(Parser, Debug)]
#[command(name = "switch-report", version)]
struct Arguments {
    /// Also write everything that was measured to FILE, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Also draw a bar chart to FILE, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Measure so many rounds [default: 100, 3 with --quick]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,

    /// Only try whether everything works: short and few rounds, rough numbers
    #[arg(long)]
    quick: bool,
}

impl Arguments {
    fn plan(&self) -> Plan {
        let (rounds, sample) = if self.quick { (3, 300) } else { (100, 5000) };
        Plan {
            rounds: self.rounds.map_or(rounds, usize::from),
            sample: Duration::from_micros(sample),
            budget: Duration::from_secs(24),
        }
    }
}

fn main() -> ExitCode {
    failure::exit("switch-report", run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let json_file = open("--json", arguments.json.as_deref())?;
    let svg_file = open("--svg", arguments.svg.as_deref())?;
    if let (Some(json), Some(svg)) = (&json_file, &svg_file)
        && json.path() == svg.path()
    {
        return Err(Failure::usage(format!(
            "--json and --svg name the same file `{}`",
            json.path().display()
        )));
    }
    let report = report(&arguments.plan())?;
    if let Some(file) = json_file {
        write(
            "--json",
            file,
            &json::render(&report).map_err(Failure::run)?,
        )?;
    }
    if let Some(file) = svg_file {
        write(
            "--svg",
            file,
            &chart::render(&report)
                .map_err(|error| Failure::run(format!("cannot draw the chart: {error}")))?,
        )?;
    }
    print(&table::render(&report))
}

fn open(flag: &str, path: Option<&Path>) -> Result<Option<Output>, Failure> {
    path.map(|path| {
        Output::open(path).map_err(|error| {
            Failure::usage(format!(
                "{flag}: cannot write `{}`: {error}",
                path.display()
            ))
        })
    })
    .transpose()
}

fn write(flag: &str, file: Output, contents: &str) -> Result<(), Failure> {
    let path = file.path().to_owned();
    file.write(contents).map_err(|error| {
        Failure::run(format!(
            "{flag}: cannot write `{}`: {error}",
            path.display()
        ))
    })
}

/// Pins this thread, starts the runtime, measures.
fn report(plan: &Plan) -> Result<Report, Failure> {
    let machine = Machine::detect();
    let allowed = cpu::allowed()
        .map_err(|error| Failure::run(format!("cannot ask for the allowed CPUs: {error}")))?;
    let cpu = cpu::pin()
        .map_err(|error| Failure::run(format!("cannot pin the process to one CPU: {error}")))?;
    rows::start_runtime()
        .map_err(|error| Failure::run(format!("cannot start the runtime: {error}")))?;
    let rows = rows::all();
    let mut progress = Progress {
        terminal: io::stderr().is_terminal(),
    };
    let measured =
        measure(&rows, plan, |done, total| progress.show(done, total)).map_err(Failure::run)?;
    drop(progress);
    Ok(Report::new(machine, allowed, cpu, &rows, measured))
}

/// One line on the terminal that is gone in the end; nothing at all elsewhere.
struct Progress {
    terminal: bool,
}

impl Progress {
    fn show(&mut self, done: usize, total: usize) {
        if self.terminal {
            // A lost line of progress is no reason to lose the measurement.
            let _ = match done {
                0 => write!(io::stderr(), "\rwarming up ..."),
                _ => write!(io::stderr(), "\r\x1b[Kround {done} of {total}"),
            };
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from([&["switch-report"], arguments].concat())
    }

    #[test]
    fn the_arguments_are_described_without_contradiction() {
        Arguments::command().debug_assert();
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

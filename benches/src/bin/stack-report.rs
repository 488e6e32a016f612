//! `stack-report`: what stacks cost on this machine, beside what is asked of them.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use goroutines_benches::failure::{self, Failure, print};
use goroutines_benches::machine::Machine;
use goroutines_benches::output::Output;
use goroutines_benches::stacks::child;
use goroutines_benches::stacks::report::{Line, Report};
use goroutines_benches::stacks::scenario::{self, Scenario};
use goroutines_benches::stacks::text;

/// Measures what stacks cost: memory of parked goroutines, time to grow, time to resume many
///
/// Each scenario runs in a process of its own. With a million goroutines some need about 5 GB of memory; what does not
/// fit is skipped. It takes about a minute. The exit status is 0 whether the numbers fall short or not, and 1 when a
/// scenario could not be measured.
#[derive(Parser, Debug)]
#[command(name = "stack-report", version)]
struct Arguments {
    /// Also write everything that was measured to FILE, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Only try whether everything works: few goroutines, rough numbers
    #[arg(long)]
    quick: bool,

    /// Only the scenarios whose id contains TEXT, such as `parked`, `resume-own` or `growth`
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,

    /// Measure the scenario ID in this process and print its figures as JSON
    #[arg(long, value_name = "ID", hide = true, conflicts_with_all = ["json", "only"])]
    scenario: Option<String>,
}

fn main() -> ExitCode {
    failure::exit("stack-report", run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let all = scenario::all(arguments.quick);
    if let Some(id) = &arguments.scenario {
        return measure_here(&all, id);
    }
    let only = arguments.only.as_deref().unwrap_or_default();
    let chosen: Vec<_> = all.iter().filter(|one| one.id().contains(only)).collect();
    if chosen.is_empty() {
        let ids: Vec<_> = all.iter().map(Scenario::id).collect();
        let ids = ids.join(", ");
        return Err(Failure::usage(format!(
            "--only: no scenario contains `{only}`; there are {ids}"
        )));
    }
    let json = match &arguments.json {
        None => None,
        Some(path) => Some(Output::open(path).map_err(|error| {
            let path = path.display();
            Failure::usage(format!("--json: cannot write `{path}`: {error}"))
        })?),
    };
    let report = report(&chosen, arguments.quick);
    if let Some(file) = json {
        let path = file.path().display().to_string();
        let contents = serde_json::to_string_pretty(&report).map_err(Failure::run)?;
        file.write(&(contents + "\n"))
            .map_err(|error| Failure::run(format!("--json: cannot write `{path}`: {error}")))?;
    }
    print(&text::render(&report))?;
    match report.failures() {
        0 => Ok(()),
        failures => Err(Failure::run(format!(
            "{failures} of {} scenarios could not be measured",
            chosen.len()
        ))),
    }
}

/// The child's part.
fn measure_here(all: &[Scenario], id: &str) -> Result<(), Failure> {
    let Some(scenario) = all.iter().find(|one| one.id() == id) else {
        return Err(Failure::usage(format!("--scenario: there is no `{id}`")));
    };
    print(&child::print(scenario).map_err(Failure::run)?)
}

fn report(chosen: &[&Scenario], quick: bool) -> Report {
    let machine = Machine::detect();
    let start = Instant::now();
    let terminal = io::stderr().is_terminal();
    let mut lines = Vec::with_capacity(chosen.len());
    for (done, scenario) in chosen.iter().enumerate() {
        if terminal {
            // A lost line of progress is no reason to lose the measurement.
            let _ = write!(
                io::stderr(),
                "\r\x1b[K{} of {}: {}",
                done + 1,
                chosen.len(),
                scenario.title()
            );
        }
        let id = scenario.id();
        let mut arguments = vec!["--scenario", &id];
        arguments.extend(quick.then_some("--quick"));
        lines.push(Line::new(scenario, child::run(scenario, &arguments)));
    }
    if terminal {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    Report::new(machine, start.elapsed().as_secs_f64(), lines)
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

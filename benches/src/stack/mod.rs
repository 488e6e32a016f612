//! The stack report: what stacks cost on this machine, beside what is asked of them.
//!
//! Memory belongs to a process, so each [`scenario`] runs in a fresh child process ([`child`]): the program starts itself
//! again, and the child prints its [`figure`]s as JSON. A figure may have a bound, and the report says where one is missed.
//!
//! 1. [`parked`]: what a goroutine costs that waits in `recv`, on a stack of its own or on a copied one. All in: the
//!    growth of the process's resident memory and page tables, divided by the number of goroutines.
//!    And what is left of it when they have ended, at once and after the time that [`ended`] sets.
//! 2. [`growth`]: what a step of a growing stack costs, beside what it consists of: a page fault and a signal.
//! 3. [`resume`]: what it costs to resume one of many parked goroutines in random order, when neither its descriptor
//!    nor its stack is in a cache. The run queue prefetches both for the goroutines that come next; the feature
//!    `no-lookahead` builds a scheduler that does not, to see the difference:
//!
//! ```text
//! cargo run --release -p goroutines-benches --bin stack-report
//! cargo run --release -p goroutines-benches --bin stack-report --features no-lookahead -- --only resume
//! ```

pub mod child;
pub mod ended;
pub mod figure;
pub mod growth;
pub mod memory;
pub mod parked;
pub mod report;
pub mod resume;
pub mod scenario;
pub mod text;

use std::time::Instant;
use std::{io, thread};

use clap::Parser;
use goroutines::Config;

use crate::report::choose::choose;
use crate::report::cli::{Common, size};
use crate::report::failure::{Failure, print};
use crate::report::json;
use crate::report::machine::Machine;
use crate::report::output::Requested;
use crate::report::progress::Progress;
use report::{Line, Report};
use scenario::Scenario;

/// Measures what stacks cost: memory of parked goroutines, time to grow, time to resume many
///
/// Each scenario runs in a process of its own. With a million goroutines some need about 5 GB of memory; what does not
/// fit is skipped. It takes about a minute. The exit status is 0 whether the numbers fall short or not, and 1 when a
/// scenario could not be measured.
#[derive(Parser, Debug)]
#[command(name = "stack-report", version)]
#[command(mut_arg("quick", |quick| quick.help(
    "Only try whether everything works: few goroutines, rough numbers"
)))]
#[command(mut_arg("only", |only| only.help(
    "Only the scenarios whose id contains TEXT, such as `parked`, `resume-own` or `growth`"
)))]
pub struct Arguments {
    #[command(flatten)]
    common: Common,

    /// The largest stack of a goroutine, such as 64K or 8M [default: that of the runtime, 1M]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    stack: Option<usize>,

    /// Measure the scenario ID in this process and print its figures as JSON
    #[arg(long, value_name = "ID", hide = true, conflicts_with_all = ["json", "only", "rounds"])]
    scenario: Option<String>,
}

/// Measures and prints the report.
///
/// # Errors
///
/// When an argument is wrong, a scenario cannot be measured, or a file cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments {
        common,
        stack,
        scenario,
    } = arguments;
    let all = scenario::all(common.quick, *stack);
    if let Some(id) = scenario {
        return measure_here(&all, id);
    }
    let chosen = choose(&all, common.only.as_deref(), Scenario::id)?;
    let file = Requested::open("--json", common.json.as_deref())?;
    let report = measure(&chosen, common);
    if let Some(file) = file {
        file.write(&json::render(&report)?)?;
    }
    print(&text::render(&report))?;
    match report.failures() {
        0 => Ok(()),
        failures => Err(Failure::run(format!(
            "{failures} of {} scenarios could not be measured",
            report.scenarios.len()
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

fn measure(chosen: &[Scenario], common: &Common) -> Report {
    let machine = Machine::detect();
    let start = Instant::now();
    let rounds = common.rounds_or(1);
    let all = chosen.len() * rounds;
    let mut progress = Progress::start();
    let mut lines = Vec::with_capacity(all);
    for scenario in (0..rounds).flat_map(|_| chosen) {
        let done = lines.len() + 1;
        progress.show(&format!("{done} of {all}: {}", scenario.title()));
        lines.push(Line::new(scenario, child::run(scenario, common.quick)));
    }
    drop(progress);
    let stack = chosen.iter().find_map(|scenario| scenario.stack);
    Report::new(machine, stack, start.elapsed().as_secs_f64(), lines)
}

/// What a goroutine's stack is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stacks {
    /// A window of its own: the default.
    Own,
    /// Copied out of a window that it shares, by `Builder::copy_stack`.
    Copy,
}

impl Stacks {
    /// A builder for goroutines with such stacks.
    ///
    /// # Safety
    ///
    /// What `Builder::copy_stack` asks of the goroutine's code.
    pub(crate) unsafe fn builder(self) -> goroutines::Builder {
        let builder = goroutines::Builder::new();
        match self {
            Stacks::Own => builder,
            // SAFETY: passed on.
            Stacks::Copy => unsafe { builder.copy_stack() },
        }
    }
}

/// Starts the runtime as `config` says and runs `f` on a goroutine.
fn on_goroutine<T: Send + 'static>(
    config: Config,
    f: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    // SAFETY: the goroutines of the scenarios use atomics, channels, the clock, files and the allocator: none of them hands
    // out a reference into thread-local storage, so none is held while a goroutine parks.
    unsafe { config.start() }.map_err(io::Error::other)?;
    finished(goroutines::go(f).join())?
}

/// The result of a goroutine that was joined.
fn finished<T>(result: thread::Result<T>) -> io::Result<T> {
    // The message of the panic is on stderr already.
    result.map_err(|_| io::Error::other("a goroutine of the scenario panicked"))
}

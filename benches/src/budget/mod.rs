//! The budgets: how many instructions an operation executes, how many of them are locked, and how many cache lines it
//! touches, counted by callgrind and compared with what is recorded in `benches/budgets.md`.
//!
//! 1. Each operation of [`operation`] runs in processes of this program, under callgrind, at two lengths. What the longer
//!    run counts more, over all threads but sysmon's, is the price of the operations that it does more: starting and ending cancel out.
//! 2. A count does not depend on what else the machine does, as a time would. So a budget can fail a check.
//! 3. A count above the recorded one by more than the operation's band fails. One below is told: it should be recorded, so
//!    that it is kept.
//! 4. Locked instructions are known by their bytes ([`locked`]), on x86 only. Cache lines are misses of a simulated
//!    first-level cache of 32 KiB, counted where the operations work on many times its size.
//!
//! What a count does not say: how long an instruction takes, what a mispredicted branch or another CPU's cache costs.

mod callgrind;
mod kept;
mod locked;
mod operation;
mod workload;

use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;

use clap::Parser;
use serde::Serialize;

use crate::cpu;
use crate::report::choose::choose;
use crate::report::cli::Common;
use crate::report::failure::{Failure, print};
use crate::report::head;
use crate::report::json;
use crate::report::machine::Machine;
use crate::report::output::Requested;
use crate::report::progress::Progress;
use crate::report::table::Table;
use callgrind::Counts;
use kept::{Kept, Verdict};
use operation::Operation;

/// Counts what operations cost, and compares with the recorded budgets
///
/// `scripts/budgets.sh` builds this and runs it. It needs valgrind. The exit status is 0 if nothing is above its budget,
/// 1 if something is or could not be counted, and 2 when an argument is wrong.
#[derive(Parser, Debug)]
#[command(name = "budget-report", version)]
#[command(mut_arg("quick", |quick| quick.help(
    "Only try whether everything works: runs so short that the counts are rough, and no comparison"
)))]
#[command(mut_arg("only", |only| only.help(
    "Only the operations whose name contains TEXT, such as `yield`, `select` or `1 P`"
)))]
#[command(mut_arg("rounds", |rounds| rounds.help(
    "Count so many times, compare the medians, and show how far the counts lie apart [default: 1]"
)))]
pub struct Arguments {
    #[command(flatten)]
    common: Common,

    /// Compare with the budgets of FILE
    #[arg(long, value_name = "FILE")]
    budgets: Option<PathBuf>,

    /// Write what is counted into the file of --budgets, in place of comparing
    #[arg(long, requires = "budgets", conflicts_with_all = ["quick"])]
    record: bool,

    /// Be the process that is counted: operation, number of Ps, how many times
    #[arg(long, hide = true, num_args = 3, value_names = ["OPERATION", "PROCS", "N"])]
    operate: Option<Vec<String>>,
}

/// What was counted of an operation, a count a round.
#[derive(Clone, Debug, Serialize)]
struct Row {
    name: String,
    #[serde(skip)]
    operation: Operation,
    counts: Vec<Figures>,
}

/// Figures of one operation. None where the CPU or the operation has none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Figures {
    instructions: f64,
    locked: Option<f64>,
    lines: Option<f64>,
}

/// Everything that was counted.
#[derive(Clone, Debug, Serialize)]
struct Report {
    machine: Machine,
    rows: Vec<Row>,
}

/// Counts, prints and compares.
///
/// # Errors
///
/// When an argument is wrong, something cannot be counted, or something is above its budget.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(words) = &arguments.operate {
        return operate(words);
    }
    let common = &arguments.common;
    let json_file = Requested::open("--json", common.json.as_deref())?;
    let kept = arguments.budgets.as_deref().map(Kept::read).transpose()?;
    let recorded = arguments.budgets.as_deref().filter(|_| arguments.record);
    let file = Requested::open("--budgets", recorded)?;
    let chosen = choose(&Operation::all(), common.only.as_deref(), Operation::title)?;
    let report = Report {
        machine: Machine::detect(),
        rows: counted(&chosen, common.rounds_or(1), common.quick)?,
    };
    if let Some(file) = json_file {
        file.write(&json::render(&report)?)?;
    }
    let mut kept = kept.unwrap_or_default();
    print(&text(&report, &kept))?;
    if arguments.record {
        report.rows.iter().for_each(|row| kept.set(row));
        return file.map_or(Ok(()), |file| file.write(&kept.render(&report.machine)));
    }
    match common.quick {
        true => Ok(()),
        false => kept.judge(&report.rows),
    }
}

fn operate(words: &[String]) -> Result<(), Failure> {
    let number = |text: &str| text.parse::<u64>().map_err(Failure::usage);
    let [name, procs, n] = words else {
        return Err(Failure::usage("--operate: OPERATION PROCS N"));
    };
    let (procs, n) = (number(procs)?, number(n)?);
    let all = Operation::all();
    let operation = all.iter().find(|one| one.name == *name);
    let run = operation
        .ok_or_else(|| Failure::usage("--operate: no such operation"))?
        .run;
    // SAFETY: nothing here or in `workload` keeps an address of a thread-local over a call that can park.
    unsafe { goroutines::Config::new().procs(procs as usize).start() }.map_err(Failure::run)?;
    let ended = goroutines::go(move || run(n)).join();
    ended.map_err(|_| Failure::run("the operation panicked"))
}

/// One count of an operation.
fn figures(operation: &Operation, quick: bool) -> io::Result<Figures> {
    let [short, long] = operation.lengths.map(|n| if quick { n / 10 } else { n });
    let less = callgrind::count(operation, short)?;
    let each: Counts = less.each(callgrind::count(operation, long)?, long - short);
    Ok(Figures {
        instructions: each.instructions,
        locked: std::env::consts::ARCH
            .starts_with("x86")
            .then_some(each.locked),
        lines: operation.cold.then_some(each.misses),
    })
}

/// Counts all of them, on as many threads as there are CPUs.
fn counted(operations: &[Operation], rounds: usize, quick: bool) -> Result<Vec<Row>, Failure> {
    let row = |operation: &Operation| Row {
        name: operation.title(),
        operation: *operation,
        counts: Vec::new(),
    };
    let rows: Mutex<Vec<Row>> = Mutex::new(operations.iter().map(row).collect());
    let work: Mutex<Vec<usize>> = Mutex::new((0..operations.len() * rounds).rev().collect());
    let progress = Mutex::new(Progress::start());
    let worker = || -> Result<(), Failure> {
        loop {
            let next = work.lock().expect("no panic").pop();
            let Some(next) = next else { return Ok(()) };
            let place = next % operations.len();
            let operation = &operations[place];
            progress.lock().expect("no panic").show(&operation.title());
            let figures = figures(operation, quick)
                .map_err(|error| Failure::run(format!("{}: {error}", operation.title())))?;
            rows.lock().expect("no panic")[place].counts.push(figures);
        }
    };
    let threads = cpu::allowed().map_or(1, |cpus| cpus.len());
    let ended: Result<Vec<()>, Failure> = thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        all.into_iter()
            .map(|one| one.join().expect("no panic"))
            .collect()
    });
    ended?;
    Ok(rows.into_inner().expect("no panic"))
}

const TABLE: Table = Table {
    name: 44,
    cells: &[13, 9, 8, 8, 10, 17],
};

fn text(report: &Report, kept: &Kept) -> String {
    let how = "by callgrind, instructions an operation, over all threads but sysmon's; locked: of these; lines: that miss 32 KiB".to_owned();
    let mut text = head::render("budget", &report.machine, &[("counted", how)]);
    let titles = ["instructions", "locked", "lines", "spread", "budget", ""];
    text += &format!("{}\n", TABLE.row("", &titles));
    for row in &report.rows {
        let Figures {
            instructions,
            locked,
            lines,
        } = row.median();
        let some = |figure: Option<f64>, digits| {
            figure.map_or("-".to_owned(), |figure| format!("{figure:.digits$}"))
        };
        let verdict = kept.verdict(row);
        let budget = some(kept.get(&row.name).map(|budget| budget.instructions), 1);
        let word = match verdict {
            Verdict::Within => "",
            Verdict::Over(_) => "OVER",
            Verdict::Under(_) => "better",
            Verdict::New => "not recorded",
        };
        let cells = [
            some(Some(instructions), 1),
            some(locked, 2),
            some(lines, 2),
            row.spread(),
            budget,
            word.to_owned(),
        ];
        text += &format!(
            "{}\n",
            TABLE
                .row(&row.name, &cells.each_ref().map(String::as_str))
                .trim_end()
        );
    }
    text
}

impl Row {
    fn median(&self) -> Figures {
        let of = |figure: &dyn Fn(&Figures) -> Option<f64>| {
            let all: Vec<f64> = self.counts.iter().filter_map(figure).collect();
            crate::stats::Summary::of(&all).map(|summary| summary.median)
        };
        Figures {
            instructions: of(&|one| Some(one.instructions)).unwrap_or_default(),
            locked: of(&|one| one.locked),
            lines: of(&|one| one.lines),
        }
    }

    /// How far the instructions of the rounds lie apart.
    fn spread(&self) -> String {
        let all = self.counts.iter().map(|one| one.instructions);
        let (least, most) = all.fold((f64::INFINITY, 0.0), |(least, most): (f64, f64), one| {
            (least.min(one), most.max(one))
        });
        match self.counts.len() {
            0 | 1 => "-".to_owned(),
            _ => format!("{:.2} %", (most / least - 1.0) * 100.0),
        }
    }
}

//! The rivals report: the same workloads on goroutines, Go, tokio, may, corosensei, Boost.Fiber and OS threads.
//!
//! 1. A *contender* is a program that does a [`row`] in a process of its own and prints what it measured, or why it takes no
//!    part. `scripts/rivals.sh` builds those of `benches/rivals` and names them. One that crashes or hangs has failed in
//!    that cell; the report goes on.
//! 2. The contenders are interleaved: each round measures each row with each of them, one after the other, so that a slow
//!    spell of the machine hits all alike. What takes many seconds is measured in fewer rounds.
//! 3. A figure is the median over the rounds, beside it the least and the most. The ratio is that of the best rival.
//! 4. What is measured can be kept as JSON ([`line`]), and the project's README shows a kept report ([`readme`]): a test
//!    compares the two.
//!
//! The line about serving comes from the net report: `--net` names what that has written.

mod contender;
mod echo;
mod line;
mod markdown;
mod picture;
mod readme;
mod row;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;

use crate::report::choose::choose;
use crate::report::cli::Common;
use crate::report::failure::{Failure, print};
use crate::report::machine::Machine;
use crate::report::output::Requested;
use crate::report::progress::Progress;
use crate::report::{chart, json};
use contender::{Named, Outcome, Way};
use line::{Cell, Line, Report};
use row::{ROWS, Row};

/// Measures the same workloads on goroutines and on other runtimes, interleaved
///
/// `scripts/rivals.sh` builds the contenders and names them. The report is Markdown. The exit status is 0 whatever the
/// numbers are and whoever failed, 1 when something could not be measured or written, and 2 when an argument is wrong.
#[derive(Parser, Debug)]
#[command(name = "rivals-report", version)]
#[command(mut_arg("quick", |quick| quick.help(
    "Only try whether everything works: small sizes, short samples, one round"
)))]
#[command(mut_arg("only", |only| only.help(
    "Only the rows whose name contains TEXT, such as `yield`, `sleepers` or `, 1 P`"
)))]
#[command(mut_arg("rounds", |rounds| rounds.help(
    "Measure so many rounds [default: 3, 1 with --quick]"
)))]
pub struct Arguments {
    #[command(flatten)]
    common: Common,

    /// Also draw a bar chart to FILE, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Also write the Markdown to FILE
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// A contender, as `NAME=PROGRAM WORD ...`; that called `goroutines` is compared with all others. May be repeated
    #[arg(long, value_name = "NAME=COMMAND")]
    contender: Vec<Named>,

    /// One that could not be built, as `NAME=REASON`: the report names it. May be repeated
    #[arg(long, value_name = "NAME=REASON")]
    missing: Vec<Named>,

    /// What the net report has written, for the line about serving
    #[arg(long, value_name = "FILE")]
    net: Option<PathBuf>,

    /// Measure nothing: show what FILE has, which an earlier report has written with --json
    #[arg(long, value_name = "FILE", conflicts_with_all = ["contender", "missing", "net", "only", "rounds", "quick"])]
    kept: Option<PathBuf>,

    /// Write some of the lines into FILE, between its two marks
    #[arg(long, value_name = "FILE", conflicts_with = "only")]
    readme: Option<PathBuf>,

    /// Milliseconds for a sample
    #[arg(long, value_name = "NUMBER", default_value_t = 150, conflicts_with = "quick",
          value_parser = clap::value_parser!(u32).range(1..=60_000))]
    sample: u32,
}

/// Measures, or reads, and prints the report.
///
/// # Errors
///
/// When an argument is wrong, something cannot be measured, or a file cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let json_file = Requested::open("--json", arguments.common.json.as_deref())?;
    let svg_file = Requested::open("--svg", arguments.svg.as_deref())?;
    let text_file = Requested::open("--markdown", arguments.markdown.as_deref())?;
    let readme_file = Requested::open("--readme", arguments.readme.as_deref())?;
    let report = match &arguments.kept {
        Some(path) => kept(path)?,
        None => measured(arguments)?,
    };
    let text = markdown::tables(&report, true, |_| true);
    if let Some(file) = json_file {
        file.write(&json::render(&report)?)?;
    }
    if let Some(file) = svg_file {
        file.write(&chart::render(&picture::chart(&report))?)?;
    }
    if let Some(file) = text_file {
        file.write(&text)?;
    }
    if let Some(file) = readme_file {
        let text = readme::with(file.path(), &report)?;
        file.write(&text)?;
    }
    print(&text)
}

fn kept(path: &Path) -> Result<Report, Failure> {
    let refused = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("--kept: `{}`: {why}", path.display()))
    };
    let text = fs::read_to_string(path).map_err(|error| refused(&error))?;
    serde_json::from_str(&text).map_err(|error| refused(&error))
}

/// How `--only` calls a row.
fn title((row, procs): &(Row, usize)) -> String {
    format!(
        "{}, {procs} P{}",
        row.title,
        if *procs == 1 { "" } else { "s" }
    )
}

fn measured(arguments: &Arguments) -> Result<Report, Failure> {
    let common = &arguments.common;
    if arguments.contender.is_empty() {
        return Err(Failure::usage(
            "--contender: there is none; `scripts/rivals.sh` names all",
        ));
    }
    let all = ROWS
        .iter()
        .flat_map(|row| row.procs.iter().map(|&procs| (*row, procs)));
    let all: Vec<(Row, usize)> = all.collect();
    let rows = choose(&all, common.only.as_deref(), title)?;
    let named = |named: &Named| (named.name.clone(), named.rest.clone());
    let mut report = Report {
        machine: Machine::detect(),
        rounds: common.rounds_or(if common.quick { 1 } else { 3 }),
        quick: common.quick,
        contenders: arguments
            .contender
            .iter()
            .map(|one| one.name.clone())
            .collect(),
        missing: arguments.missing.iter().map(named).collect(),
        lines: rows
            .iter()
            .flat_map(|(row, procs)| empty(row, *procs, &arguments.contender))
            .collect(),
    };
    let way = Way {
        quick: common.quick,
        millis: if common.quick { 10 } else { arguments.sample },
        patience: Duration::from_secs(60),
    };
    let mut progress = Progress::start();
    for round in 1..=report.rounds {
        for row in rows.iter().filter(|(row, _)| round <= row.rounds) {
            for who in &arguments.contender {
                progress.show(&format!("round {round}: {}, {}", title(row), who.name));
                sample(&mut report, row, who, way).map_err(|error| {
                    Failure::run(format!("{}, {}: {error}", title(row), who.name))
                })?;
            }
        }
    }
    drop(progress);
    if let Some(path) = &arguments.net {
        report.lines.push(echo::line(path)?);
    }
    Ok(report)
}

/// The lines of a row, without a sample.
fn empty(row: &Row, procs: usize, contenders: &[Named]) -> Vec<Line> {
    let cell = |who: &Named| Cell {
        who: who.name.clone(),
        ..Cell::default()
    };
    let lines = row.figures.iter().map(|(_, what)| Line {
        title: row::line_title(row, what),
        procs,
        cells: contenders.iter().map(cell).collect(),
    });
    lines.collect()
}

/// Takes a sample, unless an earlier one failed.
fn sample(
    report: &mut Report,
    (row, procs): &(Row, usize),
    who: &Named,
    way: Way,
) -> std::io::Result<()> {
    let titles = row
        .figures
        .iter()
        .map(|(name, what)| (name, row::line_title(row, what)));
    let titles: Vec<(&&str, String)> = titles.collect();
    let mine =
        |line: &Line| line.procs == *procs && titles.iter().any(|(_, title)| *title == line.title);
    let of_it = |cell: &&mut Cell| cell.who == who.name;
    let mut cells: Vec<(&str, &mut Cell)> = Vec::new();
    for line in report.lines.iter_mut().filter(|line| mine(line)) {
        let name = titles
            .iter()
            .find(|(_, title)| *title == line.title)
            .map_or("", |(name, _)| **name);
        cells.extend(line.cells.iter_mut().find(of_it).map(|cell| (name, cell)));
    }
    if cells.iter().any(|(_, cell)| cell.note.is_some()) {
        return Ok(());
    }
    let outcome = contender::measure(who, row, *procs, way)?;
    let size = if way.quick { row.quick } else { row.size } as f64;
    for (name, cell) in cells {
        match &outcome {
            Outcome::Figures(figures) => {
                let figure = |name: &str| {
                    figures
                        .iter()
                        .find(|(other, _)| other == name)
                        .map(|(_, value)| *value)
                };
                cell.samples.extend(figure(name));
                // A tree has a power of its branching as leaves: that is the same for all.
                cell.n = figure("n").filter(|n| *n < size / 2.0);
            }
            Outcome::None(why) => cell.note = Some(why.clone()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contender_that_failed_is_asked_once_and_the_others_go_on() {
        let parse = |text: &str| Arguments::try_parse_from(text.split(' ')).unwrap();
        let text = "rivals-report --quick --rounds 2 --only parked --contender bad=/bin/false";
        assert_eq!(measured(&parse(text)).unwrap_err().status, 2); // no such row
        let text = text.replace("parked", "park") + " --contender echo=/bin/echo";
        let report = measured(&parse(&text)).unwrap();
        assert_eq!(report.lines.len(), 2);
        for line in &report.lines {
            let notes: Vec<&str> = line
                .cells
                .iter()
                .filter_map(|cell| cell.note.as_deref())
                .collect();
            assert!(notes[0].starts_with("failed: exit status: 1"), "{notes:?}");
            assert!(notes[1].contains("parked 2 10000 10"), "{notes:?}");
        }
    }

    #[test]
    fn a_report_that_is_kept_is_read_again() {
        let path = std::env::temp_dir().join(format!("goroutines-kept-{}", std::process::id()));
        let report = line::tests::made_up();
        fs::write(&path, json::render(&report).unwrap()).unwrap();
        let read = kept(&path).unwrap();
        fs::write(&path, "{}").unwrap();
        let wrong = kept(&path);
        fs::remove_file(&path).unwrap();
        assert_eq!(
            markdown::tables(&read, true, |_| true),
            markdown::tables(&report, true, |_| true)
        );
        assert!(wrong.unwrap_err().message.contains("--kept"));
    }
}

//! The report as Markdown.

use std::fmt::Write;

use super::line::{Cell, Line, Report};
use crate::report::numbers::{count, grouped, nanoseconds, times};

/// What a column is called.
pub(super) fn label(who: &str) -> &str {
    match who {
        "go" => "Go",
        "tokio-ct" => "tokio, current thread",
        "boost" => "Boost.Fiber",
        "threads" => "OS threads",
        other => other,
    }
}

/// The tables, with or without the spread of the samples; of all lines, or of some.
pub(super) fn tables(report: &Report, spread: bool, shown: impl Fn(&Line) -> bool) -> String {
    let (mut text, mut notes) = (String::new(), Vec::new());
    for procs in [1, 2] {
        let mine = |line: &&Line| line.procs == procs && shown(line);
        let lines: Vec<&Line> = report.lines.iter().filter(mine).collect();
        if !lines.is_empty() {
            text += &format!("{}\n", table(report, procs, &lines, spread, &mut notes));
        }
    }
    // Writing to a string does not fail.
    for (number, note) in (1..).zip(&notes) {
        let _ = writeln!(text, "{number}. {note}");
    }
    for (who, why) in &report.missing {
        let _ = writeln!(text, "- {} is missing: {why}", label(who));
    }
    if !notes.is_empty() || !report.missing.is_empty() {
        text.push('\n');
    }
    text + &foot(report, spread)
}

fn table(
    report: &Report,
    procs: usize,
    lines: &[&Line],
    spread: bool,
    notes: &mut Vec<String>,
) -> String {
    let answered = |who: &&String| {
        let cells = lines.iter().filter_map(|line| line.cell(who));
        cells.into_iter().any(|cell| !cell.samples.is_empty())
    };
    let columns: Vec<&String> = report.contenders.iter().filter(answered).collect();
    let titles: Vec<&str> = columns.iter().map(|who| label(who)).collect();
    let ps = count(procs, "P");
    let mut text = format!(
        "| {ps} | {} | best rival |\n|---|{}---:|\n",
        titles.join(" | "),
        "---:|".repeat(columns.len())
    );
    for line in lines {
        let cell = |who: &&String| {
            line.cell(who)
                .map_or(String::new(), |cell| one(cell, spread, notes))
        };
        let cells: Vec<String> = columns.iter().map(cell).collect();
        let best = line.best().map_or("-".to_owned(), |best| {
            format!("{} {}", times(best.times), label(&best.who))
        });
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {} | {} | {best} |", line.title, cells.join(" | "));
    }
    text
}

/// A cell's median, with its spread, or the number of the note that says why there is none.
fn one(cell: &Cell, spread: bool, notes: &mut Vec<String>) -> String {
    let Some(summary) = cell.summary() else {
        let note = format!(
            "{}: {}",
            label(&cell.who),
            cell.note.as_deref().unwrap_or("not measured")
        );
        let place = notes.iter().position(|other| *other == note);
        let place = place.unwrap_or_else(|| {
            notes.push(note);
            notes.len() - 1
        });
        return format!("- ({})", place + 1);
    };
    let number = |value: f64| match value {
        value if value < 9999.5 => nanoseconds(value),
        value => grouped(value.round() as usize),
    };
    let mut text = number(summary.median);
    if spread && cell.samples.len() > 1 {
        text += &format!(" ({}..{})", number(summary.min), number(summary.max));
    }
    if let Some(n) = cell.n {
        text += &format!(" of {}", grouped(n as usize));
    }
    text
}

fn foot(report: &Report, spread: bool) -> String {
    let machine = &report.machine;
    let load = machine.load.map_or(String::new(), |load| {
        format!(" The load average was {load:.2} when it started.")
    });
    let rough = match report.quick {
        true => {
            "**A quick run on small sizes: it shows that everything works, and nothing else.** "
        }
        false => "",
    };
    let range = if spread {
        ", in parentheses least and most"
    } else {
        ""
    };
    format!(
        "{rough}Nanoseconds an operation where nothing else is said; less is better. Medians of {}{range}; the last column is \
         how many times\nas much the best rival takes. On one P all have one CPU. On {} with {}, {}; {}.{load}\n",
        count(report.rounds, "interleaved round"),
        machine.cpu,
        count(machine.cpus_online, "CPU"),
        machine.kernel,
        machine.rustc,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rivals::line::tests::made_up;

    #[test]
    fn a_line_has_medians_spread_the_best_rival_and_a_note() {
        let text = tables(&made_up(), true, |_| true);
        let line = "| yield, 2 tasks | 11.0 (10.0..12.0) | 110.0 (100.0..130.0) | 1.00 of 20 000 | 10.0x Go |\n";
        assert!(text.contains(line), "{text}");
        assert!(
            text.contains("| 2 Ps | goroutines | Go | best rival |"),
            "{text}"
        );
        assert!(text.contains("- tokio is missing: no network\n"), "{text}");
        assert!(text.contains("3 interleaved rounds"), "{text}");
    }

    #[test]
    fn what_did_not_answer_is_told_once() {
        let mut report = made_up();
        report.lines[1].cells.push(Cell {
            who: "boost".to_owned(),
            samples: vec![1.0],
            ..Cell::default()
        });
        report.lines[1].procs = 1;
        let text = tables(&report, false, |_| true);
        assert!(text.contains("| - (1) | 10.0x Go |"), "{text}");
        assert!(
            text.contains("\n1. Boost.Fiber: failed: no end in 60 s\n"),
            "{text}"
        );
    }

    #[test]
    fn a_quick_run_says_what_it_is() {
        let mut report = made_up();
        assert!(!tables(&report, true, |_| true).contains("quick run"));
        report.quick = true;
        assert!(tables(&report, true, |_| true).contains("quick run"));
    }
}

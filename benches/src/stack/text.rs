//! The stack report for people.

use std::fmt::Write;

use super::child::Outcome;
use super::figure::Figure;
use super::report::{Line, Report};
use crate::report::head;
use crate::report::numbers::grouped;
use crate::report::table::Table;

const TABLE: Table = Table {
    name: 44,
    cells: &[12, 26],
};

/// What others need for a parked task. They were measured with programs of their own, on the same kind of machine as the
/// bounds of this report were set for; this program cannot run them.
const ELSEWHERE: [(&str, &str); 2] = [
    ("goroutine of Go 1.27", "2.75 KB"),
    ("task of tokio 1.54", "0.44 KB"),
];

/// The whole text.
pub fn render(report: &Report) -> String {
    let mut text = heading(report);
    let header = TABLE.row("", &["measured", "p10 .. p90"]);
    let _ = writeln!(text, "{header}   asked");
    for line in &report.scenarios {
        scenario(&mut text, line);
    }
    footing(&mut text, report);
    text
}

fn heading(report: &Report) -> String {
    let machine = &report.machine;
    let build = if report.look_ahead {
        "with the run queues' look-ahead; `--features no-lookahead` builds one without"
    } else {
        "WITHOUT the run queues' look-ahead (feature `no-lookahead`)"
    };
    let how = format!(
        "each scenario in a process of its own, {:.1} s in all{}; 1 KB is 1000 B",
        report.seconds,
        head::load(machine)
    );
    let mut lines = vec![("build", build.to_owned())];
    if let Some(bytes) = report.stack {
        lines.push(("stacks", format!("of at most {} B", grouped(bytes))));
    }
    lines.push(("measured", how));
    head::render("stack", machine, &lines)
}

fn scenario(text: &mut String, line: &Line) {
    let _ = writeln!(text, "{}", line.title);
    match &line.outcome {
        Outcome::Measured(figures) => {
            for figure in figures {
                let _ = writeln!(text, "{}", row(figure).trim_end());
            }
        }
        Outcome::Skipped(why) => {
            let _ = writeln!(text, "  skipped: {why}");
        }
        Outcome::Failed(why) => {
            let _ = writeln!(text, "  FAILED: {why}");
        }
    }
}

fn row(figure: &Figure) -> String {
    let verdict = if figure.falls_short() {
        "   FALLS SHORT"
    } else {
        ""
    };
    let cells = [&*figure.value_text(), &*figure.spread_text()];
    let row = TABLE.row(&format!("  {}", figure.name), &cells);
    format!("{row}   {}{verdict}", figure.bound_text())
}

fn footing(text: &mut String, report: &Report) {
    if report.scenarios.iter().any(Line::is_parked) {
        *text += "\nfor orientation: a parked one elsewhere, measured with other programs\n";
        for (what, bytes) in ELSEWHERE {
            let _ = writeln!(text, "{}", TABLE.row(&format!("  {what}"), &[bytes]));
        }
    }
    *text += "\n";
    if report.shortfalls.is_empty() {
        *text += "nothing falls short of what is asked\n";
    } else {
        let _ = writeln!(text, "falls short of what is asked:");
        for shortfall in &report.shortfalls {
            let _ = writeln!(text, "  {shortfall}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::machine::Machine;
    use crate::stack::figure::{Bound, Unit};
    use crate::stack::scenario::all;

    fn report(outcome: Outcome) -> Report {
        let lines = vec![Line::new(&all(true, None)[0], outcome)];
        Report::new(Machine::detect(), None, 1.0, lines)
    }

    fn figure(bytes: f64) -> Outcome {
        let figure = Figure::new("all in", bytes, Unit::Bytes).within(Bound::AtMost(5200.0));
        Outcome::Measured(vec![figure])
    }

    #[test]
    fn a_number_within_its_bound_stands_beside_it() {
        let text = render(&report(figure(4864.0)));
        assert!(
            text.contains("4864 B") && text.contains("at most 5200 B"),
            "{text}"
        );
        assert!(
            text.ends_with("nothing falls short of what is asked\n"),
            "{text}"
        );
        assert!(!text.contains("FALLS SHORT"), "{text}");
    }

    #[test]
    fn a_number_that_falls_short_is_marked_and_listed_at_the_end() {
        let text = render(&report(figure(5201.0)));
        assert!(text.contains("at most 5200 B   FALLS SHORT"), "{text}");
        assert!(
            text.ends_with("all in is 5201 B, asked is at most 5200 B\n"),
            "{text}"
        );
    }

    #[test]
    fn a_scenario_without_figures_says_why() {
        let skipped = report(Outcome::Skipped("no memory".to_owned()));
        assert!(render(&skipped).contains("skipped: no memory"));
        assert_eq!((skipped.failures(), skipped.shortfalls.len()), (0, 0));
        let failed = report(Outcome::Failed("signal: 6".to_owned()));
        assert!(render(&failed).contains("FAILED: signal: 6"));
        assert_eq!((failed.failures(), failed.shortfalls.len()), (1, 1));
    }
}

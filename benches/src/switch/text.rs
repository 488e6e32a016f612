//! The switch report for people: a table in plain text.

use std::fmt::Write;

use super::report::{Line, Report};
use super::row::Group;
use crate::cpu;
use crate::report::head;
use crate::report::numbers::{count, nanoseconds, times};
use crate::report::table::Table;

const TABLE: Table = Table {
    name: 44,
    cells: &[10, 20, 14],
};

/// The whole text.
pub fn render(report: &Report) -> String {
    let mut text = heading(report);
    let header = TABLE.row("", &["median", "p10 .. p90", "vs pthread"]);
    let _ = writeln!(text, "{header}");
    for group in Group::ALL {
        let lines = report.rows.iter().filter(|line| line.group == group);
        for (n, line) in lines.enumerate() {
            if n == 0 {
                let _ = writeln!(text, "{}", group.name());
            }
            let _ = writeln!(text, "{}", row(line));
        }
    }
    text + &footing(report)
}

fn heading(report: &Report) -> String {
    let machine = &report.machine;
    let cut = match report.rounds_planned {
        planned if planned > report.rounds => format!(" (of {planned} planned: the time was up)"),
        _ => String::new(),
    };
    let place = format!(
        "CPU {} of the allowed {}, threads and goroutines (one P) alike{}",
        report.cpu,
        cpu::ranges(&report.cpus_allowed),
        head::load(machine)
    );
    let how = format!(
        "{}{cut} of all rows in {:.1} s, their order shuffled each time; nanoseconds an operation, one way",
        count(report.rounds, "round"),
        report.seconds
    );
    head::render("switch", machine, &[("ran on", place), ("measured", how)])
}

fn row(line: &Line) -> String {
    let spread = format!(
        "{} .. {}",
        nanoseconds(line.summary.p10),
        nanoseconds(line.summary.p90)
    );
    let median = nanoseconds(line.summary.median);
    let cells = [&*median, &*spread, &*times(line.times_cheaper)];
    TABLE.row(&format!("  {}", line.name), &cells)
}

fn footing(report: &Report) -> String {
    let mut text = "\nvs pthread: how many times cheaper than the futex hand-over of two threads on the same core\n".to_owned();
    text += "\nfor orientation: what people quote          measured here\n";
    for quoted in &report.quoted {
        let lines = quoted.beside.iter().filter_map(|id| report.line(id));
        let measured: Vec<_> = lines
            .map(|line| format!("{} {}", short(line.name), nanoseconds(line.summary.median)))
            .collect();
        let claim = format!("  {} {} ns", quoted.what, quoted.nanoseconds);
        let _ = writeln!(text, "{claim:44}{}", measured.join(", "));
    }
    text
}

/// A name without its explanation.
fn short(name: &str) -> &str {
    name.split([',', '(']).next().unwrap_or(name).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switch::report::tests::made_up;

    #[test]
    fn every_row_has_a_line_with_its_median_and_its_ratio() {
        let report = made_up();
        let text = render(&report);
        for line in &report.rows {
            let found = text
                .lines()
                .find(|text| text.trim_start().starts_with(line.name))
                .unwrap();
            assert!(found.contains(&nanoseconds(line.summary.median)), "{found}");
            assert!(found.ends_with(&times(line.times_cheaper)), "{found}");
        }
    }

    #[test]
    fn all_numbers_end_in_the_same_columns() {
        let report = made_up();
        assert!(report.rows.iter().all(
            |line| row(line).chars().count() == TABLE.name + TABLE.cells.iter().sum::<usize>()
        ));
    }

    #[test]
    fn the_text_says_where_it_ran_and_what_is_quoted() {
        let report = made_up();
        let text = render(&report);
        assert!(
            text.contains(&report.machine.cpu) && text.contains("CPU 1 of the allowed 0-1"),
            "{text}"
        );
        assert!(
            text.contains("thread switch 1400 ns") && text.contains("goroutine switch 200 ns"),
            "{text}"
        );
    }

    #[test]
    fn a_run_that_was_cut_short_says_so() {
        let mut report = made_up();
        assert!(!render(&report).contains("planned"));
        report.rounds_planned = 10;
        assert!(render(&report).contains("3 rounds (of 10 planned: the time was up) of all rows"));
    }
}

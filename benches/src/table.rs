//! The report for people: a table in plain text.

use std::fmt::Write;

use crate::cpu;
use crate::report::{Line, Report, nanoseconds, times};
use crate::rows::Group;

/// The widest name plus the indentation before it.
const NAME: usize = 44;

/// The whole text.
pub fn render(report: &Report) -> String {
    let mut text = heading(report);
    let _ = writeln!(
        text,
        "{:NAME$}{:>10}{:>20}{:>14}",
        "", "median", "p10 .. p90", "vs pthread"
    );
    for group in Group::ALL {
        let _ = writeln!(text, "{}", group.name());
        for line in report.rows.iter().filter(|line| line.group == group) {
            let _ = writeln!(text, "{}", row(line));
        }
    }
    text + &footing(report)
}

fn heading(report: &Report) -> String {
    let machine = &report.machine;
    let guest = if machine.virtual_machine {
        ", in a virtual machine"
    } else {
        ""
    };
    let load = machine.load.map_or(String::new(), |load| {
        format!("; load {load:.2} when it started")
    });
    let mut text = format!(
        "goroutines: the switch report\n\n  machine   {}, {}{guest}\n",
        machine.cpu,
        count(machine.cpus_online, "CPU")
    );
    let _ = writeln!(text, "  software  {}; {}", machine.kernel, machine.rustc);
    let allowed = cpu::ranges(&report.cpus_allowed);
    let _ = writeln!(
        text,
        "  ran on    CPU {} of the allowed {allowed}, threads and goroutines (one P) alike{load}",
        report.cpu
    );
    let cut = match report.rounds_planned {
        planned if planned > report.rounds => format!(" (of {planned} planned: the time was up)"),
        _ => String::new(),
    };
    let _ = writeln!(
        text,
        "  measured  {}{cut} of all rows in {:.1} s, their order shuffled each time; nanoseconds an operation, one way\n",
        count(report.rounds, "round"),
        report.seconds
    );
    if !machine.optimised {
        text += "  NOT OPTIMISED: this is a debug build, its numbers mean nothing. Use `cargo run --release`.\n\n";
    }
    text
}

fn row(line: &Line) -> String {
    let spread = format!(
        "{} .. {}",
        nanoseconds(line.summary.p10),
        nanoseconds(line.summary.p90)
    );
    let median = nanoseconds(line.summary.median);
    format!(
        "{:NAME$}{median:>10}{spread:>20}{:>14}",
        format!("  {}", line.name),
        times(line.times_cheaper)
    )
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

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::made_up;

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
        assert!(
            report
                .rows
                .iter()
                .all(|line| row(line).chars().count() == NAME + 10 + 20 + 14)
        );
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
    fn a_debug_build_says_that_its_numbers_mean_nothing() {
        let mut report = made_up();
        report.machine.optimised = false;
        assert!(render(&report).contains("NOT OPTIMISED"));
        report.machine.optimised = true;
        assert!(!render(&report).contains("NOT OPTIMISED"));
    }

    #[test]
    fn a_run_that_was_cut_short_says_so() {
        let mut report = made_up();
        assert!(!render(&report).contains("planned"));
        report.rounds_planned = 10;
        assert!(render(&report).contains("3 rounds (of 10 planned: the time was up) of all rows"));
    }

    #[test]
    fn nouns_are_counted() {
        assert_eq!(
            (count(1, "round"), count(2, "CPU")),
            ("1 round".to_owned(), "2 CPUs".to_owned())
        );
    }
}

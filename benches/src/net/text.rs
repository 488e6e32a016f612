//! The net report for people.

use super::Report;
use super::contender::RAW;
use super::row::{Figure, Row};
use crate::report::head;
use crate::report::table::Table;

const TABLE: Table = Table {
    name: 48,
    cells: &[11, 10, 7, 8, 7, 9, 9, 9, 9, 9, 7],
};

const COLUMNS: [&str; 11] = [
    "who", "ops/s", "x raw", "CPU us", "x raw", "p50", "p99", "p99.9", "max", "bytes", "calls",
];

pub(super) fn render(report: &Report) -> String {
    let how = format!(
        "medians of {} interleaved rounds, {} ms each{}",
        report.rounds,
        report.plan.sample.as_millis(),
        head::load(&report.machine)
    );
    let units =
        "CPU us: of the server, an operation; p50 to max: us that a client waits".to_owned();
    let mut text = head::render(
        "net",
        &report.machine,
        &[("measured", how), ("units", units)],
    );
    text += &line("what", &COLUMNS.map(str::to_owned));
    let mut last = "";
    for row in &report.rows {
        let raw = report
            .rows
            .iter()
            .find(|other| other.name == row.name && other.who == RAW);
        let name = if row.name == last { "" } else { &row.name };
        last = &row.name;
        text += &line(name, &cells(row, raw));
        text += &calls(row);
    }
    text
}

/// A line that tells the system calls apart; nothing if they were not counted.
fn calls(row: &Row) -> String {
    let Some(sample) = row.samples.last().filter(|one| !one.by_name.is_empty()) else {
        return String::new();
    };
    let each = sample.by_name.iter();
    let each: Vec<String> = each
        .map(|(name, calls)| format!("{calls:.2} {name}"))
        .collect();
    format!("    of these: {}\n", each.join(", "))
}

fn line(name: &str, cells: &[String; 11]) -> String {
    let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
    TABLE.row(name, &cells).trim_end().to_owned() + "\n"
}

fn cells(row: &Row, raw: Option<&Row>) -> [String; 11] {
    let median = |figure: Figure, digits: usize| {
        let median = row.summary(figure).map(|summary| summary.median);
        median.map_or("-".to_owned(), |median| format!("{median:.digits$}"))
    };
    let ratio = |figure: Figure| {
        let ratio = raw.and_then(|raw| row.ratio(raw, figure));
        ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"))
    };
    [
        row.who.clone(),
        median(|sample| sample.rate, 0),
        ratio(|sample| sample.rate),
        median(|sample| sample.processor, 2),
        ratio(|sample| sample.processor),
        median(|sample| sample.p50, 1),
        median(|sample| sample.p99, 1),
        median(|sample| sample.p999, 1),
        median(|sample| sample.max, 0),
        median(|sample| sample.bytes, 0),
        median(|sample| sample.calls, 2),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tests::made_up;

    #[test]
    fn every_row_is_there_with_its_ratio_to_the_raw_loop() {
        let text = render(&made_up());
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("goroutines "))
            .collect();
        let cells: Vec<&str> = lines[0].split_whitespace().collect();
        assert_eq!(
            cells,
            [
                "goroutines",
                "3000",
                "2.00",
                "3.00",
                "1.00",
                "-",
                "-",
                "-",
                "-",
                "-",
                "-"
            ]
        );
        for row in made_up().rows {
            assert!(text.contains(&row.name), "{}: {text}", row.name);
        }
    }
}

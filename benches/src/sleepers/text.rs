//! The sleepers report for people.

use super::Report;
use super::scenario::Line;
use crate::report::head;
use crate::report::table::Table;

const TABLE: Table = Table {
    name: 34,
    cells: &[10; 6],
};

/// Everything above the rows.
pub(super) fn head(report: &Report) -> String {
    let how = format!(
        "one sleep each of 0 to {} ms, on {} Ps; processor time in ns each, lateness in microseconds{}",
        report.size.longest.as_millis(),
        report.procs,
        head::load(&report.machine)
    );
    let head = head::render("sleepers", &report.machine, &[("measured", how)]);
    let columns = ["count", "CPU ns", "p50", "p99", "p99.9", "max"];
    head + &TABLE.row("sleepers", &columns) + "\n"
}

/// One row.
pub(super) fn row(line: &Line) -> String {
    let count = line.count.map_or(String::new(), |count| count.to_string());
    let processor = format!("{:.0}", line.processor);
    let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(|share| at(&line.late, share));
    let cells = [&*count, &processor, &p50, &p99, &p999, &max];
    TABLE.row(line.name, &cells).trim_end().to_owned() + "\n"
}

/// The sample at the fraction `share` of them, empty if there are none.
fn at(late: &[u32], share: f64) -> String {
    let place = late.len().saturating_sub(1) as f64 * share;
    late.get(place as usize)
        .map_or(String::new(), u32::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_sleepers_has_no_lateness() {
        let line = Line {
            name: "park and unpark",
            count: None,
            processor: 251.4,
            late: Vec::new(),
        };
        assert_eq!(row(&line).split_whitespace().last(), Some("251"));
    }

    #[test]
    fn lateness_is_told_from_the_median_to_the_worst() {
        let line = Line {
            name: "goroutines",
            count: Some(1001),
            processor: 1.0,
            late: (0..=1000).collect(),
        };
        let row = row(&line);
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(
            cells,
            ["goroutines", "1001", "1", "500", "990", "999", "1000"]
        );
    }
}

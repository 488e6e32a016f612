//! The latency report for people.

use super::{Line, Report};
use crate::report::head;
use crate::report::table::Table;

const TABLE: Table = Table {
    name: 62,
    cells: &[8, 10, 10, 10, 10],
};

/// Everything above the rows.
pub(super) fn head(report: &Report) -> String {
    let how = format!(
        "{} ticks or wakes a row, on 2 Ps and with OS threads; how late, in microseconds{}",
        report.samples,
        head::load(&report.machine)
    );
    let head = head::render("latency", &report.machine, &[("measured", how)]);
    let columns = ["who", "p50", "p99", "p99.9", "max"];
    head + &TABLE.row("what, and beside whom", &columns) + "\n"
}

/// One row.
pub(super) fn row(line: &Line) -> String {
    let [p50, p99, p999, max] =
        [0.5, 0.99, 0.999, 1.0].map(|share| format!("{:.1}", line.late.at(share) as f64 / 1000.0));
    TABLE.row(&line.name, &[line.who, &p50, &p99, &p999, &max]) + "\n"
}

//! The scaling report for people.

use super::costs::{Costs, US};
use super::scenario::Chart;
use super::{Checked, Curve, limits};
use crate::report::head;
use crate::report::machine::Machine;
use crate::report::table::Table;

const TABLE: Table = Table {
    name: 44,
    cells: &[8, 12, 12, 24],
};

const CHECKS: Table = Table {
    name: 34,
    cells: &[8, 10, 10, 12, 12],
};

/// Above everything.
pub(super) fn head(machine: &Machine, costs: &Costs) -> String {
    let lines = [("model of", costs.name.to_owned())];
    head::render("scaling", machine, &lines)
}

/// A chart as a table.
pub(super) fn chart(chart: &Chart, curves: &[Curve]) -> String {
    let columns = ["Ps", "million/s", "ns a P", "busiest"];
    let mut text = TABLE.row(&format!("{}, {}", chart.title, chart.unit), &columns) + "\n";
    for curve in curves {
        for point in &curve.points {
            let busiest = match point.share {
                share if share < 0.005 => "-".to_owned(),
                share => format!("{} {:.0} %", point.busiest, share * 100.0),
            };
            let cells = [
                &*point.procs.to_string(),
                &format!("{:.2}", point.rate),
                &format!("{:.1}", point.nanoseconds() * point.procs as f64),
                &busiest,
            ];
            text += &(TABLE.row(curve.name, &cells) + "\n");
        }
    }
    text + "\n"
}

/// The limits of sysmon.
pub(super) fn limits(costs: &Costs) -> String {
    let microseconds = |time: u64| time as f64 / US as f64;
    let look = microseconds(limits::look(costs, 128));
    let takes = microseconds(limits::takes(costs, 128, false));
    let batched = microseconds(limits::takes(costs, 128, true));
    format!(
        "sysmon, 128 Ps: one look {look:.0} us; to take every P {takes:.0} us, with one barrier for all {batched:.0} us.\n\
         It takes all within 5 ms up to {} Ps, with one barrier up to {} Ps; CPUs lose {:.1} % to its barriers at 128 Ps.\n\n",
        limits::most_taken(costs, false) - 1,
        limits::most_taken(costs, true) - 1,
        limits::barrier_share(costs, 128) * 100.0
    )
}

/// Above the rows of the check.
pub(super) fn check_head() -> String {
    let columns = ["Ps", "measured", "model", "measured/1P", "model/1P"];
    CHECKS.row("ns an operation", &columns) + "\n"
}

/// One row of it.
pub(super) fn check(row: &Checked) -> String {
    let cells = [
        &*row.procs.to_string(),
        &format!("{:.1}", row.measured),
        &format!("{:.1}", row.model),
        &format!("{:.2}", row.measured / row.measured_on_one),
        &format!("{:.2}", row.model / row.model_on_one),
    ];
    CHECKS.row(row.name, &cells) + "\n"
}

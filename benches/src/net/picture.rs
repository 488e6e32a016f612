//! The net report as a picture.

use super::Report;
use super::contender::RAW;
use super::row::Row;
use crate::report::chart::{Bar, Chart};

/// Colours that stay apart for the colour-blind: the raw loop, goroutines, the others.
const GROUPS: [(&str, [u8; 3]); 3] = [
    ("raw loop", [0, 158, 115]),
    ("goroutines", [0, 114, 178]),
    ("others", [213, 94, 0]),
];

/// A chart with a bar for the processor time of each row that has one.
pub(super) fn chart(report: &Report) -> Chart {
    let machine = &report.machine;
    Chart {
        title: "What serving connections costs",
        subtitle: format!(
            "{}; {}; medians of {} interleaved rounds",
            machine.cpu, machine.kernel, report.rounds
        ),
        groups: GROUPS.into(),
        note: "whisker: 10th to 90th percentile",
        axis: "processor time of the server, microseconds an operation (logarithmic)",
        bars: report.rows.iter().filter_map(bar).collect(),
        reference: None,
    }
}

fn bar(row: &Row) -> Option<Bar> {
    let summary = row.summary(|sample| sample.processor)?;
    // The axis is logarithmic: too few operations took no time.
    if summary.min <= 0.0 {
        return None;
    }
    let group = match row.who.as_str() {
        RAW => 0,
        "goroutines" => 1,
        _ => 2,
    };
    Some(Bar {
        name: format!("{}: {}", row.name, row.who),
        group,
        value: summary.median,
        spread: (summary.p10, summary.p90),
        label: format!("{:.2} us", summary.median),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tests::made_up;
    use crate::report::chart::render;

    #[test]
    fn the_picture_names_every_row() {
        let report = made_up();
        let svg = render(&chart(&report)).unwrap();
        for row in &report.rows {
            assert!(svg.contains(&row.name), "{}", row.name);
        }
    }
}

//! The switch report as a picture.

use super::report::{Line, Report};
use super::row::{Group, REFERENCE};
use crate::report::chart::{Bar, Chart};
use crate::report::numbers::{nanoseconds, times};

/// Colours that stay apart for the colour-blind.
const fn colour(group: Group) -> [u8; 3] {
    match group {
        Group::Goroutines => [0, 114, 178],
        Group::Corosensei => [0, 158, 115],
        Group::Threads => [213, 94, 0],
    }
}

/// A chart with a bar for each row.
pub fn chart(report: &Report) -> Chart {
    let machine = &report.machine;
    let guest = if machine.virtual_machine {
        " (virtual machine)"
    } else {
        ""
    };
    Chart {
        title: "What a switch costs",
        subtitle: format!(
            "{}{guest}, everything on CPU {}; {}; {}; median of {} rounds",
            machine.cpu,
            report.cpu,
            machine.kernel,
            short_version(&machine.rustc),
            report.rounds
        ),
        groups: Group::ALL.map(|group| (group.name(), colour(group))).into(),
        note: "whisker: 10th to 90th percentile; 2.0x: twice as cheap as the futex hand-over (dashed line)",
        axis: "nanoseconds an operation, one way (logarithmic)",
        bars: report.rows.iter().map(bar).collect(),
        reference: report.line(REFERENCE).map(|line| line.summary.median),
    }
}

fn bar(line: &Line) -> Bar {
    let place = Group::ALL.iter().position(|group| *group == line.group);
    Bar {
        name: line.name.to_owned(),
        group: place.expect("all groups are listed"),
        value: line.summary.median,
        spread: (line.summary.p10, line.summary.p90),
        label: value(line),
    }
}

fn value(line: &Line) -> String {
    let median = nanoseconds(line.summary.median);
    if line.id == REFERENCE {
        return format!("{median} ns");
    }
    format!("{median} ns, {}", times(line.times_cheaper))
}

/// `rustc 1.95.0` without commit and date.
fn short_version(rustc: &str) -> &str {
    rustc.split(" (").next().unwrap_or(rustc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::chart::render;
    use crate::switch::report::tests::made_up;

    #[test]
    fn the_picture_names_every_row_and_its_value() {
        let report = made_up();
        let svg = render(&chart(&report)).unwrap();
        for line in &report.rows {
            assert!(svg.contains(line.name), "{}", line.name);
            assert!(svg.contains(&value(line)), "{}", line.name);
        }
        for group in Group::ALL {
            assert!(svg.contains(group.name()), "{group:?}");
        }
    }
}

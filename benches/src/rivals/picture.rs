//! The report as a picture: how many times as much the best rival takes.

use super::line::{Line, Report};
use super::markdown::label;
use crate::report::chart::{Bar, Chart};
use crate::report::numbers::{count, times};

/// Colours that stay apart for the colour-blind.
const GROUPS: [(&str, [u8; 3]); 2] = [
    ("goroutines take less", [0, 114, 178]),
    ("a rival takes less", [213, 94, 0]),
];

/// A chart with a bar for each line that has a rival.
pub(super) fn chart(report: &Report) -> Chart {
    let machine = &report.machine;
    Chart {
        title: "Goroutines and the best rival",
        subtitle: format!(
            "{}; {}; medians of {}",
            machine.cpu,
            machine.kernel,
            count(report.rounds, "interleaved round")
        ),
        groups: GROUPS.into(),
        note: "whisker: least to most",
        axis: "how many times as much the best rival takes (logarithmic)",
        bars: report.lines.iter().filter_map(bar).collect(),
        reference: Some(1.0),
    }
}

fn bar(line: &Line) -> Option<Bar> {
    let best = line.best().filter(|best| best.spread.0 > 0.0)?;
    Some(Bar {
        name: format!("{}, {}", line.title, count(line.procs, "P")),
        group: usize::from(best.times < 1.0),
        value: best.times,
        spread: best.spread,
        label: format!("{} {}", times(best.times), label(&best.who)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::chart::render;
    use crate::rivals::line::tests::made_up;

    #[test]
    fn the_picture_has_a_bar_for_each_line_and_tells_who_is_ahead() {
        let chart = chart(&made_up());
        let groups: Vec<usize> = chart.bars.iter().map(|bar| bar.group).collect();
        assert_eq!(groups, [0, 1]);
        let svg = render(&chart).unwrap();
        for text in [
            "yield, 2 tasks, 1 P",
            "10.0x Go",
            "unbuffered message, 2 Ps",
            "0.50x Go",
        ] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
    }
}

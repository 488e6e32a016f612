//! The rows: what the contenders are asked for.

/// A workload, in one process a sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// The word for the contender.
    pub(super) word: &'static str,
    /// How many tasks, pairs or leaves.
    pub(super) size: u64,
    /// The same for `--quick`.
    pub(super) quick: u64,
    pub(super) title: &'static str,
    pub(super) procs: &'static [usize],
    /// Names in the contender's answer, and what follows the title: less is better in all.
    pub(super) figures: &'static [(&'static str, &'static str)],
    /// In how many rounds at most: some take many seconds.
    pub(super) rounds: usize,
}

const NS: &[(&str, &str)] = &[("ns", "ns")];
const ONE: &[usize] = &[1];
const TWO: &[usize] = &[2];
const BOTH: &[usize] = &[1, 2];
const LATE: &[(&str, &str)] = &[("p99_us", "p99 late, us"), ("max_us", "latest, us")];
const SLEEPERS: &[(&str, &str)] = &[
    ("cpu_ns", "CPU each, ns"),
    ("p99_us", "p99 late, us"),
    ("max_us", "latest, us"),
];

const fn row(word: &'static str, size: u64, title: &'static str, procs: &'static [usize]) -> Row {
    Row {
        word,
        size,
        quick: size,
        title,
        procs,
        figures: NS,
        rounds: usize::MAX,
    }
}

/// One that takes seconds.
const fn large(row: Row, figures: &'static [(&'static str, &'static str)], rounds: usize) -> Row {
    Row {
        figures,
        rounds,
        quick: if row.size > 100 {
            row.size / 100
        } else {
            row.size
        },
        ..row
    }
}

/// All of them, in the order of the report.
pub(super) const ROWS: [Row; 27] = [
    row("switch", 1, "switch without a scheduler", ONE),
    row("yield", 2, "yield, 2 tasks", BOTH),
    row("yield", 10, "yield, 10 tasks", ONE),
    row("yield", 1000, "yield, 1000 tasks", BOTH),
    row("yield", 10_000, "yield, 10 000 tasks", BOTH),
    large(row("yield", 100_000, "yield, 100 000 tasks", ONE), NS, 3),
    large(
        row("yield", 1_000_000, "yield, a million tasks", ONE),
        NS,
        1,
    ),
    row("pairs", 1, "unbuffered message", BOTH),
    row("pairs", 500, "unbuffered message, 500 pairs", ONE),
    row("pairs", 5000, "unbuffered message, 5000 pairs", ONE),
    large(
        row("pairs", 50_000, "unbuffered message, 50 000 pairs", ONE),
        NS,
        3,
    ),
    large(
        row("pairs", 500_000, "unbuffered message, 500 000 pairs", ONE),
        NS,
        1,
    ),
    row("buffered", 1, "buffered message, capacity 128", BOTH),
    row("fanin", 1, "fan-in, 100 senders, capacity 128", BOTH),
    row("select4", 1, "select over 4 channels", BOTH),
    row("mutex", 1, "mutex, 100 tasks", BOTH),
    row("spawn", 1000, "spawn and join, 1000 at once", BOTH),
    large(
        row(
            "spawn",
            1_000_000,
            "spawn and join, a million at once",
            BOTH,
        ),
        NS,
        2,
    ),
    large(row("skynet", 1_000_000, "skynet, a leaf", BOTH), NS, 2),
    large(row("forkjoin", 1 << 17, "fork-join, a leaf", BOTH), NS, 3),
    row(
        "timers",
        1,
        "receive with a timeout that is cancelled",
        BOTH,
    ),
    large(
        row("parked", 1_000_000, "spawn and park a million", TWO),
        &[("ns", "ns each"), ("bytes", "bytes each")],
        2,
    ),
    large(row("sleepers", 20_000, "20 000 sleepers", TWO), SLEEPERS, 3),
    large(
        row("sleepers", 200_000, "200 000 sleepers", TWO),
        SLEEPERS,
        2,
    ),
    large(
        row("naps", 1, "one that sleeps 1 ms", TWO),
        &[("cpu_us", "CPU a wake, us")],
        3,
    ),
    large(
        row("blockers", 8, "1 ms ticker beside 8 blocked threads", TWO),
        LATE,
        3,
    ),
    large(row("loops", 4, "1 ms ticker beside 4 loops", TWO), LATE, 3),
];

/// The name of a line: of a row's figure.
pub(super) fn line_title(row: &Row, what: &str) -> String {
    match what {
        "ns" => row.title.to_owned(),
        what => format!("{}: {what}", row.title),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_a_name_of_its_own_and_a_quick_size() {
        let mut names = Vec::new();
        for row in &ROWS {
            assert!((1..=row.size).contains(&row.quick), "{row:?}");
            names.extend(row.figures.iter().map(|(_, what)| line_title(row, what)));
        }
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}

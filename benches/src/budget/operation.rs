//! The operations that have a budget.

use super::workload;

/// Where nothing goes by the clock, counts repeat to a few parts in a thousand.
const BAND: f64 = 0.02;

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    pub(super) name: &'static str,
    pub(super) procs: usize,
    /// Does so many of it, on a goroutine.
    pub(super) run: fn(u64),
    /// The lengths of the two runs whose difference is counted.
    pub(super) lengths: [u64; 2],
    /// Which part of the recorded value the counted one may be above it.
    pub(super) band: f64,
    /// Why that is more than for the others.
    pub(super) why: &'static str,
    /// Whether it works on more memory than the first-level cache holds, so that its misses are the lines it touches.
    pub(super) cold: bool,
}

impl Operation {
    /// How the report and `--only` call it.
    pub(super) fn title(&self) -> String {
        format!(
            "{}, {} P{}",
            self.name,
            self.procs,
            if self.procs == 1 { "" } else { "s" }
        )
    }

    /// All of them, in the order of the report.
    pub(super) fn all() -> Vec<Operation> {
        let mut all = Vec::new();
        for procs in [1, 2] {
            all.extend(warm(procs));
        }
        all.extend(by_the_clock());
        all.extend(cold());
        all
    }
}

fn of(name: &'static str, procs: usize, run: fn(u64)) -> Operation {
    let (band, why) = match procs {
        1 => (BAND, ""),
        _ => (0.05, "which M runs what goes by the clock"),
    };
    Operation {
        name,
        procs,
        run,
        lengths: [10_000, 60_000],
        band,
        why,
        cold: false,
    }
}

/// Few goroutines, whose memory stays in the cache.
fn warm(procs: usize) -> Vec<Operation> {
    vec![
        of("yield", procs, workload::yields),
        of("unbuffered message", procs, workload::unbuffered),
        of("buffered message", procs, workload::buffered),
        of("spawn and join", procs, workload::spawn),
        of("spawn and join, 1000 at once", procs, workload::spawn_1000),
        of("mutex, free", procs, workload::mutex_free),
        of("select of 4, ready", procs, workload::select_ready),
        of("select of 4, waits", procs, workload::select_waits),
        of(
            "receive with a timer that is cancelled",
            procs,
            workload::timer_cancelled,
        ),
        of("OnceLock, filled", procs, workload::once),
        of("RwLock, free, read", procs, workload::read),
        of("RwLock, free, write", procs, workload::write),
        of("join of two closures", procs, workload::fork_join),
    ]
}

/// On one P only: with two, the clock decides most of it.
fn by_the_clock() -> [Operation; 2] {
    let of = |name, run, band, why| Operation {
        band,
        why,
        ..of(name, 1, run)
    };
    [
        of(
            "mutex, contended, with two yields",
            workload::mutex_contended,
            0.25,
            "a waiter starves after 1 ms, and is then served in turn",
        ),
        of(
            "sleep among 100 that are due",
            workload::sleeps,
            0.1,
            "how many are due at once goes by the clock",
        ),
    ]
}

/// So many goroutines that each finds its memory out of the cache.
fn cold() -> Vec<Operation> {
    let of = |name, run| Operation {
        lengths: [20_000, 60_000],
        band: 0.15,
        why: "sysmon asks for fair rounds and gives memory back by the clock",
        cold: true,
        ..of(name, 1, run)
    };
    vec![
        of("yield among 1000", workload::yields_1000),
        of(
            "unbuffered message and yield, 500 pairs",
            workload::unbuffered_500,
        ),
        of("spawn and join, 10 000 at once", workload::spawn_10_000),
    ]
}

//! What is simulated: charts, each of some curves, and what is also measured on this machine.

use super::costs::{Costs, Design, US};
use super::load::Kind;
use super::run::{Outcome, simulate};

/// One curve: a workload, on a design of the scheduler.
#[derive(Clone)]
pub struct Series {
    /// In the legend.
    pub name: &'static str,
    /// What differs from the scheduler as it is.
    pub design: Design,
    /// The workload on so many Ps.
    pub kind: fn(usize) -> Kind,
    /// How many operations a P, at least so many that a curve is smooth.
    pub operations: u64,
}

/// Curves in one picture.
#[derive(Clone)]
pub struct Chart {
    /// The name of the file, and for `--only`.
    pub name: &'static str,
    /// Above the picture.
    pub title: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// The curves.
    pub series: Vec<Series>,
}

/// The numbers of Ps.
pub const PROCS: [usize; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// For `--quick`.
pub const FEW_PROCS: [usize; 2] = [1, 4];

fn today(name: &'static str, operations: u64, kind: fn(usize) -> Kind) -> Series {
    Series {
        name,
        design: Design::TODAY,
        kind,
        operations,
    }
}

fn with(design: Design, series: Series) -> Series {
    Series { design, ..series }
}

/// All charts.
pub fn charts() -> Vec<Chart> {
    vec![yields(), fan_out(), messages(), echo(), interrupts()]
}

fn yields() -> Chart {
    let much = |name| today(name, 40_000, |procs| Kind::Yield(2000 * procs));
    let ring = Design {
        ring: 16_384,
        ..Design::TODAY
    };
    let queues = Design {
        queue_of: 8,
        ..Design::TODAY
    };
    Chart {
        name: "yield",
        title: "Yields",
        unit: "yields",
        series: vec![
            today("100 goroutines a P", 10_000, |procs| {
                Kind::Yield(100 * procs)
            }),
            much("2000 a P"),
            with(queues, much("2000 a P, a global queue for each 8 Ps")),
            with(ring, much("2000 a P, rings of 16 384")),
        ],
    }
}

fn fan_out() -> Chart {
    let long = |name| today(name, 600, |procs| Kind::FanOut(64 * procs, 10 * US));
    let spinners = |spinners| Design {
        spinners,
        ..Design::TODAY
    };
    let victims = Design {
        victims: 16,
        ..Design::TODAY
    };
    Chart {
        name: "fan-out",
        title: "Fan-out: one goroutine spawns 64 for each P, and joins them",
        unit: "goroutines",
        series: vec![
            today("of 1 us", 2000, |procs| Kind::FanOut(64 * procs, US)),
            long("of 10 us"),
            with(spinners(4), long("of 10 us, four spinners")),
            // It is slow to simulate: the spawner wakes an M for each goroutine.
            Series {
                operations: 64,
                ..with(spinners(16), long("of 10 us, sixteen spinners"))
            },
            with(victims, long("of 10 us, at most 16 victims")),
        ],
    }
}

fn messages() -> Chart {
    Chart {
        name: "messages",
        title: "Messages",
        unit: "messages",
        series: vec![
            today("a pair on each P", 8000, Kind::Pairs),
            today("a pair on every second P", 8000, |procs| {
                Kind::Pairs(procs.div_ceil(2))
            }),
            today("across Ps: one channel, 4 + 4 on each P", 4000, |procs| {
                Kind::OneChannel(4 * procs)
            }),
        ],
    }
}

fn echo() -> Chart {
    let many = |name| today(name, 1500, |procs| Kind::Echo(64 * procs));
    let few = |name| today(name, 1000, |procs| Kind::Echo(4 * procs));
    let polls = Design {
        polls: 8,
        ..Design::TODAY
    };
    let barrier = Design {
        barrier_at_rest: true,
        ..Design::TODAY
    };
    Chart {
        name: "echo",
        title: "Echo",
        unit: "answers",
        series: vec![
            many("64 connections a P"),
            with(polls, many("64 a P, eight epolls")),
            few("4 a P"),
            with(barrier, few("4 a P, a barrier at each rest")),
        ],
    }
}

fn interrupts() -> Chart {
    Chart {
        name: "interrupts",
        title: "Yields of goroutines that give pages back",
        unit: "yields",
        series: vec![
            today("never", 10_000, |procs| Kind::Yield(10 * procs)),
            today("once in 1000 yields", 10_000, |procs| {
                Kind::Deep(10 * procs, 1000)
            }),
            today("once in 100 yields", 2000, |procs| {
                Kind::Deep(10 * procs, 100)
            }),
        ],
    }
}

impl Series {
    /// The curve on `costs`; with `quick`, of few operations.
    pub fn simulate(&self, costs: &Costs, procs: &[usize], quick: bool) -> Vec<Outcome> {
        let operations = self.operations / if quick { 50 } else { 1 };
        let run = |&procs: &usize| {
            let all = operations * procs as u64;
            simulate(costs, self.design, procs, (self.kind)(procs), all, SEED)
        };
        procs.iter().map(run).collect()
    }
}

/// Every run draws the same numbers.
pub const SEED: u64 = 1;

/// A workload that is also measured.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// What it is.
    pub name: &'static str,
    /// The same on each number of Ps.
    pub kind: Kind,
    /// On so many Ps.
    pub procs: &'static [usize],
    /// How many operations are simulated.
    pub operations: u64,
}

/// What is measured and simulated on a machine with two CPUs.
pub const CHECKS: [Check; 5] = [
    Check {
        name: "yield, 10 000 goroutines",
        kind: Kind::Yield(10_000),
        procs: &[1, 2, 4, 16, 64],
        operations: 2_000_000,
    },
    Check {
        name: "yield, 1000 goroutines",
        kind: Kind::Yield(1000),
        procs: &[1, 2, 4, 16, 64],
        operations: 400_000,
    },
    Check {
        name: "unbuffered message, one pair",
        kind: Kind::Pairs(1),
        procs: &[1, 2],
        operations: 20_000,
    },
    Check {
        name: "message on one channel, 50 + 50",
        kind: Kind::OneChannel(50),
        procs: &[1, 2, 4],
        operations: 100_000,
    },
    Check {
        name: "spawn and join 1000",
        kind: Kind::FanOut(1000, 0),
        procs: &[1, 2, 4, 16],
        operations: 100_000,
    },
];

impl Check {
    /// What the model says an operation takes on this machine, in nanoseconds.
    pub fn simulate(&self, procs: usize, quick: bool) -> f64 {
        let operations = self.operations / if quick { 100 } else { 1 };
        let costs = Costs::here();
        simulate(&costs, Design::TODAY, procs, self.kind, operations, SEED).nanoseconds()
    }
}

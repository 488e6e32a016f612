//! Fork-join beside rayon's, in one process and in turns: the Fibonacci numbers, each call a fork, and a tree whose leaves
//! compute for about a microsecond. Prints medians in nanoseconds a fork, and the ratio.
//!
//! `cargo bench -p goroutines-benches --bench join -- [--procs N] [--rounds N] [--quick]`

use std::{hint::black_box, time::Instant};

use goroutines::{Config, go};

/// Steps of a leaf that computes for about a microsecond.
const STEPS: u64 = 600;

struct Case {
    name: &'static str,
    forks: u64,
    ours: fn() -> u64,
    rayons: fn() -> u64,
}

macro_rules! workloads {
    ($module:ident, $join:path) => {
        mod $module {
            pub(crate) fn fib(n: u64) -> u64 {
                if n < 2 {
                    return n;
                }
                let (a, b) = $join(|| fib(n - 1), || fib(n - 2));
                a + b
            }

            pub(crate) fn tree(leaves: u64) -> u64 {
                if leaves == 1 {
                    return super::leaf(leaves);
                }
                let half = leaves / 2;
                let (a, b) = $join(|| tree(half), || tree(leaves - half));
                a.wrapping_add(b)
            }

            pub(crate) fn pairs(count: u64) -> u64 {
                (0..count).fold(0, |sum, i| {
                    let (a, b) = $join(|| super::leaf(i), || super::leaf(i + 1));
                    sum.wrapping_add(a).wrapping_add(b)
                })
            }
        }
    };
}

workloads!(ours, goroutines::join);
workloads!(rayons, rayon::join);

/// Each step needs the one before, so that the compiler finds no shorter way.
fn leaf(seed: u64) -> u64 {
    let mut x = black_box(seed) | 1;
    for _ in 0..STEPS {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

const CASES: &[Case] = &[
    Case {
        name: "fib(25), a fork each call",
        forks: 242_784,
        ours: || ours::fib(25),
        rayons: || rayons::fib(25),
    },
    Case {
        name: "fib(30), a fork each call",
        forks: 2_692_536,
        ours: || ours::fib(30),
        rayons: || rayons::fib(30),
    },
    Case {
        name: "tree of 65536 leaves of 1 us",
        forks: 65_535,
        ours: || ours::tree(65_536),
        rayons: || rayons::tree(65_536),
    },
    Case {
        name: "20000 pairs of 1 us in a row",
        forks: 20_000,
        ours: || ours::pairs(20_000),
        rayons: || rayons::pairs(20_000),
    },
];

/// Nanoseconds a fork, and the result.
fn timed(case: &Case, run: fn() -> u64) -> (f64, u64) {
    let begin = Instant::now();
    let result = run();
    (
        begin.elapsed().as_nanos() as f64 / case.forks as f64,
        result,
    )
}

fn on_goroutine(case: &'static Case) -> (f64, u64) {
    match go(|| timed(case, case.ours)).join() {
        Ok(timed) => timed,
        Err(_) => unreachable!("the workloads do not panic"),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The number behind `flag`, or `default`.
fn number(flag: &str, default: usize) -> usize {
    let mut args = std::env::args().skip_while(|arg| arg != flag).skip(1);
    args.next().map_or(default, |value| match value.parse() {
        Ok(value) => value,
        Err(error) => panic!("{flag} {value}: {error}; give a number"),
    })
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let procs = number(
        "--procs",
        std::thread::available_parallelism().map_or(1, usize::from),
    );
    let rounds = number("--rounds", if quick { 3 } else { 15 });
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    if let Err(error) = unsafe { Config::new().procs(procs).start() } {
        panic!("{error}");
    }
    let pool = match rayon::ThreadPoolBuilder::new().num_threads(procs).build() {
        Ok(pool) => pool,
        Err(error) => panic!("{error}"),
    };
    println!(
        "{procs} processors, {rounds} rounds in turns, ns a fork (medians), and ours / rayon's"
    );
    for case in CASES {
        let (mut ours, mut rayons) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let (time, result) = on_goroutine(case);
            ours.push(time);
            let (time, expected) = pool.install(|| timed(case, case.rayons));
            rayons.push(time);
            assert_eq!(result, expected);
        }
        let ratios = ours.iter().zip(&rayons).map(|(a, b)| a / b).collect();
        println!(
            "{:32} ours {:8.1}  rayon {:8.1}  ratio {:.2}",
            case.name,
            median(ours),
            median(rayons),
            median(ratios)
        );
    }
}

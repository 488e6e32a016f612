//! What all benches share: one CPU, one P, short times, and rows as benchmarks.

#![allow(
    dead_code,
    reason = "each bench is a program of its own and uses a part of this"
)]

use std::io;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use goroutines_benches::sample::Sample;
use goroutines_benches::{cpu, switch::rows};

/// Pins this process to one CPU before there is any other thread.
///
/// # Panics
///
/// If the kernel refuses: the numbers would not be comparable.
pub(crate) fn pin() {
    cpu::pin().expect("cannot pin the process to one CPU");
}

/// Pins this process to one CPU, then starts the runtime with one P.
///
/// # Panics
///
/// If the kernel or the runtime refuses.
pub(crate) fn pin_and_start() {
    pin();
    rows::start_runtime().expect("cannot start the runtime");
}

/// Times that keep all benches together within three minutes; flags such as `--measurement-time` still win.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1200))
        .sample_size(30)
        .nresamples(10_000)
        .without_plots()
        .configure_from_args()
}

/// Makes a row's program a benchmark.
///
/// # Panics
///
/// If the program fails.
pub(crate) fn bench(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    program: impl Fn(u64) -> io::Result<Sample>,
) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|operations| match program(operations) {
            Ok(sample) => sample.time_for(operations),
            Err(error) => panic!("cannot measure `{name}`: {error}"),
        });
    });
}

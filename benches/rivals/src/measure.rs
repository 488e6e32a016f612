//! What the workloads measure with, and the processes in which they run.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

/// How long the sleepers sleep, by number: spread over two seconds, in no order.
pub fn nap(number: u64) -> Duration {
    Duration::from_micros(number.wrapping_mul(2_654_435_761) % 2_000_000)
}

/// The 99th percentile.
pub fn p99(mut late: Vec<u64>) -> f64 {
    late.sort_unstable();
    late[late.len() * 99 / 100] as f64
}

/// CPU time of this process, in nanoseconds.
pub fn cpu_time() -> f64 {
    // Two fields behind the name in parentheses, then the 12th and 13th of what follows: ticks of 10 ms.
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2);
    ticks
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        * 1e7
}

/// Nanoseconds per operation.
pub fn per_operation(start: Instant, operations: u64) -> f64 {
    start.elapsed().as_nanos() as f64 / operations as f64
}

/// A process of its own, on one CPU; none if the contender does not take part.
pub fn in_process(program: &str, args: &[&str]) -> Option<f64> {
    let output = Command::new("taskset")
        .args(["-c", "1", program])
        .args(args)
        .env("GOMAXPROCS", "1")
        .output()
        .ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// The median; none of nothing.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

//! The workloads, and what runs them.

use crate::{ours, threads, tokio_rt};

/// What is measured, how many operations in one process, and what is one of them.
pub const WORKLOADS: [(&str, u64, &str); 10] = [
    ("yield", 2_000_000, "a yield, two tasks"),
    (
        "unbuffered",
        1_000_000,
        "a message, one sender to one receiver, no buffer",
    ),
    (
        "bounded128",
        2_000_000,
        "a message, one to one, buffer of 128",
    ),
    (
        "fanin",
        1_000_000,
        "a message, 100 senders to one receiver, buffer of 128",
    ),
    (
        "select4",
        1_000_000,
        "a message, one select over 4 channels, 4 senders, no buffers",
    ),
    ("mutex", 5_000_000, "lock and unlock, nobody else"),
    (
        "mutex100",
        2_000_000,
        "lock and unlock, 100 tasks that yield now and then",
    ),
    ("spawn1000", 1_000_000, "spawn and join, 1000 at once"),
    (
        "sleepers",
        200_000,
        "CPU time of one of 200 000 that sleep for up to 2 s",
    ),
    (
        "late",
        200_000,
        "how late the 99th percentile of these wakes up",
    ),
];

/// What is compared, in the order of the columns.
pub const CONTENDERS: [&str; 4] = ["goroutines", "go", "tokio", "threads"];

/// Nanoseconds per operation of `workload` on `contender`; none if the contender does not take part.
pub fn run(contender: &str, workload: &str) -> Option<f64> {
    let &(_, n, _) = WORKLOADS.iter().find(|(name, ..)| *name == workload)?;
    match contender {
        "goroutines" => ours::run(workload, n),
        "tokio" => tokio_rt::run(workload, n),
        "threads" => threads::run(workload, n),
        _ => None,
    }
}

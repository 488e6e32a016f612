//! The local run queue's rival: crossbeam-deque's worker, first in first out as a run queue is.
//!
//! The scheduler's own ring is private to it. When it offers a way to be measured, it takes its place beside.

mod common;

use std::hint::black_box;
use std::io;
use std::time::Instant;

use crossbeam_deque::Worker;
use goroutines_benches::sample::Sample;

/// One push and one pop by the owner, with so many entries in the queue.
fn crossbeam(length: usize, operations: u64) -> io::Result<Sample> {
    let queue = Worker::new_fifo();
    (0..length).for_each(|entry| queue.push(entry));
    let mut lost = 0_u64;
    let start = Instant::now();
    for _ in 0..operations {
        match queue.pop() {
            Some(entry) => queue.push(black_box(entry)),
            None => lost += 1,
        }
    }
    let elapsed = start.elapsed();
    if lost > 0 {
        return Err(io::Error::other(format!(
            "the queue was empty {lost} times"
        )));
    }
    Ok(Sample {
        elapsed,
        operations,
    })
}

fn main() {
    common::pin();
    let mut criterion = common::criterion();
    let mut group = criterion.benchmark_group("queue, pop+push");
    for length in [2, 1000] {
        common::bench(
            &mut group,
            &format!("crossbeam-deque, {length} entries"),
            |operations| crossbeam(length, operations),
        );
    }
    group.finish();
    criterion.final_summary();
}

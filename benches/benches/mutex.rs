//! The mutex: free, and wanted by many (per time that it really passed to another); beside it std's with threads.

mod common;

use std::hint::black_box;
use std::io;
use std::sync;
use std::time::Instant;

use goroutines_benches::sample::Sample;
use goroutines_benches::switch::rows::{goroutine, osthread};

/// Lock and unlock on a goroutine; no other goroutine wants the lock.
fn goroutine_uncontended(operations: u64) -> io::Result<Sample> {
    goroutine::on_goroutine(move || {
        let mutex = goroutines::sync::Mutex::new(0_u64);
        let start = Instant::now();
        for _ in 0..operations {
            *black_box(&mutex)
                .lock()
                .map_err(|_| io::Error::other("poisoned"))? += 1;
        }
        Ok(Sample {
            elapsed: start.elapsed(),
            operations,
        })
    })
}

/// The same with std's mutex on a thread.
fn thread_uncontended(operations: u64) -> io::Result<Sample> {
    let mutex = sync::Mutex::new(0_u64);
    let start = Instant::now();
    for _ in 0..operations {
        *black_box(&mutex)
            .lock()
            .map_err(|_| io::Error::other("poisoned"))? += 1;
    }
    Ok(Sample {
        elapsed: start.elapsed(),
        operations,
    })
}

fn main() {
    common::pin_and_start();
    let mut criterion = common::criterion();
    let mut group = criterion.benchmark_group("mutex, uncontended");
    common::bench(&mut group, "goroutine", goroutine_uncontended);
    common::bench(&mut group, "thread, std::sync::Mutex", thread_uncontended);
    group.finish();
    for wanted_by in [2, 100] {
        let mut group = criterion.benchmark_group(format!("mutex, contended by {wanted_by}"));
        common::bench(&mut group, "goroutines", |operations| {
            goroutine::mutex_among(wanted_by, operations)
        });
        common::bench(&mut group, "threads, std::sync::Mutex", |operations| {
            osthread::mutex_among(wanted_by, operations)
        });
        group.finish();
    }
    criterion.final_summary();
}

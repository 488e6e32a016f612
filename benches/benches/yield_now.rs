//! A yield to the next goroutine, among 2 and among 1000; beside it `sched_yield` of two threads.

mod common;

use goroutines_benches::switch::rows::{goroutine, osthread};

fn main() {
    common::pin_and_start();
    let mut criterion = common::criterion();
    let mut group = criterion.benchmark_group("yield");
    common::bench(&mut group, "2 goroutines", goroutine::yield_2);
    common::bench(&mut group, "1000 goroutines", goroutine::yield_1000);
    common::bench(&mut group, "2 threads", osthread::yields);
    group.finish();
    criterion.final_summary();
}

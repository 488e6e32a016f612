//! Start and join: one at a time, and a thousand at once; beside it std's threads.

mod common;

use goroutines_benches::switch::rows::{goroutine, osthread};

fn main() {
    common::pin_and_start();
    let mut criterion = common::criterion();
    let mut group = criterion.benchmark_group("spawn+join");
    common::bench(&mut group, "goroutine", goroutine::spawn_join);
    common::bench(
        &mut group,
        "goroutine, 1000 at once",
        goroutine::spawn_join_1000,
    );
    common::bench(&mut group, "thread", osthread::spawn_join);
    group.finish();
    criterion.final_summary();
}

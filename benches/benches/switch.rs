//! The bare context switch, one way: ours and corosensei's.

mod common;

use goroutines_benches::switch::rows::raw;

fn main() {
    common::pin();
    let mut criterion = common::criterion();
    let mut group = criterion.benchmark_group("switch");
    common::bench(&mut group, "goroutines", raw::ours);
    common::bench(&mut group, "corosensei", raw::corosensei);
    group.finish();
    criterion.final_summary();
}

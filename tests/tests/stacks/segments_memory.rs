//! What a deep recursion took comes back. The only test of its process: memory is the process's.

use std::{hint::black_box, thread, time::Duration};

use goroutines::go;
use goroutines_tests::start;

#[goroutines::grow]
fn depth(levels: u64) -> u64 {
    let frame = black_box([levels; 2]);
    if levels == 0 {
        return 0;
    }
    let below = depth(levels - 1);
    // Used after the call, so that no optimiser makes a loop of this.
    1 + below + (black_box(&frame)[0] - levels)
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.expect("a number of KiB") << 10
}

#[test]
fn it_finishes_again_and_again_and_its_memory_comes_back() {
    start(2);
    let before = resident();
    for _ in 0..5 {
        go(|| assert_eq!(depth(400_000), 400_000)).join().unwrap();
    }
    // 400 000 levels use 40 MB at the very least. What is given back may take its time.
    for _ in 0..200 {
        if resident() < before + (30 << 20) {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("{} MiB more than before", (resident() - before) >> 20);
}

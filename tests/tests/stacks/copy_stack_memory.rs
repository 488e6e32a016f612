//! What a parked goroutine with a copy stack costs. The only test of its process: memory is the process's.

use std::time::Duration;

use goroutines::{Builder, chan, go, sleep, yield_now};
use goroutines_tests::start;

#[test]
fn many_parked_ones_need_little_memory_each() {
    start(4);
    const N: usize = 20_000;
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes * 1024
    };
    let (gate, closed) = chan::bounded::<()>(0);
    let before = resident();
    let all: Vec<_> = (0..N)
        .map(|_| {
            let closed = closed.clone();
            // SAFETY: the closure lends nothing of its stack to others.
            let builder = unsafe { Builder::new().copy_stack() };
            builder.spawn(move || closed.recv().is_err()).unwrap()
        })
        .collect();
    // All of them have parked when as many as there are have been seen waiting: they run in order.
    go(|| (0..100).for_each(|_| yield_now())).join().unwrap();
    sleep(Duration::from_millis(200));
    let each = resident().saturating_sub(before) / N;
    drop(gate);
    assert!(all.into_iter().all(|one| one.join().unwrap()));
    // What is alive on the stack, the descriptor, the node. Unoptimised frames are many times as large.
    let limit = if cfg!(debug_assertions) {
        20_000
    } else {
        1_500
    };
    println!("{each} bytes for a parked goroutine");
    assert!(each < limit, "{each} bytes for a parked goroutine");
}

//! What the migration check reads of a goroutine is bounded: one with much alive on its stack stays with its thread.

use std::{hint::black_box, io};

use goroutines::{Builder, Config, metrics, yield_now};
use goroutines_tests::start_with;

/// Parks often with so many words alive.
#[inline(never)]
fn park_with<const WORDS: usize>() {
    let words = [1_usize; WORDS];
    for _ in 0..200 {
        yield_now();
        black_box(&words);
    }
}

/// How often goroutines were sent back while some ran `park`.
fn sent_back(park: fn()) -> io::Result<u64> {
    let before = metrics().sent_back;
    let all: Vec<_> = (0..4)
        .map(|_| Builder::new().stack_size(8 << 20).spawn(park))
        .collect::<io::Result<_>>()?;
    for one in all {
        one.join().expect("no panic");
    }
    Ok(metrics().sent_back - before)
}

#[test]
fn a_goroutine_with_much_alive_stays_with_its_thread_and_runs_on() {
    start_with(Config::new().procs(2).force_migration(true));
    assert_eq!(sent_back(park_with::<1000>).expect("stacks"), 0);
    assert!(sent_back(park_with::<300_000>).expect("stacks") > 0);
}

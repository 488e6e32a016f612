//! Threads that come and go all the time, while goroutines block, sleep, and talk to each other.

use std::{
    thread,
    time::{Duration, Instant},
};

use goroutines::{Config, blocking, chan, go, metrics, sleep, yield_now};
use goroutines_tests::{Dice, start_with};

/// One goroutine's day: everything that moves Ps and Ms around.
fn live(seed: u64) -> u64 {
    let mut dice = Dice::new(seed);
    for _ in 0..20 {
        let time = dice.micros(1500);
        match dice.roll(5) {
            0 => blocking(|| thread::sleep(time)),
            1 => thread::sleep(time),
            2 => sleep(time),
            3 => {
                let (tx, rx) = chan::bounded(0);
                go(move || tx.send(1).unwrap());
                assert_eq!(rx.recv(), Ok(1));
            }
            _ => yield_now(),
        }
    }
    seed
}

#[test]
fn nothing_is_lost_while_threads_end_and_new_ones_start() {
    start_with(
        Config::new()
            .procs(3)
            .thread_idle(Duration::from_micros(300)),
    );
    let end = Instant::now() + Duration::from_secs(3);
    let mut round = 0;
    while Instant::now() < end || metrics().threads_ended == 0 {
        let count = 1 + round % 17;
        let all: Vec<_> = (0..count)
            .map(|i| go(move || live(round * 100 + i)))
            .collect();
        let sum: u64 = all.into_iter().map(|one| one.join().unwrap()).sum();
        assert_eq!(sum, (0..count).map(|i| round * 100 + i).sum::<u64>());
        if round % 5 == 0 {
            thread::sleep(Duration::from_millis(2));
        }
        round += 1;
        assert!(round < 100_000, "no thread ever ended: {:#?}", metrics());
    }
    let after = metrics();
    assert_eq!(
        after.threads as u64,
        after.threads_started - after.threads_ended
    );
    assert!(after.threads >= 1, "{after:#?}");
}

//! rayon beside the runtime: goroutines call it, its threads call `join` and wait for goroutines, and each side's work may
//! begin the other's.

use goroutines::{chan, go, join, reserve_stack, thread};
use goroutines_tests::start;
use rayon::prelude::*;

fn sum_here(numbers: &[u64]) -> u64 {
    match numbers.len() {
        0..=100 => numbers.iter().sum(),
        len => {
            let (left, right) = numbers.split_at(len / 2);
            let (left, right) = join(|| sum_here(left), || sum_here(right));
            left + right
        }
    }
}

fn sum_there(numbers: &[u64]) -> u64 {
    // The first call of a process starts threads, for which the system blocks all signals.
    reserve_stack(64 << 10);
    numbers.par_iter().sum()
}

const TOTAL: u64 = 5_000 * 4_999 / 2;

fn numbers() -> Vec<u64> {
    (0..5_000).collect()
}

#[test]
fn rayon_runs_inside_of_goroutines() {
    start(4);
    let all: Vec<_> = (0..40)
        .map(|_| go(|| (sum_there(&numbers()), sum_here(&numbers()))))
        .collect();
    for one in all {
        assert_eq!(one.join().unwrap(), (TOTAL, TOTAL));
    }
}

#[test]
fn both_halves_of_a_join_run_rayon() {
    start(4);
    let numbers = numbers();
    thread::scope(|s| {
        let sums = s.spawn(|| join(|| sum_there(&numbers), || sum_there(&numbers)));
        assert_eq!(sums.join().unwrap(), (TOTAL, TOTAL));
    });
}

#[test]
fn threads_of_rayon_join_and_wait_for_goroutines() {
    start(4);
    let sums: Vec<u64> = (0..64_u64)
        .into_par_iter()
        .map(|n| {
            let (tx, rx) = chan::bounded(0);
            let sender = go(move || tx.send(n).unwrap());
            let (sum, received) = join(|| sum_here(&numbers()), || rx.recv().unwrap());
            sender.join().unwrap();
            sum + received
        })
        .collect();
    for (n, sum) in sums.into_iter().enumerate() {
        assert_eq!(sum, TOTAL + n as u64);
    }
}

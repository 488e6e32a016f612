//! Many goroutines at once.

use goroutines::{chan, go};
use goroutines_tests::start;

#[test]
fn a_million_goroutines_are_spawned_and_joined() {
    start(2);
    const N: usize = 1_000_000;
    let sum = go(|| {
        let handles: Vec<_> = (0..N).map(|i| go(move || i)).collect();
        handles
            .into_iter()
            .map(|h| h.join().unwrap())
            .sum::<usize>()
    });
    assert_eq!(sum.join().unwrap(), N * (N - 1) / 2);
}

#[test]
fn a_hundred_thousand_goroutines_play_ping_pong() {
    start(2);
    const PAIRS: u64 = 50_000;
    const ROUNDS: u64 = 5;
    let (done, results) = chan::unbounded();
    for pair in 0..PAIRS {
        let (ping, pinged) = chan::bounded(0);
        let (pong, ponged) = chan::bounded(0);
        go(move || {
            // Ends when the other side has dropped its sender.
            while let Ok(n) = pinged.recv() {
                pong.send(n + 1).unwrap();
            }
        });
        let done = done.clone();
        go(move || {
            let mut n = pair;
            for _ in 0..ROUNDS {
                ping.send(n).unwrap();
                n = ponged.recv().unwrap();
            }
            done.send(n - pair).unwrap();
        });
    }
    drop(done);
    let rounds: Vec<u64> = results.iter().collect();
    assert_eq!(rounds.len() as u64, PAIRS);
    assert!(rounds.iter().all(|&r| r == ROUNDS));
}

#[test]
fn a_hundred_thousand_goroutines_are_parked_and_woken_by_one() {
    start(2);
    const N: u64 = 100_000;
    let (gate, closed) = chan::bounded::<()>(0);
    let handles: Vec<_> = (0..N)
        .map(|i| {
            let closed = closed.clone();
            go(move || {
                assert!(closed.recv().is_err());
                i
            })
        })
        .collect();
    drop(gate);
    let sum: u64 = handles.into_iter().map(|h| h.join().unwrap()).sum();
    assert_eq!(sum, N * (N - 1) / 2);
}

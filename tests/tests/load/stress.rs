//! Everything at once, on more Ps than there are CPUs, for long enough that threads are taken off
//! their CPUs in the middle of every protocol.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use goroutines::{
    chan, go, sleep,
    sync::{Mutex, WaitGroup},
    yield_now,
};
use goroutines_tests::{Dice, start};

/// A tree of goroutines; each node joins its children at a moment of its choice.
fn tree(depth: u32, seed: u64) -> u64 {
    let mut dice = Dice::new(seed);
    if depth == 0 {
        for _ in 0..dice.roll(4) {
            yield_now();
        }
        return 1;
    }
    let children: Vec<_> = (0..3)
        .map(|i| {
            let seed = dice.bits().wrapping_add(i);
            go(move || tree(depth - 1, seed))
        })
        .collect();
    match dice.roll(4) {
        0 => yield_now(),
        1 => sleep(dice.micros(200)),
        _ => {}
    }
    children.into_iter().map(|c| c.join().unwrap()).sum()
}

#[test]
fn trees_of_goroutines_count_their_leaves() {
    start(4);
    for round in 1..=10 {
        assert_eq!(go(move || tree(7, round)).join().unwrap(), 3_u64.pow(7));
    }
}

#[test]
fn every_message_arrives_once_between_goroutines_and_threads() {
    start(4);
    for capacity in [Some(0), Some(1), Some(7), None] {
        const SENDERS: u64 = 6;
        const EACH: u64 = 5_000;
        let (tx, rx) = capacity.map_or_else(chan::unbounded, chan::bounded);
        let body = |sender: u64| {
            let tx = tx.clone();
            move || {
                let mut dice = Dice::new(sender);
                for n in 0..EACH {
                    tx.send((sender, n)).unwrap();
                    if dice.roll(50) == 0 {
                        yield_now();
                    }
                }
            }
        };
        for sender in 0..SENDERS / 2 {
            go(body(sender));
        }
        let threads: Vec<_> = (SENDERS / 2..SENDERS)
            .map(|sender| thread::spawn(body(sender)))
            .collect();
        drop(tx);
        let receive = |rx: chan::Receiver<(u64, u64)>| {
            move || {
                // From one sender to one receiver order is kept.
                let mut last: HashMap<u64, u64> = HashMap::new();
                let mut got = Vec::new();
                for (sender, n) in rx.iter() {
                    assert!(last.insert(sender, n).is_none_or(|before| before < n));
                    got.push(sender * EACH + n);
                }
                got
            }
        };
        let here: Vec<_> = (0..3).map(|_| go(receive(rx.clone()))).collect();
        let there = thread::spawn(receive(rx));
        let mut all = there.join().unwrap();
        for goroutine in here {
            all.extend(goroutine.join().unwrap());
        }
        for thread in threads {
            thread.join().unwrap();
        }
        all.sort_unstable();
        assert!(
            all.iter().copied().eq(0..SENDERS * EACH),
            "capacity {capacity:?}: {} messages",
            all.len()
        );
    }
}

#[test]
fn timeouts_and_messages_race_without_loss() {
    start(4);
    let (tx, rx) = chan::bounded(0);
    let sent = Arc::new(AtomicU64::new(0));
    let senders: Vec<_> = (0..8)
        .map(|i| {
            let (tx, sent) = (tx.clone(), sent.clone());
            go(move || {
                let mut dice = Dice::new(i);
                for n in 1..=500 {
                    let patience = dice.micros(120);
                    if tx.send_timeout(n, patience).is_ok() {
                        // Relaxed: read after the joins.
                        sent.fetch_add(n, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    drop(tx);
    let receivers: Vec<_> = (0..8)
        .map(|i| {
            let rx = rx.clone();
            go(move || {
                let mut dice = Dice::new(i + 77);
                let mut sum = 0_u64;
                loop {
                    match rx.recv_timeout(dice.micros(120)) {
                        Ok(n) => sum += n,
                        Err(chan::RecvTimeoutError::Timeout) => {}
                        Err(chan::RecvTimeoutError::Disconnected) => return sum,
                    }
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().unwrap();
    }
    let received: u64 = receivers.into_iter().map(|r| r.join().unwrap()).sum();
    // Relaxed: the joins order it.
    assert_eq!(received, sent.load(Ordering::Relaxed));
}

#[test]
fn a_mutex_excludes_goroutines_and_threads() {
    start(4);
    let count = Arc::new(Mutex::new(0_u64));
    let done = WaitGroup::new();
    let body = |seed: u64| {
        let (count, done) = (count.clone(), done.clone());
        move || {
            let mut dice = Dice::new(seed);
            for _ in 0..2_000 {
                let mut guard = count.lock().unwrap();
                let before = *guard;
                if dice.roll(20) == 0 {
                    yield_now();
                }
                *guard = before + 1;
            }
            drop(done);
        }
    };
    for seed in 1..=20 {
        go(body(seed));
    }
    let threads: Vec<_> = (21..=24).map(|seed| thread::spawn(body(seed))).collect();
    done.wait();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(*count.lock().unwrap(), 24 * 2_000);
}

#[test]
fn sleepers_of_all_lengths_wake_in_no_less_than_their_time() {
    start(4);
    let sleepers: Vec<_> = (0..2_000_u64)
        .map(|i| {
            go(move || {
                let duration = Duration::from_micros(i * 37 % 20_000);
                let start = std::time::Instant::now();
                sleep(duration);
                start.elapsed() >= duration
            })
        })
        .collect();
    for sleeper in sleepers {
        assert!(sleeper.join().unwrap());
    }
}

#[test]
fn growing_stacks_migrate_between_threads() {
    start(4);
    fn deep(levels: u64) -> u64 {
        let mut frame = std::hint::black_box([levels; 64]);
        if levels.is_multiple_of(16) {
            yield_now();
        }
        if levels > 0 {
            frame[7] += deep(levels - 1);
        }
        // What was written before the switches is still there, at the same address.
        assert!(
            frame
                .iter()
                .enumerate()
                .all(|(i, &x)| i == 7 || x == levels)
        );
        frame[7]
    }
    let all: Vec<_> = (0..200).map(|i| go(move || deep(100 + i % 50))).collect();
    for (i, one) in all.into_iter().enumerate() {
        let n = 100 + i as u64 % 50;
        assert_eq!(one.join().unwrap(), n * (n + 1) / 2);
    }
}

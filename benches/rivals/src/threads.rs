//! OS threads with crossbeam's channels and std's mutex. No 200 000 of them.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::Instant,
};

use crossbeam_channel::{bounded, select};

use crate::measure::per_operation;

pub fn run(workload: &str, n: u64) -> Option<f64> {
    // A switch costs a microsecond and more: fewer of them will do.
    let n = match workload {
        "mutex" => n,
        "bounded128" | "fanin" | "mutex100" => n / 10,
        _ => n / 50,
    };
    let start = Instant::now();
    match workload {
        "yield" => {
            let other = thread::spawn(move || (0..n / 2).for_each(|_| thread::yield_now()));
            (0..n / 2).for_each(|_| thread::yield_now());
            other.join().ok()?;
        }
        "unbuffered" => stream(0, 1, n),
        "bounded128" => stream(128, 1, n),
        "fanin" => stream(128, 100, n),
        "select4" => select4(n),
        "mutex" => {
            let mutex = Mutex::new(0_u64);
            (0..n).for_each(|_| *mutex.lock().unwrap() += 1);
        }
        "mutex100" => mutex100(n),
        "spawn1000" => (0..n / 1000).for_each(|_| {
            let all: Vec<_> = (0..1000).map(|_| thread::spawn(|| ())).collect();
            all.into_iter().for_each(|one| one.join().unwrap());
        }),
        _ => return None,
    }
    Some(per_operation(start, n))
}

fn stream(capacity: usize, senders: u64, n: u64) {
    let (tx, rx) = bounded(capacity);
    for _ in 0..senders {
        let tx = tx.clone();
        thread::spawn(move || (0..n / senders).for_each(|i| tx.send(i).unwrap()));
    }
    drop(tx);
    assert_eq!(rx.iter().count() as u64, n / senders * senders);
}

fn select4(n: u64) {
    let pairs: [_; 4] = std::array::from_fn(|_| bounded::<u64>(0));
    for (tx, _) in &pairs {
        let tx = tx.clone();
        thread::spawn(move || (0..n / 4).for_each(|i| tx.send(i).unwrap()));
    }
    // The senders here stay: a channel whose sender has gone would always be ready.
    let [(_s, a), (_t, b), (_u, c), (_v, d)] = pairs;
    let mut sum = 0;
    for _ in 0..n {
        sum += select! {
            recv(a) -> i => i.unwrap(),
            recv(b) -> i => i.unwrap(),
            recv(c) -> i => i.unwrap(),
            recv(d) -> i => i.unwrap(),
        };
    }
    assert!(sum > 0);
}

fn mutex100(n: u64) {
    let mutex = Arc::new(Mutex::new(0_u64));
    let all: Vec<_> = (0..100)
        .map(|_| {
            let mutex = Arc::clone(&mutex);
            thread::spawn(move || {
                for i in 0..n / 100 {
                    let mut guard = mutex.lock().unwrap();
                    *guard += 1;
                    if i % 100 == 0 {
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
}

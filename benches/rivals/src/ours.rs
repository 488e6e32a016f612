//! Goroutines.

use std::{sync::Arc, time::Instant};

use goroutines::{
    Config,
    chan::{self, select},
    go, sleep,
    sync::Mutex,
    yield_now,
};

use crate::measure::{cpu_time, nap, p99, per_operation};

pub fn run(workload: &str, n: u64) -> Option<f64> {
    // SAFETY: nothing here keeps thread-local storage over a call that can park.
    unsafe { Config::new().procs(1).start() }.ok()?;
    let workload = workload.to_owned();
    go(move || measured(&workload, n)).join().ok()?
}

fn measured(workload: &str, n: u64) -> Option<f64> {
    let start = Instant::now();
    match workload {
        "yield" => {
            let other = go(move || (0..n / 2).for_each(|_| yield_now()));
            (0..n / 2).for_each(|_| yield_now());
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
            let all: Vec<_> = (0..1000).map(|_| go(|| ())).collect();
            all.into_iter().for_each(|one| one.join().unwrap());
        }),
        "sleepers" => {
            let before = cpu_time();
            sleepers(n);
            return Some((cpu_time() - before) / n as f64);
        }
        "late" => return Some(p99(sleepers(n))),
        _ => return None,
    }
    Some(per_operation(start, n))
}

fn stream(capacity: usize, senders: u64, n: u64) {
    let (tx, rx) = chan::bounded(capacity);
    for _ in 0..senders {
        let tx = tx.clone();
        go(move || (0..n / senders).for_each(|i| tx.send(i).unwrap()));
    }
    drop(tx);
    assert_eq!(rx.iter().count() as u64, n);
}

fn select4(n: u64) {
    let pairs: [_; 4] = std::array::from_fn(|_| chan::bounded::<u64>(0));
    for (tx, _) in &pairs {
        let tx = tx.clone();
        go(move || (0..n / 4).for_each(|i| tx.send(i).unwrap()));
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
            go(move || {
                for i in 0..n / 100 {
                    let mut guard = mutex.lock().unwrap();
                    *guard += 1;
                    if i % 100 == 0 {
                        yield_now(); // with the lock: the others queue
                    }
                }
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
}

fn sleepers(n: u64) -> Vec<u64> {
    let all: Vec<_> = (0..n)
        .map(|i| {
            go(move || {
                let due = Instant::now() + nap(i);
                sleep(nap(i));
                due.elapsed().as_nanos() as u64
            })
        })
        .collect();
    all.into_iter().map(|one| one.join().unwrap()).collect()
}

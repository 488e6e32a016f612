//! The workloads, on any runtime whose tasks block.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    kit::Kit,
    late,
    measure::{Answer, Task, Window, memory, not},
};

/// Does the row; a task of the runtime calls it.
pub fn run<K: Kit>(task: &Task) -> Answer {
    let (most, why) = K::MOST;
    let tasks = match task.row.as_str() {
        "pairs" => 2 * task.size,
        "skynet" | "forkjoin" => 1,
        _ => task.size,
    };
    // Where the number is no part of the question, fewer will do.
    let fits = tasks <= most || task.row == "spawn";
    if !fits {
        return not(why);
    }
    match task.row.as_str() {
        "switch" => K::switch(task),
        "yield" => task.steady(4 * task.size, |n| yields::<K>(task.size, n)),
        "pairs" => task.steady(4 * task.size, |n| pairs::<K>(task.size, n)),
        "buffered" => task.steady(10_000, |n| stream::<K>(1, n)),
        "fanin" => task.steady(10_000, |n| stream::<K>(100, n / 100 * 100)),
        "select4" => {
            K::select4(4)?;
            task.steady(1000, |n| K::select4(n / 4 * 4).unwrap_or(f64::INFINITY))
        }
        "mutex" => task.steady(10_000, |n| mutexes::<K>(n)),
        "spawn" if task.size <= 1000 => task.steady(task.size, |n| rounds::<K>(task.size, n)),
        "spawn" => {
            let n = task.size.min(most);
            Ok(vec![("ns", rounds::<K>(n, n) / n as f64), ("n", n as f64)])
        }
        "skynet" => tree(task.size.min(most / 2), skynet::<K>),
        "forkjoin" => tree(task.size.min(most / 2), forked::<K>),
        "timers" => task.steady(1000, |n| timers::<K>(n)),
        "parked" => parked::<K>(task.size),
        "sleepers" => late::sleepers::<K>(task.size),
        "naps" => late::naps::<K>(task.millis),
        other => not(&format!("does not know {other}")),
    }
}

fn took(start: Instant) -> f64 {
    start.elapsed().as_nanos() as f64
}

fn yields<K: Kit>(tasks: u64, n: u64) -> f64 {
    let window = Window::new(tasks);
    let one = || {
        let window = Arc::clone(&window);
        K::spawn(move || {
            window.start();
            while !window.all_started() {
                K::yield_now();
            }
            (0..n / tasks).for_each(|_| K::yield_now());
            window.end();
        })
    };
    let all: Vec<_> = (0..tasks).map(|_| one()).collect();
    all.into_iter().for_each(K::join);
    window.took()
}

fn pairs<K: Kit>(pairs: u64, n: u64) -> f64 {
    let window = Window::new(pairs);
    let mut all = Vec::new();
    for _ in 0..pairs {
        let (tx, rx) = K::channel(0);
        let each = n / pairs;
        all.push(K::spawn(move || (0..=each).for_each(|i| K::send(&tx, i))));
        let window = Arc::clone(&window);
        all.push(K::spawn(move || {
            assert_eq!(K::recv(&rx), 0);
            window.start();
            while !window.all_started() {
                K::yield_now();
            }
            (1..=each).for_each(|i| assert_eq!(K::recv(&rx), i));
            window.end();
        }));
    }
    all.into_iter().for_each(K::join);
    window.took()
}

fn stream<K: Kit>(senders: u64, n: u64) -> f64 {
    let (tx, rx) = K::channel(128);
    let start = Instant::now();
    let all: Vec<_> = (0..senders)
        .map(|_| {
            let tx = tx.clone();
            K::spawn(move || (0..n / senders).for_each(|i| K::send(&tx, i)))
        })
        .collect();
    (0..n).for_each(|_| {
        K::recv(&rx);
    });
    let took = took(start);
    all.into_iter().for_each(K::join);
    took
}

fn mutexes<K: Kit>(n: u64) -> f64 {
    let mutex = Arc::new(K::mutex());
    let start = Instant::now();
    let one = || {
        let mutex = Arc::clone(&mutex);
        K::spawn(move || {
            for i in 0..n / 100 {
                K::with(&mutex, |value| {
                    *value += 1;
                    if i % 100 == 0 {
                        K::yield_now(); // with the lock: the others queue
                    }
                });
            }
        })
    };
    let all: Vec<_> = (0..100).map(|_| one()).collect();
    all.into_iter().for_each(K::join);
    took(start)
}

fn rounds<K: Kit>(size: u64, n: u64) -> f64 {
    let start = Instant::now();
    for _ in 0..n / size {
        let all: Vec<_> = (0..size).map(|_| K::spawn(|| ())).collect();
        all.into_iter().for_each(K::join);
    }
    took(start)
}

/// A tree of so many leaves, or the largest power of its branching below.
fn tree(leaves: u64, grow: fn(u64) -> u64) -> Answer {
    let start = Instant::now();
    let counted = grow(leaves);
    let took = took(start);
    Ok(vec![("ns", took / counted as f64), ("n", counted as f64)])
}

fn skynet<K: Kit>(leaves: u64) -> u64 {
    let (tx, rx) = K::channel(0);
    let size = 10_u64.pow(leaves.ilog10());
    K::spawn(move || branch::<K>(&tx, 0, size));
    assert_eq!(K::recv(&rx), size * (size - 1) / 2);
    size
}

fn branch<K: Kit>(up: &K::Sender, first: u64, size: u64) {
    if size == 1 {
        return K::send(up, first);
    }
    let (tx, rx) = K::channel(0);
    for i in 0..10 {
        let tx = tx.clone();
        K::spawn(move || branch::<K>(&tx, first + i * (size / 10), size / 10));
    }
    K::send(up, (0..10).map(|_| K::recv(&rx)).sum());
}

fn forked<K: Kit>(leaves: u64) -> u64 {
    let size = 1 << leaves.ilog2();
    assert_eq!(fork::<K>(size), size);
    size
}

fn fork<K: Kit>(leaves: u64) -> u64 {
    if leaves == 1 {
        return std::hint::black_box(1);
    }
    let (a, b) = K::both(move || fork::<K>(leaves / 2), move || fork::<K>(leaves / 2));
    a + b
}

/// Each receive has a timer of an hour, which its message cancels.
fn timers<K: Kit>(n: u64) -> f64 {
    let (tx, rx) = K::channel(0);
    let start = Instant::now();
    let sender = K::spawn(move || (0..n).for_each(|i| K::send(&tx, i)));
    let hour = Duration::from_secs(3600);
    (0..n).for_each(|i| assert_eq!(K::recv_within(&rx, hour), i));
    K::join(sender);
    took(start)
}

/// They stay parked until the process ends.
fn parked<K: Kit>(size: u64) -> Answer {
    let before = memory();
    let window = Window::new(size);
    let start = Instant::now();
    for _ in 0..size {
        let window = Arc::clone(&window);
        K::spawn(move || {
            window.start();
            K::park_forever();
        });
    }
    while !window.all_started() {
        K::yield_now();
    }
    let took = took(start);
    K::sleep(Duration::from_millis(20)); // the last ones park
    Ok(vec![
        ("ns", took / size as f64),
        ("bytes", (memory() - before) / size as f64),
    ])
}

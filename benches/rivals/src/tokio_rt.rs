//! tokio, on its current-thread runtime. It has no channel without a buffer: the smallest holds one message.

use std::{sync::Arc, time::Instant};

use tokio::{
    runtime::Builder,
    sync::{Mutex, mpsc},
    task::{spawn, yield_now},
    time::sleep,
};

use crate::measure::{cpu_time, nap, p99, per_operation};

pub fn run(workload: &str, n: u64) -> Option<f64> {
    let runtime = Builder::new_current_thread().enable_time().build().ok()?;
    let workload = workload.to_owned();
    runtime.block_on(async move {
        spawn(async move { measured(&workload, n).await })
            .await
            .ok()?
    })
}

async fn measured(workload: &str, n: u64) -> Option<f64> {
    let start = Instant::now();
    match workload {
        "yield" => {
            let other = spawn(yields(n / 2));
            yields(n / 2).await;
            other.await.ok()?;
        }
        "unbuffered" => stream(1, 1, n).await,
        "bounded128" => stream(128, 1, n).await,
        "fanin" => stream(128, 100, n).await,
        "select4" => select4(n).await,
        "mutex" => {
            let mutex = Mutex::new(0_u64);
            for _ in 0..n {
                *mutex.lock().await += 1;
            }
        }
        "mutex100" => mutex100(n).await,
        "spawn1000" => {
            for _ in 0..n / 1000 {
                let all: Vec<_> = (0..1000).map(|_| spawn(async {})).collect();
                for one in all {
                    one.await.ok()?;
                }
            }
        }
        "sleepers" => {
            let before = cpu_time();
            sleepers(n).await;
            return Some((cpu_time() - before) / n as f64);
        }
        "late" => return Some(p99(sleepers(n).await)),
        _ => return None,
    }
    Some(per_operation(start, n))
}

async fn yields(n: u64) {
    for _ in 0..n {
        yield_now().await;
    }
}

async fn stream(capacity: usize, senders: u64, n: u64) {
    let (tx, mut rx) = mpsc::channel(capacity);
    for _ in 0..senders {
        let tx = tx.clone();
        spawn(async move {
            for i in 0..n / senders {
                tx.send(i).await.unwrap();
            }
        });
    }
    drop(tx);
    let mut count = 0;
    while rx.recv().await.is_some() {
        count += 1;
    }
    assert_eq!(count, n);
}

async fn select4(n: u64) {
    let [mut a, mut b, mut c, mut d] = std::array::from_fn(|_| {
        let (tx, rx) = mpsc::channel::<u64>(1);
        spawn(async move {
            for i in 0..n / 4 {
                tx.send(i).await.unwrap();
            }
        });
        rx
    });
    let mut sum = 0;
    for _ in 0..n {
        sum += tokio::select! {
            Some(i) = a.recv() => i,
            Some(i) = b.recv() => i,
            Some(i) = c.recv() => i,
            Some(i) = d.recv() => i,
        };
    }
    assert!(sum > 0);
}

async fn mutex100(n: u64) {
    let mutex = Arc::new(Mutex::new(0_u64));
    let all: Vec<_> = (0..100)
        .map(|_| {
            let mutex = Arc::clone(&mutex);
            spawn(async move {
                for i in 0..n / 100 {
                    let mut guard = mutex.lock().await;
                    *guard += 1;
                    if i % 100 == 0 {
                        yield_now().await;
                    }
                }
            })
        })
        .collect();
    for one in all {
        one.await.unwrap();
    }
}

async fn sleepers(n: u64) -> Vec<u64> {
    let all: Vec<_> = (0..n)
        .map(|i| {
            spawn(async move {
                let due = Instant::now() + nap(i);
                sleep(nap(i)).await;
                due.elapsed().as_nanos() as u64
            })
        })
        .collect();
    let mut late = Vec::with_capacity(all.len());
    for one in all {
        late.push(one.await.unwrap());
    }
    late
}

//! tokio, on its runtime of several threads and on that of the current one. It has no channel without a buffer: the smallest
//! holds one message.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Runtime},
    sync::{Mutex, mpsc},
    task::{spawn, yield_now},
    time::timeout,
};

use crate::{
    measure::{Answer, Task, Window, memory, not},
    tokio_late as late,
};

pub fn multi(task: &Task) -> Answer {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(task.procs).enable_time().build();
    run(task, runtime.map_err(|error| error.to_string())?)
}

pub fn current(task: &Task) -> Answer {
    if task.procs > 1 {
        return not("one thread");
    }
    let runtime = Builder::new_current_thread().enable_time().build();
    run(task, runtime.map_err(|error| error.to_string())?)
}

fn run(task: &Task, runtime: Runtime) -> Answer {
    if ["blockers", "loops"].contains(&task.row.as_str()) {
        return late::ticker(task, runtime);
    }
    let task = task.clone();
    let ended = runtime.block_on(async move { spawn(measured(task)).await });
    ended.map_err(|error| error.to_string())?
}

/// As [`Task::steady`], for what has to be awaited.
async fn steady<F: Future<Output = f64>>(
    task: &Task,
    least: u64,
    run: impl Fn(u64) -> F,
) -> Answer {
    let (wanted, mut n) = (task.millis as f64 * 1e6, least);
    loop {
        let took = run(n).await;
        if took > wanted * 0.4 {
            return Ok(vec![("ns", took / n as f64)]);
        }
        n = (n as f64 * (wanted / took).clamp(2.0, 20.0)) as u64;
    }
}

async fn measured(task: Task) -> Answer {
    let size = task.size;
    match task.row.as_str() {
        "switch" => not("its tasks have no stacks to switch"),
        "yield" => steady(&task, 4 * size, |n| yields(size, n)).await,
        "pairs" => steady(&task, 4 * size, |n| pairs(size, n)).await,
        "buffered" => steady(&task, 10_000, |n| stream(1, n)).await,
        "fanin" => steady(&task, 10_000, |n| stream(100, n / 100 * 100)).await,
        "select4" => steady(&task, 1000, |n| select4(n / 4 * 4)).await,
        "mutex" => steady(&task, 10_000, mutexes).await,
        "spawn" if size <= 1000 => steady(&task, size, |n| rounds(size, n)).await,
        "spawn" => Ok(vec![("ns", rounds(size, size).await / size as f64)]),
        "skynet" => skynet(size).await,
        "forkjoin" => forked(size).await,
        "timers" => steady(&task, 1000, timers).await,
        "parked" => parked(size).await,
        "sleepers" => late::sleepers(size).await,
        "naps" => late::naps(task.millis).await,
        other => not(&format!("does not know {other}")),
    }
}

fn took(start: Instant) -> f64 {
    start.elapsed().as_nanos() as f64
}

async fn yields(tasks: u64, n: u64) -> f64 {
    let window = Window::new(tasks);
    let one = || {
        let window = Arc::clone(&window);
        spawn(async move {
            window.start();
            while !window.all_started() {
                yield_now().await;
            }
            for _ in 0..n / tasks {
                yield_now().await;
            }
            window.end();
        })
    };
    let all: Vec<_> = (0..tasks).map(|_| one()).collect();
    for one in all {
        one.await.unwrap();
    }
    window.took()
}

async fn pairs(pairs: u64, n: u64) -> f64 {
    let window = Window::new(pairs);
    let mut all = Vec::new();
    for _ in 0..pairs {
        let (tx, mut rx) = mpsc::channel(1);
        let each = n / pairs;
        all.push(spawn(async move {
            for i in 0..=each {
                tx.send(i).await.unwrap();
            }
        }));
        let window = Arc::clone(&window);
        all.push(spawn(async move {
            assert_eq!(rx.recv().await, Some(0));
            window.start();
            while !window.all_started() {
                yield_now().await;
            }
            for i in 1..=each {
                assert_eq!(rx.recv().await, Some(i));
            }
            window.end();
        }));
    }
    for one in all {
        one.await.unwrap();
    }
    window.took()
}

async fn stream(senders: u64, n: u64) -> f64 {
    let (tx, mut rx) = mpsc::channel(128);
    let start = Instant::now();
    for _ in 0..senders {
        let tx = tx.clone();
        spawn(async move {
            for i in 0..n / senders {
                tx.send(i).await.unwrap();
            }
        });
    }
    for _ in 0..n {
        rx.recv().await.unwrap();
    }
    took(start)
}

async fn select4(n: u64) -> f64 {
    let start = Instant::now();
    let [mut a, mut b, mut c, mut d] = std::array::from_fn(|_| {
        let (tx, rx) = mpsc::channel::<u64>(1);
        spawn(async move {
            for i in 0..n / 4 {
                tx.send(i).await.unwrap();
            }
        });
        rx
    });
    for _ in 0..n {
        tokio::select! {
            Some(i) = a.recv() => i,
            Some(i) = b.recv() => i,
            Some(i) = c.recv() => i,
            Some(i) = d.recv() => i,
        };
    }
    took(start)
}

async fn mutexes(n: u64) -> f64 {
    let mutex = Arc::new(Mutex::new(0_u64));
    let start = Instant::now();
    let one = || {
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
    };
    let all: Vec<_> = (0..100).map(|_| one()).collect();
    for one in all {
        one.await.unwrap();
    }
    took(start)
}

async fn rounds(size: u64, n: u64) -> f64 {
    let start = Instant::now();
    for _ in 0..n / size {
        let all: Vec<_> = (0..size).map(|_| spawn(async {})).collect();
        for one in all {
            one.await.unwrap();
        }
    }
    took(start)
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

async fn skynet(leaves: u64) -> Answer {
    let size = 10_u64.pow(leaves.ilog10());
    let start = Instant::now();
    let (tx, mut rx) = mpsc::channel(1);
    spawn(branch(tx, 0, size));
    assert_eq!(rx.recv().await, Some(size * (size - 1) / 2));
    Ok(vec![("ns", took(start) / size as f64), ("n", size as f64)])
}

fn branch(up: mpsc::Sender<u64>, first: u64, size: u64) -> Boxed<()> {
    Box::pin(async move {
        if size == 1 {
            return up.send(first).await.unwrap();
        }
        let (tx, mut rx) = mpsc::channel(1);
        for i in 0..10 {
            spawn(branch(tx.clone(), first + i * (size / 10), size / 10));
        }
        let mut sum = 0;
        for _ in 0..10 {
            sum += rx.recv().await.unwrap();
        }
        up.send(sum).await.unwrap();
    })
}

async fn forked(leaves: u64) -> Answer {
    let size = 1 << leaves.ilog2();
    let start = Instant::now();
    assert_eq!(fork(size).await, size);
    Ok(vec![("ns", took(start) / size as f64), ("n", size as f64)])
}

fn fork(leaves: u64) -> Boxed<u64> {
    Box::pin(async move {
        if leaves == 1 {
            return std::hint::black_box(1);
        }
        let a = spawn(fork(leaves / 2));
        let b = fork(leaves / 2).await;
        a.await.unwrap() + b
    })
}

async fn timers(n: u64) -> f64 {
    let (tx, mut rx) = mpsc::channel(1);
    let start = Instant::now();
    spawn(async move {
        for i in 0..n {
            tx.send(i).await.unwrap();
        }
    });
    let hour = Duration::from_secs(3600);
    for i in 0..n {
        assert_eq!(timeout(hour, rx.recv()).await, Ok(Some(i)));
    }
    took(start)
}

async fn parked(size: u64) -> Answer {
    let before = memory();
    let window = Window::new(size);
    let start = Instant::now();
    for _ in 0..size {
        let window = Arc::clone(&window);
        spawn(async move {
            window.start();
            std::future::pending::<()>().await;
        });
    }
    while !window.all_started() {
        yield_now().await;
    }
    let took = took(start);
    Ok(vec![
        ("ns", took / size as f64),
        ("bytes", (memory() - before) / size as f64),
    ])
}

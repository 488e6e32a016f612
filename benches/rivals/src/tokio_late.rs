//! Workloads of time on tokio: sleepers, and a ticker beside tasks that hold the CPUs.

use std::{future::pending, sync::Arc, thread, time::Instant};

use tokio::{runtime::Runtime, task::spawn, time::sleep};

use crate::{
    late::{TICK, Ticks, hold},
    measure::{Answer, Task, cpu_time, lateness, nap},
};

pub async fn sleepers(n: u64) -> Answer {
    let before = cpu_time();
    let one = |i| {
        spawn(async move {
            let due = Instant::now() + nap(i);
            sleep(nap(i)).await;
            due.elapsed().as_nanos() as u64
        })
    };
    let all: Vec<_> = (0..n).map(one).collect();
    let mut late = Vec::with_capacity(all.len());
    for one in all {
        late.push(one.await.unwrap());
    }
    let cpu = (cpu_time() - before) / n as f64;
    let [p99, max] = lateness(late);
    Ok(vec![("cpu_ns", cpu), p99, max])
}

/// One that sleeps for a millisecond, again and again.
pub async fn naps(millis: u64) -> Answer {
    let before = cpu_time();
    for _ in 0..millis {
        sleep(TICK).await;
    }
    Ok(vec![(
        "cpu_us",
        (cpu_time() - before) / millis as f64 / 1e3,
    )])
}

/// A ticker beside so many that hold the CPUs. A plain thread calls this.
pub fn ticker(task: &Task, runtime: Runtime) -> Answer {
    let ticks = Arc::new(Ticks::default());
    let ticker = Arc::clone(&ticks);
    for _ in 0..task.size {
        let row = task.row.clone();
        runtime.spawn(async move { hold(&row) });
    }
    runtime.spawn(async move {
        loop {
            let due = Instant::now() + TICK;
            sleep(TICK).await;
            if !ticker.add(due) {
                break;
            }
        }
    });
    // What runs on the current thread runs on this one.
    thread::spawn(move || runtime.block_on(pending::<()>()));
    ticks.wait()
}

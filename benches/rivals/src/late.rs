//! Workloads of time: sleepers, and a ticker beside tasks that hold the CPUs.

use std::{
    hint, mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    kit::Kit,
    measure::{Answer, Task, cpu_time, lateness, nap, not},
};

pub fn sleepers<K: Kit>(n: u64) -> Answer {
    let before = cpu_time();
    let one = |i| {
        K::spawn(move || {
            let due = Instant::now() + nap(i);
            K::sleep(nap(i));
            due.elapsed().as_nanos() as u64
        })
    };
    let all: Vec<_> = (0..n).map(one).collect();
    let late: Vec<u64> = all.into_iter().map(K::join).collect();
    let cpu = (cpu_time() - before) / n as f64;
    let [p99, max] = lateness(late);
    Ok(vec![("cpu_ns", cpu), p99, max])
}

/// One that sleeps for a millisecond, again and again.
pub fn naps<K: Kit>(millis: u64) -> Answer {
    let before = cpu_time();
    (0..millis).for_each(|_| K::sleep(TICK));
    Ok(vec![(
        "cpu_us",
        (cpu_time() - before) / millis as f64 / 1e3,
    )])
}

pub const TICK: Duration = Duration::from_millis(1);
/// How long a thread is blocked, without a word to the runtime.
const BLOCK: Duration = Duration::from_millis(20);
const TICKS: usize = 200;

/// What the ticks of a ticker have told, and whether they are all.
#[derive(Default)]
pub struct Ticks(Mutex<Vec<u64>>, AtomicBool);

impl Ticks {
    /// Whether there are to be more.
    pub fn add(&self, due: Instant) -> bool {
        let mut late = self.0.lock().unwrap();
        late.push(due.elapsed().as_nanos() as u64);
        if late.len() == TICKS {
            self.1.store(true, SeqCst);
        }
        late.len() < TICKS
    }

    /// Waits on a plain thread, which nothing holds up.
    pub fn wait(&self) -> Answer {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(6) {
            if self.1.load(SeqCst) {
                return Ok(lateness(mem::take(&mut *self.0.lock().unwrap())).into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        match self.0.lock().unwrap().len() {
            0 => not("the ticker never runs"),
            ticks => not(&format!("{ticks} ticks in 6 s")),
        }
    }
}

/// What holds a CPU.
pub fn hold(row: &str) -> ! {
    loop {
        match row {
            "blockers" => thread::sleep(BLOCK),
            _ => (0..1000).for_each(|_| hint::spin_loop()),
        }
    }
}

/// A ticker beside so many that hold the CPUs. A plain thread calls this.
pub fn ticker<K: Kit>(task: &Task) -> Answer {
    let ticks = Arc::new(Ticks::default());
    let ticker = Arc::clone(&ticks);
    for _ in 0..task.size {
        let row = task.row.clone();
        K::spawn(move || hold(&row));
    }
    K::spawn(move || {
        loop {
            let due = Instant::now() + TICK;
            K::sleep(TICK);
            if !ticker.add(due) {
                break;
            }
        }
    });
    ticks.wait()
}

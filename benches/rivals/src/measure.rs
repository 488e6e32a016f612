//! What the workloads measure with.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

/// Figures by their names, or why there are none.
pub type Answer = Result<Vec<(&'static str, f64)>, String>;

/// What is asked for.
#[derive(Clone)]
pub struct Task {
    pub row: String,
    pub procs: usize,
    /// How many tasks, pairs or leaves; what the row says.
    pub size: u64,
    /// How long to measure, about.
    pub millis: u64,
}

impl Task {
    pub fn of(row: &str, procs: &str, size: &str, millis: &str) -> Option<Task> {
        Some(Task {
            row: row.to_owned(),
            procs: procs.parse().ok()?,
            size: size.parse().ok()?,
            millis: millis.parse().ok()?,
        })
    }

    /// Nanoseconds an operation: `run` does so many and returns how long they took. More and more are done, until they take
    /// a good part of the time; at least `least`.
    pub fn steady(&self, least: u64, mut run: impl FnMut(u64) -> f64) -> Answer {
        let (wanted, mut n) = (self.millis as f64 * 1e6, least);
        loop {
            let took = run(n);
            if took > wanted * 0.4 {
                return Ok(vec![("ns", took / n as f64)]);
            }
            n = (n as f64 * (wanted / took).clamp(2.0, 20.0)) as u64;
        }
    }
}

pub fn not(why: &str) -> Answer {
    Err(why.to_owned())
}

/// From when all have started to when all have ended.
pub struct Window {
    all: u64,
    origin: Instant,
    started: AtomicU64,
    ended: AtomicU64,
    times: [AtomicU64; 2],
}

impl Window {
    pub fn new(all: u64) -> Arc<Window> {
        Arc::new(Window {
            all,
            origin: Instant::now(),
            started: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            times: [AtomicU64::new(0), AtomicU64::new(0)],
        })
    }

    fn count(&self, counter: &AtomicU64, time: usize) {
        if counter.fetch_add(1, SeqCst) + 1 == self.all {
            let now = self.origin.elapsed().as_nanos() as u64;
            self.times[time].store(now, SeqCst);
        }
    }

    pub fn start(&self) {
        self.count(&self.started, 0);
    }

    pub fn all_started(&self) -> bool {
        self.started.load(SeqCst) >= self.all
    }

    pub fn end(&self) {
        self.count(&self.ended, 1);
    }

    /// In nanoseconds, after all have ended.
    pub fn took(&self) -> f64 {
        (self.times[1].load(SeqCst) - self.times[0].load(SeqCst)) as f64
    }
}

/// How long the sleepers sleep, by number: spread over two seconds, in no order.
pub fn nap(number: u64) -> Duration {
    Duration::from_micros(number.wrapping_mul(2_654_435_761) % 2_000_000)
}

/// How late: the 99th percentile and the most, in microseconds.
pub fn lateness(mut late: Vec<u64>) -> [(&'static str, f64); 2] {
    late.sort_unstable();
    let us = |place: usize| late[place] as f64 / 1000.0;
    [
        ("p99_us", us(late.len() * 99 / 100)),
        ("max_us", us(late.len() - 1)),
    ]
}

/// CPU time of this process, in nanoseconds.
pub fn cpu_time() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel writes the time to the place that it is given, and keeps nothing.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Memory of this process with its page tables, in bytes.
pub fn memory() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let lines = status
        .lines()
        .filter(|line| line.starts_with("VmRSS:") || line.starts_with("VmPTE:"));
    let kilobytes = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kilobytes.sum::<f64>() * 1024.0
}

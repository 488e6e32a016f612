//! Many sleepers, and two goroutines that unpark each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use goroutines::{Builder, thread};

use crate::random::Random;
use crate::report::failure::Failure;
use crate::stopwatch::Stopwatch;

/// What sleeps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sleeper {
    /// A goroutine on a stack of its own.
    OwnStack,
    /// A goroutine whose stack is copied.
    CopyStack,
    /// An OS thread.
    Thread,
}

enum Handle {
    Goroutine(thread::JoinHandle<()>),
    Thread(std::thread::JoinHandle<()>),
}

fn start(sleeper: Sleeper, f: impl FnOnce() + Send + 'static) -> Result<Handle, Failure> {
    let started = match sleeper {
        Sleeper::OwnStack => Builder::new().spawn(f).map(Handle::Goroutine),
        // SAFETY: the sleepers lend nothing of their stacks.
        Sleeper::CopyStack => unsafe { Builder::new().copy_stack() }
            .spawn(f)
            .map(Handle::Goroutine),
        Sleeper::Thread => std::thread::Builder::new()
            .stack_size(64 << 10)
            .spawn(f)
            .map(Handle::Thread),
    };
    started.map_err(|error| Failure::run(format!("cannot start a sleeper: {error}")))
}

/// Lets so many sleep, each for a time of up to `longest`. Returns the processor time of each in nanoseconds, and how late
/// they resumed: in microseconds, shortest first.
pub(super) fn sleepers(
    sleeper: Sleeper,
    count: u32,
    longest: Duration,
) -> Result<(f64, Vec<u32>), Failure> {
    let late: Arc<[AtomicU32]> = (0..count).map(|_| AtomicU32::new(0)).collect();
    let mut random = Random::new();
    let watch = Stopwatch::start().map_err(Failure::run)?;
    let mut handles = Vec::with_capacity(count as usize);
    for index in 0..count as usize {
        let rest = Duration::from_nanos(random.below(longest.as_nanos() as u64 + 1));
        let late = Arc::clone(&late);
        handles.push(start(sleeper, move || {
            let due = Instant::now() + rest;
            if sleeper == Sleeper::Thread {
                std::thread::sleep(rest);
            } else {
                thread::sleep(rest);
            }
            // Relaxed: read after the join.
            late[index].store(due.elapsed().as_micros() as u32, Ordering::Relaxed);
        })?);
    }
    for handle in handles {
        let joined = match handle {
            Handle::Goroutine(handle) => handle.join(),
            Handle::Thread(handle) => handle.join(),
        };
        joined.map_err(|_| Failure::run("a sleeper panicked"))?;
    }
    let took = watch.took().map_err(Failure::run)?;
    // Relaxed: the joins order the stores before this.
    let mut late: Vec<u32> = late.iter().map(|l| l.load(Ordering::Relaxed)).collect();
    late.sort_unstable();
    Ok((took.processor / f64::from(count), late))
}

/// Nanoseconds of processor time for a wait that an `unpark` of another goroutine ends.
pub(super) fn hand_over(turns: u32, timeout: Option<Duration>) -> Result<f64, Failure> {
    let wait = move || match timeout {
        Some(timeout) => thread::park_timeout(timeout),
        None => thread::park(),
    };
    let watch = Stopwatch::start().map_err(Failure::run)?;
    let both = thread::spawn(move || {
        let first = thread::current();
        let second = thread::spawn(move || {
            for _ in 0..turns {
                wait();
                first.unpark();
            }
        });
        for _ in 0..turns {
            second.thread().unpark();
            wait();
        }
        second.join()
    });
    both.join()
        .and_then(|inner| inner)
        .map_err(|_| Failure::run("a goroutine that unparks panicked"))?;
    let took = watch.took().map_err(Failure::run)?;
    Ok(took.processor / f64::from(2 * turns))
}

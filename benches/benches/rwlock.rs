//! The reader-writer lock: free, and used by a hundred (per time that it is locked); beside it std's with threads.

mod common;

use std::hint::black_box;
use std::io;
use std::sync;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use goroutines::{go, yield_now};
use goroutines_benches::sample::Sample;
use goroutines_benches::switch::rows::goroutine;

/// So many use it together.
const USERS: u64 = 100;

/// Every so many times one writes.
const WRITE_EVERY: u64 = 10;

/// Times `operations` calls of `once`.
fn time(operations: u64, mut once: impl FnMut() -> io::Result<()>) -> io::Result<Sample> {
    let start = Instant::now();
    for _ in 0..operations {
        once()?;
    }
    Ok(Sample {
        elapsed: start.elapsed(),
        operations,
    })
}

fn poisoned<E>(_: E) -> io::Error {
    io::Error::other("poisoned")
}

fn goroutine_reads(operations: u64) -> io::Result<Sample> {
    goroutine::on_goroutine(move || {
        let lock = goroutines::sync::RwLock::new(0_u64);
        time(operations, || {
            black_box(*black_box(&lock).read().map_err(poisoned)?);
            Ok(())
        })
    })
}

fn goroutine_writes(operations: u64) -> io::Result<Sample> {
    goroutine::on_goroutine(move || {
        let lock = goroutines::sync::RwLock::new(0_u64);
        time(operations, || {
            *black_box(&lock).write().map_err(poisoned)? += 1;
            Ok(())
        })
    })
}

fn thread_reads(operations: u64) -> io::Result<Sample> {
    let lock = sync::RwLock::new(0_u64);
    time(operations, || {
        black_box(*black_box(&lock).read().map_err(poisoned)?);
        Ok(())
    })
}

fn thread_writes(operations: u64) -> io::Result<Sample> {
    let lock = sync::RwLock::new(0_u64);
    time(operations, || {
        *black_box(&lock).write().map_err(poisoned)? += 1;
        Ok(())
    })
}

/// A hundred goroutines; each yields inside, so that the next meets a locked lock.
fn goroutines_use(operations: u64) -> io::Result<Sample> {
    let each = operations.div_ceil(USERS);
    goroutine::on_goroutine(move || {
        let lock = Arc::new(goroutines::sync::RwLock::new(0_u64));
        let user = |first: u64| {
            let lock = Arc::clone(&lock);
            move || {
                for n in first..first + each {
                    if n.is_multiple_of(WRITE_EVERY) {
                        let mut held = lock.write().map_err(poisoned)?;
                        *held += 1;
                        yield_now();
                    } else {
                        let held = lock.read().map_err(poisoned)?;
                        black_box(*held);
                        yield_now();
                    }
                }
                Ok::<_, io::Error>(())
            }
        };
        let start = Instant::now();
        let users: Vec<_> = (0..USERS).map(|i| go(user(i))).collect();
        for user in users {
            user.join().map_err(poisoned)??;
        }
        Ok(Sample {
            elapsed: start.elapsed(),
            operations: each * USERS,
        })
    })
}

/// The same with threads and std's lock.
fn threads_use(operations: u64) -> io::Result<Sample> {
    let each = operations.div_ceil(USERS);
    let lock = sync::RwLock::new(0_u64);
    let user = &|first: u64| -> io::Result<()> {
        for n in first..first + each {
            if n.is_multiple_of(WRITE_EVERY) {
                let mut held = lock.write().map_err(poisoned)?;
                *held += 1;
                thread::yield_now();
            } else {
                let held = lock.read().map_err(poisoned)?;
                black_box(*held);
                thread::yield_now();
            }
        }
        Ok(())
    };
    let start = Instant::now();
    thread::scope(|scope| {
        let users: Vec<_> = (0..USERS).map(|i| scope.spawn(move || user(i))).collect();
        users
            .into_iter()
            .try_for_each(|user| user.join().map_err(poisoned)?)
    })?;
    Ok(Sample {
        elapsed: start.elapsed(),
        operations: each * USERS,
    })
}

fn main() {
    common::pin_and_start();
    let mut criterion = common::criterion();
    let mut group = criterion.benchmark_group("rwlock, uncontended");
    common::bench(&mut group, "goroutine, read", goroutine_reads);
    common::bench(&mut group, "thread, std::sync::RwLock, read", thread_reads);
    common::bench(&mut group, "goroutine, write", goroutine_writes);
    common::bench(
        &mut group,
        "thread, std::sync::RwLock, write",
        thread_writes,
    );
    group.finish();
    let mut group = criterion.benchmark_group("rwlock, used by 100, 1 in 10 writes");
    common::bench(&mut group, "goroutines", goroutines_use);
    common::bench(&mut group, "threads, std::sync::RwLock", threads_use);
    group.finish();
    criterion.final_summary();
}

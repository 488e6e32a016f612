//! What `goroutines::grow` costs: the look at the stack, a crossing to a segment and back, and a recursion that crosses
//! the edge of its stack at every turn. Each on a goroutine and on a plain thread.

mod common;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{BenchmarkGroup, measurement::WallTime};
use goroutines::{Builder, grow};

/// More than is left of the stacks here, so that each call crosses.
const ALWAYS: usize = 600 << 10;

/// Less than is left of any.
const NEVER: usize = 32 << 10;

#[inline(never)]
fn add(n: u64) -> u64 {
    black_box(n) + 1
}

fn time(rounds: u64, mut one: impl FnMut(u64) -> u64) -> Duration {
    let start = Instant::now();
    let mut sum = 0;
    for n in 0..rounds {
        sum = one(sum ^ n);
    }
    black_box(sum);
    start.elapsed()
}

/// A hundred levels below the edge and back: with the spare, and with a segment that is larger than what is kept.
fn deep(levels: u32) -> u64 {
    let frame = black_box([levels; 64]);
    match levels {
        0 => 0,
        _ => deep(levels - 1) + u64::from(frame[1]),
    }
}

type Program = fn(u64) -> Duration;

fn programs() -> [(&'static str, Program); 5] {
    [
        ("a call", |rounds| time(rounds, add)),
        ("a call, looked", |rounds| {
            time(rounds, |n| grow(NEVER, || add(n)))
        }),
        ("a crossing", |rounds| {
            time(rounds, |n| grow(ALWAYS, || add(n)))
        }),
        ("100 levels here", |rounds| time(rounds, |_| deep(100))),
        ("100 levels across the edge", |rounds| {
            time(rounds, |_| grow(ALWAYS, || deep(100)))
        }),
    ]
}

fn bench(group: &mut BenchmarkGroup<'_, WallTime>, on: fn(Program, u64) -> Duration) {
    for (name, program) in programs() {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| on(program, rounds));
        });
    }
}

fn on_a_goroutine(program: Program, rounds: u64) -> Duration {
    let run = Builder::new().spawn(move || program(rounds));
    run.expect("a goroutine").join().expect("no panic")
}

fn on_a_thread(program: Program, rounds: u64) -> Duration {
    let thread = std::thread::Builder::new().stack_size(512 << 10);
    let run = thread.spawn(move || program(rounds));
    run.expect("a thread").join().expect("no panic")
}

fn main() {
    common::pin_and_start();
    let mut criterion = common::criterion();
    let mut group = criterion.benchmark_group("grow, goroutine");
    bench(&mut group, on_a_goroutine);
    group.finish();
    let mut group = criterion.benchmark_group("grow, thread");
    bench(&mut group, on_a_thread);
    group.finish();
    criterion.final_summary();
}

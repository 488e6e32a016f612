//! What stacks cost: time for each step of their life, memory for each that is parked.
//!
//! `cargo run --release -p goroutines-stack --example costs [stacks]`

use std::fmt;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Instant;

use goroutines_stack::{Cache, Class, Hooks, SignalStack, Stack, Step, acquire, install, release};

/// The stack this program pretends to run on. One thread uses it, so all orderings are Relaxed.
static CURRENT: AtomicPtr<Stack> = AtomicPtr::new(ptr::null_mut());

fn current() -> *mut Stack {
    CURRENT.load(Ordering::Relaxed)
}

fn describe(out: &mut dyn fmt::Write) {
    let _ = out.write_str("the cost report");
}

fn main() -> io::Result<()> {
    let stacks = match std::env::args().nth(1) {
        None => 100_000,
        Some(text) => text.parse().map_err(|_| {
            let message = format!("number of stacks {text:?}: give a positive integer");
            io::Error::new(io::ErrorKind::InvalidInput, message)
        })?,
    };
    // SAFETY: `CURRENT` is null or points to a stack that `growth` keeps alive; the hooks only load it.
    unsafe {
        install(Hooks {
            current,
            stack_pointer: |_| 0,
            describe,
            origin: || None,
            remedy: || None,
        })?
    };
    let _signals = SignalStack::install()?;

    reuse()?;
    growth()?;
    for &class in Class::ALL {
        parked(class, stacks)?;
    }
    Ok(())
}

/// Nanoseconds for each of `n` rounds: the median of nine runs.
fn ns(n: usize, mut round: impl FnMut()) -> f64 {
    let mut runs: Vec<f64> = (0..9)
        .map(|_| {
            let start = Instant::now();
            (0..n).for_each(|_| round());
            start.elapsed().as_nanos() as f64 / n as f64
        })
        .collect();
    runs.sort_by(f64::total_cmp);
    runs[4]
}

fn reuse() -> io::Result<()> {
    let mut cache = Cache::new();
    let stack = cache.acquire(Class::DEFAULT)?;
    cache.release(stack);
    let own = ns(1_000_000, || {
        let stack = cache.acquire(Class::DEFAULT).expect("it was there before");
        cache.release(std::hint::black_box(stack));
    });
    let mut batch = Vec::with_capacity(1000);
    let thousand = ns(100, || {
        batch.extend((0..1000).map(|_| cache.acquire(Class::DEFAULT).expect("a stack")));
        batch.drain(..).for_each(|stack| cache.release(stack));
    });
    let shared = ns(1_000_000, || {
        let stack = acquire(Class::DEFAULT).expect("it was there before");
        release(std::hint::black_box(stack));
    });
    println!("reuse through a cache           {own:8.1} ns");
    println!(
        "the same, a thousand at a time  {:8.1} ns",
        thousand / 1000.0
    );
    println!("reuse through the shared list   {shared:8.1} ns");
    Ok(())
}

/// A growth step with the first touch of one page, the same touch without a guard, and the way back.
fn growth() -> io::Result<()> {
    const ROUNDS: usize = 2000;
    let start = Step::for_start(64 << 10).map_err(io::Error::from)?;
    let mut cache = Cache::new();
    let (mut step, mut touch, mut reset) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut stack = cache.acquire_at(Class::DEFAULT, start)?;
        CURRENT.store(&raw mut stack, Ordering::Relaxed);
        let write = |below: usize| {
            let start = Instant::now();
            // SAFETY: inside the window, on which nothing runs.
            unsafe { stack.top().sub(below).write_volatile(1) };
            start.elapsed().as_nanos()
        };
        step.push(write(66 << 10));
        touch.push(write(80 << 10));
        CURRENT.store(ptr::null_mut(), Ordering::Relaxed);
        let before = Instant::now();
        cache.release(stack);
        reset.push(before.elapsed().as_nanos());
    }
    for (name, times) in [
        ("growth step with first touch", &mut step),
        ("first touch of a page", &mut touch),
        ("release of a grown stack", &mut reset),
    ] {
        times.sort_unstable();
        println!("{name:31} {:8} ns", times[ROUNDS / 2]);
    }
    Ok(())
}

/// Acquires and touches stacks and looks at what the process then has.
fn parked(class: Class, count: usize) -> io::Result<()> {
    let mut cache = Cache::new();
    let mut stacks = Vec::with_capacity(count);
    let before = (memory("VmRSS:")?, memory("VmPTE:")?);
    let start = Instant::now();
    for _ in 0..count {
        stacks.push(cache.acquire(class)?);
    }
    let carve = start.elapsed().as_nanos() as usize / count;
    let start = Instant::now();
    for stack in &stacks {
        // SAFETY: inside the window, on which nothing runs.
        unsafe { stack.top().sub(64).write_volatile(1) };
    }
    let touch = start.elapsed().as_nanos() as usize / count;
    let rss = (memory("VmRSS:")? - before.0) / count;
    let tables = (memory("VmPTE:")? - before.1) / count;
    let total = rss + tables;
    println!(
        "{:4} KiB windows, {count} parked: carve {carve} ns, first touch {touch} ns, \
         {rss} B + {tables} B page tables = {total} B each",
        class.window() >> 10
    );
    Ok(())
}

/// A line of /proc/self/status, in bytes.
fn memory(line: &str) -> io::Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let value = status.lines().find_map(|text| text.strip_prefix(line));
    let kilobytes = value.and_then(|text| text.trim().strip_suffix(" kB")?.trim().parse().ok());
    let kilobytes: usize = kilobytes
        .ok_or_else(|| io::Error::other(format!("/proc/self/status has no number for {line}")))?;
    Ok(kilobytes << 10)
}

//! What a step of a guarded stack costs.
//!
//! Goroutines walk down their fresh stacks page by page, as deep calls would, and time the first write to each page. Where
//! the count of growth faults went up, the page was a soft guard and the write was a step: a fault, its signal, the guard's
//! move, and the page's first touch. All others are demand faults: the first touch alone. No goroutine ends before the
//! last has walked, so every window and every page is new.

use std::convert::Infallible;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use goroutines::chan::{self, Receiver, Sender};
use goroutines::{Builder, Config, JoinHandle};
use goroutines_sched::growth_faults;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::figure::{Bound, Figure, Unit};
use super::{finished, on_goroutine};
use crate::stats::Summary;

/// What is walked below the goroutine's frames: past the step at 64 KiB, and far from the end of the default window.
const WALK: usize = 96 << 10;

/// Steps on the way of guarded stacks, from two starts (see the steps of the stack crate: 4, 16 and 64 KiB below the
/// window's end).
const STARTS: [(usize, &str, usize); 2] = [
    (64 << 10, "stack_start(65536)", 1),
    (2048, "stack_start(2048)", 3),
];

/// Calls between two looks at the clock, for what is too short to be timed alone.
const CALLS: u32 = 100;

/// What the walks of several goroutines met, in nanoseconds.
#[derive(Default)]
struct Walks {
    steps: Vec<f64>,
    demands: Vec<f64>,
}

/// The least window that has room for the walk and for the frames above it.
const ROOM: usize = 256 << 10;

/// Runs the scenario, once in a process, with `windows` fresh stacks for each kind of start. They may grow to `stack` bytes,
/// but not to less than the walk needs.
///
/// # Errors
///
/// When the runtime cannot be started, a goroutine cannot be made, or the kernel refuses a signal.
pub fn run(windows: usize, stack: Option<usize>, config: Config) -> io::Result<Vec<Figure>> {
    on_goroutine(config, move || measure(windows, stack))
}

fn measure(windows: usize, stack: Option<usize>) -> io::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut medians = None;
    let signals = signals(windows)?;
    for (start, name, steps) in STARTS {
        let before = growth_faults();
        let walks = walk_many(windows, stack, start)?;
        let counted = (growth_faults() - before) as f64;
        if medians.is_none() {
            medians = Some((
                median(&walks.steps),
                median(&walks.demands) + median(&signals),
            ));
            figures.push(Figure::median("demand fault", &walks.demands));
        }
        figures.push(Figure::median(format!("growth step, {name}"), &walks.steps));
        figures.push(
            Figure::new(format!("growth steps, {name}"), counted, Unit::Count)
                .within(Bound::Exactly((windows * steps) as f64)),
        );
    }
    figures.push(Figure::median("signal and its return", &signals));
    figures.push(Figure::median("bare system call", &syscalls(windows)));
    if let Some((step, parts)) = medians {
        let ratio = Figure::new("step / (demand fault + signal)", step / parts, Unit::Ratio);
        figures.push(ratio.within(Bound::AtMost(3.0)));
    }
    Ok(figures)
}

fn median(samples: &[f64]) -> f64 {
    Summary::of(samples).map_or(f64::NAN, |summary| summary.median)
}

fn walk_many(windows: usize, stack: Option<usize>, start: usize) -> io::Result<Walks> {
    let (gate, closed) = chan::bounded::<Infallible>(0);
    let (results, walked) = chan::bounded(0);
    let mut walks = Walks::default();
    let mut handles = Vec::with_capacity(windows);
    for _ in 0..windows {
        handles.push(spawn(stack, start, results.clone(), closed.clone())?);
        let one: Walks = walked
            .recv()
            .map_err(|_| io::Error::other("a walk ended early"))?;
        walks.steps.extend(one.steps);
        walks.demands.extend(one.demands);
    }
    drop(gate);
    for handle in handles {
        finished(handle.join())?;
    }
    Ok(walks)
}

fn spawn(
    stack: Option<usize>,
    start: usize,
    results: Sender<Walks>,
    closed: Receiver<Infallible>,
) -> io::Result<JoinHandle<()>> {
    let window = stack.unwrap_or(1 << 20).max(ROOM);
    let builder = Builder::new().stack_size(window).stack_start(start);
    builder.spawn(move || {
        let walks = walk();
        if results.send(walks).is_ok() {
            // Keeps the window, until the gate is dropped.
            let _ = closed.recv();
        }
    })
}

/// Writes to each page below this frame.
#[inline(never)]
fn walk() -> Walks {
    let mut walks = Walks::default();
    let page = page_size();
    let pages = WALK / page;
    walks.steps.reserve(pages);
    walks.demands.reserve(pages);
    let here = (&raw mut walks).expose_provenance() & !(page - 1);
    for below in 1..=pages {
        let place = ptr::with_exposed_provenance_mut::<u8>(here - below * page);
        let faults = growth_faults();
        let start = Instant::now();
        // SAFETY: `WALK` below this frame is inside the goroutine's window, which has at least `ROOM` bytes, and no frame lies there.
        unsafe { place.write_volatile(1) };
        let took = start.elapsed().as_nanos() as f64;
        if growth_faults() > faults {
            walks.steps.push(took);
        } else if below > 1 {
            // Calls from here may have used the next page already, but no further one.
            walks.demands.push(took);
        }
    }
    walks
}

fn page_size() -> usize {
    // SAFETY: sysconf takes no pointer and may be called with any number from any thread.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).unwrap_or(4096)
}

static HANDLED: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_: libc::c_int) {
    // Relaxed: counted and read on one thread.
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

/// Nanoseconds for a signal that this thread sends to itself, handled on its signal stack.
fn signals(rounds: usize) -> io::Result<Vec<f64>> {
    let action = SigAction::new(
        SigHandler::Handler(count),
        SaFlags::SA_ONSTACK,
        SigSet::empty(),
    );
    // SAFETY: the handler only adds to an atomic, which is async-signal-safe.
    unsafe { sigaction(Signal::SIGUSR1, &action)? };
    // SAFETY: neither call takes a pointer.
    let (process, thread) = unsafe { (libc::getpid(), libc::syscall(libc::SYS_gettid)) };
    let samples = timed(rounds, || {
        // SAFETY: no pointer is passed, and the signal has a handler. Nothing here parks, so the thread is this one.
        unsafe { libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGUSR1) };
    });
    // Relaxed: counted on this thread.
    match HANDLED.load(Ordering::Relaxed) {
        handled if handled == rounds as u64 * u64::from(CALLS) => Ok(samples),
        handled => Err(io::Error::other(format!(
            "{handled} of {} signals were handled",
            rounds as u64 * u64::from(CALLS)
        ))),
    }
}

fn syscalls(rounds: usize) -> Vec<f64> {
    timed(rounds, || {
        // SAFETY: getppid takes nothing and cannot fail.
        unsafe { libc::syscall(libc::SYS_getppid) };
    })
}

/// Nanoseconds a call, round by round.
fn timed(rounds: usize, mut call: impl FnMut()) -> Vec<f64> {
    let one = |_| {
        let start = Instant::now();
        (0..CALLS).for_each(|_| call());
        start.elapsed().as_nanos() as f64 / f64::from(CALLS)
    };
    (0..rounds).map(one).collect()
}

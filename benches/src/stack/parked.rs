//! What a parked goroutine costs.
//!
//! A goroutine spawns all others, one after the other as a program would, and lets them run until each waits in `recv` of
//! one channel. Then it looks at the process. The list of their handles belongs to what they cost. At last it closes the
//! channel, joins them all and looks again.
//!
//! How many bytes of each stack are alive then is measured on one goroutine more, which does the same. On a copy stack the
//! frames of `recv` and of the runtime are about 500 bytes already; with a [`Hold::Buffer`] there is more to copy.

use std::convert::Infallible;
use std::hint::black_box;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use goroutines::chan::{self, Receiver};
use goroutines::{Config, JoinHandle, sleep, yield_now};
use goroutines_sched::{GRef, current};

use super::figure::{Bound, Figure, Unit};
use super::memory::{self, Memory};
use super::{Stacks, finished, on_goroutine};
use crate::stopwatch::Stopwatch;

/// What a goroutine keeps alive beside the frames of `recv` and of the runtime.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// The receiver.
    Nothing,
    /// Also a buffer of 256 bytes.
    Buffer,
}

/// The size of the buffer.
const BUFFER: usize = 256;

/// How many goroutines are about to wait.
static ARRIVED: AtomicUsize = AtomicUsize::new(0);

/// The goroutine on which the live bytes are measured.
static SAMPLE: OnceLock<GRef> = OnceLock::new();

/// Runs the scenario, once in a process.
///
/// # Errors
///
/// When the runtime cannot be started, a goroutine cannot be made, or /proc cannot be read.
pub fn run(stacks: Stacks, hold: Hold, count: usize, config: Config) -> io::Result<Vec<Figure>> {
    on_goroutine(config, move || measure(stacks, hold, count))
}

fn measure(stacks: Stacks, hold: Hold, count: usize) -> io::Result<Vec<Figure>> {
    let (gate, closed) = chan::bounded::<Infallible>(0);
    let sample = spawn(stacks, hold, closed.clone())?;
    let live = live_bytes();
    let mut handles = Vec::with_capacity(count);

    let before = Memory::now()?;
    let watch = Stopwatch::start()?;
    for _ in 0..count {
        handles.push(spawn(stacks, hold, closed.clone())?);
    }
    wait_for(1 + count);
    let parking = watch.took()?;
    settle();
    let growth = Memory::now()?.since(before);
    let areas = memory::areas()?;

    let watch = Stopwatch::start()?;
    drop(gate);
    for handle in handles {
        finished(handle.join())?;
    }
    let ending = watch.took()?;
    finished(sample.join())?;
    let left = Memory::now()?.since(before);

    let all_in = match (stacks, hold) {
        (Stacks::Own, _) => Some(Bound::AtMost(6800.0)),
        (Stacks::Copy, Hold::Nothing) => Some(Bound::AtMost(1000.0)),
        // What is asked is asked for about 500 bytes alive.
        (Stacks::Copy, Hold::Buffer) => None,
    };
    let each = |what: f64| what / count as f64;
    let bytes = |name, value| Figure::new(name, value, Unit::Bytes);
    let time = |name, took| Figure::new(name, each(took), Unit::Nanoseconds);
    let mut figures = vec![
        Figure {
            bound: all_in,
            ..bytes("all in, a goroutine", each(growth.all()))
        },
        bytes("  resident memory", each(growth.resident)),
        bytes("  page tables", each(growth.tables)),
    ];
    figures.extend(live.map(|live| bytes("alive on its stack", live as f64)));
    figures.extend([
        Figure::new("memory areas of the process", areas as f64, Unit::Count)
            .within(Bound::AtMost(memory::max_areas()? as f64)),
        time("spawn and park", parking.wall).within(Bound::AtMost(5000.0)),
        time("  processor time", parking.processor),
        time("release, end and join", ending.wall),
        time("  processor time", ending.processor),
        bytes("left at once when all have ended", left.all()),
    ]);
    Ok(figures)
}

/// A goroutine that waits until the channel is closed.
pub(super) fn spawn(
    stacks: Stacks,
    hold: Hold,
    closed: Receiver<Infallible>,
) -> io::Result<JoinHandle<()>> {
    // SAFETY: neither closure lends anything of its stack to others.
    let builder = unsafe { stacks.builder() };
    match hold {
        Hold::Nothing => builder.spawn(move || {
            arrive();
            wait(&closed);
        }),
        Hold::Buffer => builder.spawn(move || {
            arrive();
            let mut buffer = [1_u8; BUFFER];
            black_box(&mut buffer);
            wait(&closed);
            black_box(&buffer);
        }),
    }
}

fn arrive() {
    // Release: partner is the Acquire load in `wait_for`.
    if ARRIVED.fetch_add(1, Ordering::Release) == 0 {
        // The first is the only one that sets it.
        let _ = SAMPLE.set(current());
    }
}

fn wait(closed: &Receiver<Infallible>) {
    let Err(chan::RecvError) = closed.recv();
}

/// Until `count` goroutines wait, or are about to.
pub(super) fn wait_for(count: usize) {
    // Acquire: partner is the addition in `arrive`.
    while ARRIVED.load(Ordering::Acquire) < count {
        yield_now();
    }
}

/// With several Ps the last one may still be on its way from `arrive` to its park.
fn settle() {
    sleep(Duration::from_millis(10));
}

/// What is alive on the stack of the first goroutine, which has just been spawned.
fn live_bytes() -> Option<usize> {
    wait_for(1);
    settle();
    // SAFETY: it has parked in `recv`, and only the caller closes the channel, later.
    unsafe { SAMPLE.get()?.live_bytes() }
}

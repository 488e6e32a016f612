//! What it costs to resume one of many parked goroutines.
//!
//! All park at once, on nothing but `park`. A round makes each of them ready once, in an order that is shuffled anew with a
//! fixed seed: a batch that fits the run queue is made ready, and the driver yields until all of it have run and parked
//! again. A round trip is what a round took, divided by the number of goroutines: ready, resume, and park.
//!
//! With many goroutines neither descriptor nor stack is in a cache when its turn comes. The run in the order of spawning,
//! where the descriptors are neighbours, is there for comparison.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use goroutines::{Config, yield_now};
use goroutines_sched::{GRef, WaitReason, current, park, ready_tail};

use super::figure::Figure;
use super::{Stacks, finished, on_goroutine};
use crate::random::Random;
use crate::stopwatch::Stopwatch;

/// How many are made ready at a time: half of a run queue, so that none goes to the global queue.
const BATCH: usize = 512;

/// How often goroutines have parked, all together.
static PARKED: AtomicUsize = AtomicUsize::new(0);

/// Whether the goroutines end when they are resumed.
static ENDING: AtomicBool = AtomicBool::new(false);

static GOROUTINES: Mutex<Vec<GRef>> = Mutex::new(Vec::new());

/// Runs the scenario, once in a process.
///
/// # Errors
///
/// When the runtime cannot be started or a goroutine cannot be made.
pub fn run(stacks: Stacks, count: usize, rounds: usize, config: Config) -> io::Result<Vec<Figure>> {
    on_goroutine(config, move || measure(stacks, count, rounds))
}

fn measure(stacks: Stacks, count: usize, rounds: usize) -> io::Result<Vec<Figure>> {
    let mut handles = Vec::with_capacity(count);
    for _ in 0..count {
        // SAFETY: the goroutine lends nothing of its stack to others: what its commit uses is static.
        let builder = unsafe { stacks.builder() };
        handles.push(builder.spawn(park_again_and_again)?);
    }
    let mut parked = count;
    wait_for(parked);
    let mut order = std::mem::take(&mut *GOROUTINES.lock().unwrap_or_else(PoisonError::into_inner));

    round(&order, &mut parked);
    let in_order = samples(&mut order, &mut parked, rounds, |_| ())?;
    let mut random = Random::new();
    let shuffled = samples(&mut order, &mut parked, rounds, |order| {
        random.shuffle(order);
    })?;

    // Relaxed: published to each goroutine by the run queue through which it resumes.
    ENDING.store(true, Ordering::Relaxed);
    for batch in order.chunks(BATCH) {
        for &g in batch {
            // SAFETY: it has parked and waits for us alone.
            unsafe { ready_tail(g) };
        }
        yield_now();
    }
    for handle in handles {
        finished(handle.join())?;
    }
    Ok(vec![
        Figure::median("round trip, random order", &shuffled.wall),
        Figure::median("  processor time", &shuffled.processor),
        Figure::median("round trip, order of spawning", &in_order.wall),
        Figure::median("  processor time", &in_order.processor),
    ])
}

/// Nanoseconds a round trip, round by round.
#[derive(Default)]
struct Samples {
    wall: Vec<f64>,
    processor: Vec<f64>,
}

fn samples(
    order: &mut [GRef],
    parked: &mut usize,
    rounds: usize,
    mut arrange: impl FnMut(&mut [GRef]),
) -> io::Result<Samples> {
    let mut samples = Samples::default();
    for _ in 0..rounds {
        arrange(order);
        let watch = Stopwatch::start()?;
        round(order, parked);
        let took = watch.took()?;
        samples.wall.push(took.wall / order.len() as f64);
        samples.processor.push(took.processor / order.len() as f64);
    }
    Ok(samples)
}

/// Resumes each of `order` once; all are parked before and after.
fn round(order: &[GRef], parked: &mut usize) {
    for batch in order.chunks(BATCH) {
        for &g in batch {
            // SAFETY: it has parked, as `wait_for` saw, and waits for us alone.
            unsafe { ready_tail(g) };
        }
        *parked += batch.len();
        wait_for(*parked);
    }
}

fn wait_for(parked: usize) {
    // Acquire: partner is the addition in the commit of `park_again_and_again`.
    while PARKED.load(Ordering::Acquire) < parked {
        yield_now();
    }
}

fn park_again_and_again() {
    GOROUTINES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(current());
    // Relaxed: see where it is stored.
    while !ENDING.load(Ordering::Relaxed) {
        // SAFETY: only the driver makes us ready, once for each time that it saw us counted. The commit counts as its last
        // step, touches no stack and does not park.
        unsafe {
            park(WaitReason::Park, || {
                // Release: partner is the load in `wait_for`.
                PARKED.fetch_add(1, Ordering::Release);
                true
            });
        }
    }
}

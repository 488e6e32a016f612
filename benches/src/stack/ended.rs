//! What is left of the memory of goroutines that have ended.
//!
//! Stacks and descriptors are kept for the next goroutines. What was not needed for `Config::stack_idle` goes back to the
//! kernel; the scenario sets that to `IDLE`, waits for `PATIENCE` and looks again.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use goroutines::{Config, chan, sleep};

use super::figure::{Figure, Unit};
use super::memory::Memory;
use super::parked::{Hold, spawn, wait_for};
use super::{Stacks, finished, on_goroutine};

const IDLE: Duration = Duration::from_millis(200);

/// Several times [`IDLE`]: what is given back goes in rounds.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Runs the scenario, once in a process.
///
/// # Errors
///
/// When the runtime cannot be started, a goroutine cannot be made, or /proc cannot be read.
pub fn run(stacks: Stacks, count: usize, config: Config) -> io::Result<Vec<Figure>> {
    let config = config.stack_idle(IDLE);
    on_goroutine(config, move || measure(stacks, count))
}

fn measure(stacks: Stacks, count: usize) -> io::Result<Vec<Figure>> {
    let before = Memory::now()?;
    let (gate, closed) = chan::bounded::<Infallible>(0);
    let mut handles = Vec::with_capacity(count);
    for _ in 0..count {
        handles.push(spawn(stacks, Hold::Nothing, closed.clone())?);
    }
    wait_for(count);
    let parked = Memory::now()?.since(before);
    drop(gate);
    for handle in handles {
        finished(handle.join())?;
    }
    let at_once = Memory::now()?.since(before);
    sleep(PATIENCE);
    let later = Memory::now()?.since(before);
    let bytes = |name, value| Figure::new(name, value, Unit::Bytes);
    Ok(vec![
        bytes("while all are parked", parked.all()),
        bytes("left at once", at_once.all()),
        bytes("left after the idle time", later.all()),
    ])
}

//! Goroutines on one P.
//!
//! The measured goroutine is started from the calling thread, reads the clock itself, and hands the sample back through
//! its join: the thread sleeps all the while.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use goroutines::chan::{Receiver, Sender, bounded};
use goroutines::sync::Mutex;
use goroutines::{JoinHandle, go, yield_now};

use super::lock::Baton;
use crate::sample::Sample;
use crate::switch::row::{Group, Row, round_trips};

/// The goroutines' rows.
pub const ROWS: [Row; 5] = [
    Row {
        id: "goroutine-yield",
        name: "goroutine yield, 2 goroutines",
        what: "yield_now: the other goroutine runs",
        group: Group::Goroutines,
        run: yield_2,
    },
    Row {
        id: "goroutine-channel",
        name: "unbuffered channel hand-over",
        what: "a message through bounded(0) to the other goroutine, which answers through another",
        group: Group::Goroutines,
        run: channel,
    },
    Row {
        id: "goroutine-mutex",
        name: "mutex hand-over (3 switches)",
        what: "a lock held across a yield passes to the goroutine parked on it",
        group: Group::Goroutines,
        run: mutex_2,
    },
    Row {
        id: "goroutine-spawn",
        name: "goroutine spawn+join",
        what: "a goroutine that does nothing is started and joined",
        group: Group::Goroutines,
        run: spawn_join,
    },
    Row {
        id: "goroutine-spawn-1000",
        name: "goroutine spawn+join, 1000 at once",
        what: "a thousand goroutines are started, then all joined; per goroutine",
        group: Group::Goroutines,
        run: spawn_join_1000,
    },
];

/// The size of a batch of [`spawn_join_1000`].
const BATCH: u64 = 1000;

/// Runs `program` on a goroutine and returns what it returns.
///
/// # Errors
///
/// Those of the program, and its panic.
pub fn on_goroutine<F>(program: F) -> io::Result<Sample>
where
    F: FnOnce() -> io::Result<Sample> + Send + 'static,
{
    go(program).join().map_err(panicked)?
}

fn panicked<E>(_: E) -> io::Error {
    io::Error::other("a goroutine panicked")
}

/// Joins a goroutine that may have failed.
pub(super) fn join(handle: JoinHandle<io::Result<()>>) -> io::Result<()> {
    handle.join().map_err(panicked)?
}

/// Two goroutines yield to each other.
///
/// # Errors
///
/// If the other one does not run.
pub fn yield_2(operations: u64) -> io::Result<Sample> {
    yield_among(2, operations)
}

/// A thousand goroutines yield in turn.
///
/// # Errors
///
/// If the others do not run.
pub fn yield_1000(operations: u64) -> io::Result<Sample> {
    yield_among(1000, operations)
}

/// One goroutine counts its own yields, the others count theirs in a common counter, until the first has had enough.
fn yield_among(goroutines: u64, operations: u64) -> io::Result<Sample> {
    let trips = operations.div_ceil(goroutines).max(1);
    on_goroutine(move || {
        let (turns, stop) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let others: Vec<_> = (1..goroutines)
            .map(|_| go_yielding(&turns, &stop))
            .collect();
        // Each of them has run once, and got its stack, before the clock starts.
        // Relaxed, here and below: all of this runs on one P, and the joins order the rest.
        while turns.load(Ordering::Relaxed) < goroutines - 1 {
            yield_now();
        }
        let before = turns.load(Ordering::Relaxed);
        let start = Instant::now();
        for _ in 0..trips {
            yield_now();
        }
        let elapsed = start.elapsed();
        let others_turns = turns.load(Ordering::Relaxed) - before;
        stop.store(true, Ordering::Relaxed);
        others
            .into_iter()
            .try_for_each(|other| other.join().map_err(panicked))?;
        if others_turns < trips {
            return Err(io::Error::other(format!(
                "{trips} yields let others run {others_turns} times only"
            )));
        }
        Ok(Sample {
            elapsed,
            operations: trips + others_turns,
        })
    })
}

fn go_yielding(turns: &Arc<AtomicU64>, stop: &Arc<AtomicBool>) -> JoinHandle<()> {
    let (turns, stop) = (Arc::clone(turns), Arc::clone(stop));
    go(move || {
        // Relaxed: partners are the loads and the store in `yield_among`, on the same P. A load and a store and no
        // read-modify-write: nothing else runs in between, and the counter must not be what is measured.
        while !stop.load(Ordering::Relaxed) {
            turns.store(turns.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            yield_now();
        }
    })
}

/// Two goroutines pass a message through two channels without a buffer.
///
/// # Errors
///
/// If a goroutine panics.
pub fn channel(operations: u64) -> io::Result<Sample> {
    let trips = round_trips(operations);
    let hung_up = || io::Error::other("the other goroutine hung up");
    on_goroutine(move || {
        let (to_there, there): (Sender<u64>, Receiver<u64>) = bounded(0);
        let (to_here, here): (Sender<u64>, Receiver<u64>) = bounded(0);
        let other = go(move || {
            (0..=trips).try_for_each(|_| {
                let word = there.recv().map_err(|_| hung_up())?;
                to_here.send(word).map_err(|_| hung_up())
            })
        });
        let ask = |word: u64| {
            to_there.send(word).map_err(|_| hung_up())?;
            here.recv().map_err(|_| hung_up())
        };
        ask(0)?;
        let start = Instant::now();
        let sum = (0..trips).try_fold(0, |sum, trip| ask(trip).map(|word| sum + word));
        let elapsed = start.elapsed();
        join(other)?;
        if sum? != trips * (trips - 1) / 2 {
            return Err(io::Error::other("a message came back as another"));
        }
        Ok(Sample {
            elapsed,
            operations: 2 * trips,
        })
    })
}

/// One goroutine sends `operations` messages to another through a channel of that capacity.
///
/// # Errors
///
/// If a goroutine panics.
pub fn stream(capacity: usize, operations: u64) -> io::Result<Sample> {
    let operations = operations.max(1);
    let hung_up = || io::Error::other("the other goroutine hung up");
    on_goroutine(move || {
        let (sender, receiver) = bounded(capacity);
        let other = go(move || {
            (0..operations).try_for_each(|word| sender.send(word).map_err(|_| hung_up()))
        });
        let start = Instant::now();
        let received = receiver.iter().count() as u64;
        let elapsed = start.elapsed();
        join(other)?;
        if received != operations {
            return Err(io::Error::other(format!(
                "{received} of {operations} messages arrived"
            )));
        }
        Ok(Sample {
            elapsed,
            operations,
        })
    })
}

/// Two goroutines pass a mutex.
///
/// # Errors
///
/// If the lock never passes.
pub fn mutex_2(operations: u64) -> io::Result<Sample> {
    mutex_among(2, operations)
}

/// Goroutines pass a mutex that all of them want.
///
/// # Errors
///
/// If the lock never passes.
pub fn mutex_among(goroutines: usize, operations: u64) -> io::Result<Sample> {
    on_goroutine(move || {
        let baton = Arc::new(Mutex::new(Baton::new(goroutines, operations)));
        let start = |mine| {
            let baton = Arc::clone(&baton);
            go(move || pass(&baton, mine))
        };
        let handles: Vec<_> = (0..goroutines).map(start).collect();
        handles.into_iter().try_for_each(join)?;
        baton.lock().map_err(panicked)?.sample()
    })
}

fn pass(baton: &Mutex<Baton>, mine: usize) -> io::Result<()> {
    loop {
        let mut held = baton.lock().map_err(panicked)?;
        if held.take(mine) {
            return Ok(());
        }
        yield_now();
        drop(held);
        yield_now();
    }
}

/// One goroutine after the other is started and joined.
///
/// # Errors
///
/// If a goroutine panics.
pub fn spawn_join(operations: u64) -> io::Result<Sample> {
    let operations = operations.max(1);
    on_goroutine(move || {
        let start = Instant::now();
        for _ in 0..operations {
            go(|| ()).join().map_err(panicked)?;
        }
        Ok(Sample {
            elapsed: start.elapsed(),
            operations,
        })
    })
}

/// A thousand goroutines are started, then all are joined, and again.
///
/// # Errors
///
/// If a goroutine panics.
pub fn spawn_join_1000(operations: u64) -> io::Result<Sample> {
    let batches = operations.div_ceil(BATCH).max(1);
    on_goroutine(move || {
        let mut handles = Vec::with_capacity(BATCH as usize);
        let start = Instant::now();
        for _ in 0..batches {
            handles.extend((0..BATCH).map(|_| go(|| ())));
            handles
                .drain(..)
                .try_for_each(|handle: JoinHandle<()>| handle.join().map_err(panicked))?;
        }
        Ok(Sample {
            elapsed: start.elapsed(),
            operations: batches * BATCH,
        })
    })
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;

    /// The runtime starts once a process, whichever test comes first.
    fn start() {
        static STARTED: OnceLock<()> = OnceLock::new();
        STARTED.get_or_init(|| crate::switch::rows::start_runtime().unwrap());
    }

    #[test]
    fn every_row_does_at_least_what_was_asked_for() {
        start();
        for row in ROWS {
            for asked in [0, 1, 2001] {
                let sample = (row.run)(asked).unwrap();
                assert!(
                    sample.operations >= asked.max(1),
                    "{} {asked} {sample:?}",
                    row.name
                );
                assert!(sample.elapsed.as_nanos() > 0, "{}", row.name);
            }
        }
    }

    #[test]
    fn many_goroutines_yield_stream_and_pass_a_lock() {
        start();
        // The order may change under way, when a loaded machine makes the monitor take the P: not exactly 5000.
        assert!(yield_1000(5000).unwrap().operations >= 2500);
        assert_eq!(stream(0, 1000).unwrap().operations, 1000);
        assert_eq!(stream(128, 1000).unwrap().operations, 1000);
        assert_eq!(mutex_among(100, 1000).unwrap().operations, 1000);
    }

    #[test]
    fn a_panic_on_a_goroutine_is_an_error_of_its_row() {
        start();
        let error = on_goroutine(|| panic!("a panic this test expects")).unwrap_err();
        assert_eq!(error.to_string(), "a goroutine panicked");
    }
}

//! Threads of the operating system, all on one CPU: what a hand-over costs when the kernel does it.
//!
//! Each hand-over is a ping-pong of two threads: one blocks, the other wakes it and blocks itself. A round trip is two
//! operations.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Instant;

use super::lock::Baton;
use crate::sample::Sample;
use crate::switch::row::{Group, Row, round_trips};

/// The threads' rows.
pub const ROWS: [Row; 7] = [
    Row {
        id: "thread-futex",
        name: "futex hand-over (the pthread row)",
        what: "FUTEX_WAKE of the other thread, then FUTEX_WAIT until it has answered",
        group: Group::Threads,
        run: futex,
    },
    Row {
        id: "thread-condvar",
        name: "condvar hand-over",
        what: "std's Mutex and Condvar: the turn passes to the other thread",
        group: Group::Threads,
        run: condvar,
    },
    Row {
        id: "thread-pipe",
        name: "pipe hand-over",
        what: "one byte through a pipe to the other thread",
        group: Group::Threads,
        run: pipe,
    },
    Row {
        id: "thread-yield",
        name: "sched_yield, 2 threads",
        what: "sched_yield, per time that the other thread really ran",
        group: Group::Threads,
        run: yields,
    },
    Row {
        id: "thread-channel",
        name: "std::sync::mpsc rendezvous",
        what: "a message through sync_channel(0) to the other thread, which answers through another",
        group: Group::Threads,
        run: rendezvous,
    },
    Row {
        id: "thread-mutex",
        name: "std::sync::Mutex hand-over (3 switches)",
        what: "a lock held across a sched_yield passes to the thread blocked on it",
        group: Group::Threads,
        run: mutex_2,
    },
    Row {
        id: "thread-spawn",
        name: "std::thread spawn+join",
        what: "a thread that does nothing is started and joined",
        group: Group::Threads,
        run: spawn_join,
    },
];

/// Starts `answer` on another thread, times `ask` on this one, and waits for the other to end.
fn duel<A, B>(trips: u64, ask: A, answer: B) -> io::Result<Sample>
where
    A: FnOnce() -> io::Result<()>,
    B: FnOnce() -> io::Result<()> + Send,
{
    let ready = AtomicU32::new(0);
    thread::scope(|scope| {
        let other = thread::Builder::new().spawn_scoped(scope, || {
            // Release: pairs with the acquire load below; the other thread's start is over.
            ready.store(1, Ordering::Release);
            answer()
        })?;
        // Acquire: pairs with the release store above.
        while ready.load(Ordering::Acquire) == 0 {
            thread::yield_now();
        }
        let start = Instant::now();
        let asked = ask();
        let elapsed = start.elapsed();
        let answered = other
            .join()
            .map_err(|_| io::Error::other("the other thread panicked"))?;
        asked.and(answered)?;
        Ok(Sample {
            elapsed,
            operations: 2 * trips,
        })
    })
}

/// A word that one thread waits to see changed by the other.
struct Turn(AtomicU32);

impl Turn {
    /// Waits until it is `mine`'s turn.
    fn wait(&self, mine: u32) {
        // Acquire: pairs with the release store in `pass`, as if the turn protected data.
        while self.0.load(Ordering::Acquire) != mine {
            self.futex(libc::FUTEX_WAIT, 1 - mine);
        }
    }

    /// Gives the turn to `other` and wakes it.
    fn pass(&self, other: u32) {
        // Release: pairs with the acquire load in `wait`.
        self.0.store(other, Ordering::Release);
        self.futex(libc::FUTEX_WAKE, 1);
    }

    fn futex(&self, operation: i32, value: u32) {
        let no_timeout = std::ptr::null::<libc::timespec>();
        // SAFETY: the word lives as long as `self`; neither operation touches other memory. An early return (EINTR, or
        // EAGAIN because the turn has passed already) is answered by the loop in `wait`.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                operation | libc::FUTEX_PRIVATE_FLAG,
                value,
                no_timeout,
            );
        }
    }
}

/// Two threads pass a futex word.
///
/// # Errors
///
/// If no thread can be started.
pub fn futex(operations: u64) -> io::Result<Sample> {
    let trips = round_trips(operations);
    let turn = Turn(AtomicU32::new(0));
    let play = |mine: u32, first: bool| {
        for _ in 0..trips {
            if first {
                turn.pass(1 - mine);
            }
            turn.wait(mine);
            if !first {
                turn.pass(1 - mine);
            }
        }
        Ok(())
    };
    duel(trips, || play(0, true), || play(1, false))
}

/// Two threads pass a turn guarded by std's mutex and condvar.
///
/// # Errors
///
/// If no thread can be started.
pub fn condvar(operations: u64) -> io::Result<Sample> {
    let trips = round_trips(operations);
    let (turn, changed) = (Mutex::new(0_u8), Condvar::new());
    let poisoned = || io::Error::other("the other thread panicked");
    let play = |mine: u8, first: bool| {
        let mut now = turn.lock().map_err(|_| poisoned())?;
        for _ in 0..trips {
            if first {
                *now = 1 - mine;
                changed.notify_one();
            }
            now = changed
                .wait_while(now, |turn| *turn != mine)
                .map_err(|_| poisoned())?;
            if !first {
                *now = 1 - mine;
                changed.notify_one();
            }
        }
        Ok(())
    };
    duel(trips, || play(0, true), || play(1, false))
}

/// Two threads pass a byte through two pipes.
///
/// # Errors
///
/// If no thread or pipe can be made.
pub fn pipe(operations: u64) -> io::Result<Sample> {
    let trips = round_trips(operations);
    let (mut there, mut to_there): (PipeReader, PipeWriter) = io::pipe()?;
    let (mut here, mut to_here): (PipeReader, PipeWriter) = io::pipe()?;
    let ask = move || {
        let mut byte = [7];
        (0..trips).try_for_each(|_| {
            to_there
                .write_all(&byte)
                .and_then(|()| here.read_exact(&mut byte))
        })
    };
    let answer = move || {
        let mut byte = [0];
        (0..trips).try_for_each(|_| {
            there
                .read_exact(&mut byte)
                .and_then(|()| to_here.write_all(&byte))
        })
    };
    duel(trips, ask, answer)
}

/// Two threads yield to each other. The kernel may let a yielding thread run on; only real changes are counted.
///
/// # Errors
///
/// If no thread can be started, or the kernel never lets the other one run.
pub fn yields(operations: u64) -> io::Result<Sample> {
    let trips = round_trips(operations);
    let last = AtomicU32::new(0);
    let total = AtomicU64::new(0);
    let play = |mine: u32| {
        let mut idle = 0;
        // Relaxed, here and below: the counters order nothing else, and both threads run on one CPU.
        while total.load(Ordering::Relaxed) < 2 * trips {
            thread::yield_now();
            if last.swap(mine, Ordering::Relaxed) == mine {
                idle += 1;
            } else {
                total.fetch_add(1, Ordering::Relaxed);
                idle = 0;
            }
            if idle > 10_000_000 {
                return Err(io::Error::other(
                    "sched_yield does not let the other thread run",
                ));
            }
        }
        Ok(())
    };
    duel(trips, || play(1), || play(2))
}

/// Two threads pass a message through two of std's channels without a buffer.
///
/// # Errors
///
/// If no thread can be started.
pub fn rendezvous(operations: u64) -> io::Result<Sample> {
    let trips = round_trips(operations);
    let (to_there, there): (SyncSender<u64>, Receiver<u64>) = sync_channel(0);
    let (to_here, here): (SyncSender<u64>, Receiver<u64>) = sync_channel(0);
    let hung_up = || io::Error::other("the other thread hung up");
    let ask = move || {
        (0..trips).try_for_each(|trip| {
            to_there.send(trip).map_err(|_| hung_up())?;
            here.recv().map(drop).map_err(|_| hung_up())
        })
    };
    let answer = move || {
        (0..trips).try_for_each(|_| {
            let word = there.recv().map_err(|_| hung_up())?;
            to_here.send(word).map_err(|_| hung_up())
        })
    };
    duel(trips, ask, answer)
}

/// Two threads pass std's mutex.
///
/// # Errors
///
/// If no thread can be started, or the lock never passes.
pub fn mutex_2(operations: u64) -> io::Result<Sample> {
    mutex_among(2, operations)
}

/// Threads pass std's mutex that all of them want.
///
/// # Errors
///
/// If the threads cannot be started, or the lock never passes.
pub fn mutex_among(threads: usize, operations: u64) -> io::Result<Sample> {
    let baton = Mutex::new(Baton::new(threads, operations));
    let poisoned = || io::Error::other("a thread panicked");
    let play = |mine: usize| -> io::Result<()> {
        loop {
            let mut held = baton.lock().map_err(|_| poisoned())?;
            if held.take(mine) {
                return Ok(());
            }
            thread::yield_now();
            drop(held);
            thread::yield_now();
        }
    };
    thread::scope(|scope| {
        let start = |mine| thread::Builder::new().spawn_scoped(scope, move || play(mine));
        let started: Vec<_> = (0..threads).map(start).collect();
        started
            .into_iter()
            .try_for_each(|thread| thread?.join().map_err(|_| poisoned())?)
    })?;
    baton.lock().map_err(|_| poisoned())?.sample()
}

/// One thread after the other is started and joined.
///
/// # Errors
///
/// If no thread can be started.
pub fn spawn_join(operations: u64) -> io::Result<Sample> {
    let operations = operations.max(1);
    let start = Instant::now();
    for _ in 0..operations {
        let handle = thread::Builder::new().spawn(|| ())?;
        handle
            .join()
            .map_err(|_| io::Error::other("the thread panicked"))?;
    }
    Ok(Sample {
        elapsed: start.elapsed(),
        operations,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_does_at_least_what_was_asked_for() {
        for row in ROWS {
            for asked in [0, 1, 21] {
                let sample = (row.run)(asked).unwrap();
                assert!(
                    sample.operations >= asked.max(1) && sample.operations <= asked + 3,
                    "{} {asked} {sample:?}",
                    row.name
                );
                assert!(sample.elapsed.as_nanos() > 0, "{}", row.name);
            }
        }
    }

    #[test]
    fn an_error_on_either_side_of_a_duel_is_its_result() {
        let fail = || Err(io::Error::other("broken"));
        assert_eq!(duel(1, || Ok(()), fail).unwrap_err().to_string(), "broken");
        assert_eq!(duel(1, fail, || Ok(())).unwrap_err().to_string(), "broken");
        assert!(duel(1, || Ok(()), || panic!("a panic this test expects")).is_err());
    }
}

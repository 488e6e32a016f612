//! The clients: plain threads, the same for every server.

mod bulk;
mod closed;
mod echo;
mod http;
mod idle;
mod open;
mod short;
mod stamps;

use std::io;
use std::net::SocketAddr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub(super) use bulk::bulk;
pub(super) use echo::{echo, udp};
pub(super) use http::http;
pub(super) use idle::connect as connect_idle;
pub(super) use open::open;
pub(super) use short::short;
pub(super) use stamps::stamps;

use super::service::MESSAGE;
use crate::cpu;

/// What a thread of clients has counted.
#[derive(Default)]
pub(super) struct Counted {
    /// Operations from the first on.
    pub(super) all: u64,
    /// Those while the time ran.
    pub(super) operations: u64,
    /// How long each took, in nanoseconds; in no order. Operations that are sent together count as one here.
    pub(super) times: Vec<u32>,
}

impl Counted {
    /// One operation.
    fn add(&mut self, phase: &Phase, took: Duration) {
        self.add_all(phase, 1, took);
    }

    /// So many operations that were sent together.
    fn add_all(&mut self, phase: &Phase, operations: u64, took: Duration) {
        self.all += operations;
        if phase.is(COUNT) {
            if self.operations == 0 {
                // Relaxed: orders nothing.
                phase.served.store(true, Ordering::Relaxed);
            }
            self.operations += operations;
            self.add_time(took);
        }
    }

    fn add_time(&mut self, took: Duration) {
        self.times
            .push(u32::try_from(took.as_nanos()).unwrap_or(u32::MAX));
    }

    fn extend(&mut self, other: Counted) {
        self.all += other.all;
        self.operations += other.operations;
        self.times.extend(other.times);
    }
}

/// What the clients do just now.
pub(super) struct Phase {
    now: AtomicU8,
    /// Whether anything was counted.
    served: AtomicBool,
}

const WARM: u8 = 0;
const COUNT: u8 = 1;
const END: u8 = 2;

impl Phase {
    fn is(&self, phase: u8) -> bool {
        // Relaxed: orders nothing.
        self.now.load(Ordering::Relaxed) == phase
    }

    fn set(&self, phase: u8) {
        // Relaxed: as above.
        self.now.store(phase, Ordering::Relaxed);
    }
}

/// A client's part: connects, meets the others at the barrier, works until the end.
pub(super) type Work<'a> =
    dyn Fn(SocketAddr, usize, &Phase, &Barrier) -> io::Result<Counted> + Sync + 'a;

/// Lets `threads` threads on `cpus` do `work`, each with its share of `connections`, and counts for `time`, or longer until
/// there is something to count. `at` is called at the start and at the end of the counting. Returns what they counted, and
/// for how long.
pub(super) fn run(
    address: SocketAddr,
    connections: usize,
    cpus: &[usize],
    time: Duration,
    work: &Work<'_>,
    mut at: impl FnMut() -> io::Result<()>,
) -> io::Result<(Counted, Duration)> {
    let threads = cpus.len().min(connections).max(1);
    let phase = &Phase {
        now: AtomicU8::new(WARM),
        served: AtomicBool::new(false),
    };
    let barrier = &Barrier::new(threads + 1);
    thread::scope(|scope| {
        let one = |index: usize| {
            let share = connections / threads + usize::from(index < connections % threads);
            scope.spawn(move || {
                let pinned = cpu::pin_to(cpus);
                let counted = pinned.and_then(|()| work(address, share, phase, barrier));
                counted.inspect_err(|error| eprintln!("a client fails: {error}"))
            })
        };
        let all: Vec<_> = (0..threads).map(one).collect();
        barrier.wait();
        thread::sleep(time / 4);
        let begun = at();
        let start = Instant::now();
        phase.set(COUNT);
        thread::sleep(time);
        // A loaded machine may not have let the server run so far.
        // Relaxed: orders nothing.
        while !phase.served.load(Ordering::Relaxed) && start.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
        phase.set(END);
        let took = start.elapsed();
        let ended = at();
        let mut sum = Counted::default();
        for one in all {
            let failed = |_| io::Error::other("a client panicked");
            let counted = one.join().map_err(failed)??;
            sum.extend(counted);
        }
        begun.and(ended)?;
        Ok((sum, took))
    })
}

/// The part of a client that cannot connect: the others shall not wait for it.
fn at_barrier<T>(barrier: &Barrier, connected: io::Result<T>) -> io::Result<T> {
    barrier.wait();
    connected
}

const GONE: &str = "the server closed the connection";

/// A server that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// A message.
type Message = [u8; MESSAGE];

//! Loom models of the protocols: every interleaving, and every value that an atomic may return.
//!
//! HACKING.md has the command, and says of each file what it proves. The models use the scheduler's own modules; only
//! the limits are small (a ring has four slots).

use std::mem;

use loom::{
    cell::UnsafeCell,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::protocol::{
    idle::{Change, Idle},
    parker::Parker,
    timers::Sleeper,
    wait_seq::WaitSeq,
};

mod channel;
mod fork_join;
mod gate;
mod hold;
mod home_wait;
mod idle;
mod inbox;
mod io_line;
mod io_poll;
mod join;
mod lending;
mod limits;
pub(super) mod locks;
mod once;
mod park;
mod park_token;
mod poller;
mod procs;
mod requests;
mod ring;
mod rwlock;
mod select;
mod semaphore;
mod shrink_word;
mod time;
mod trace_ring;
mod wake_flag;
mod window_lock;
mod world;

/// A G that waits, in models of one: its parker, and what is checked of it.
struct Parked {
    wait_seq: WaitSeq,
    parker: Parker,
    /// The saved context: plain memory, written by the side that parks, read by the side that resumes. Loom reports a
    /// race when neither comes before the other.
    ctx: UnsafeCell<u32>,
    /// How often it was made ready.
    readied: AtomicUsize,
}

impl Parked {
    fn new() -> Parked {
        Parked {
            wait_seq: WaitSeq::new(),
            parker: Parker::new(),
            ctx: UnsafeCell::new(0),
            readied: AtomicUsize::new(0),
        }
    }

    /// Its context is saved.
    fn save(&self) {
        // SAFETY: no thread resumes it before the commit; loom checks it.
        self.ctx.with_mut(|ctx| unsafe { *ctx = 7 });
    }

    /// By the winner of the claim. It resumes on the thread that takes it from a queue, here at once: so its context
    /// must be saved.
    fn ready(&self) {
        // SAFETY: the claim's winner owns the G until it has notified its parker; loom checks it.
        let saved = self.ctx.with_mut(|ctx| unsafe { mem::take(&mut *ctx) });
        assert_eq!(saved, 7);
        self.readied.fetch_add(1, Ordering::Relaxed); // Relaxed: a count.
        self.parker.notify();
    }
}

/// What the timer heap of a model holds: the number of a wait.
#[derive(Clone, Copy)]
struct Entry(u32);

impl Sleeper for Entry {
    fn is_waiting(&self) -> bool {
        true
    }
}

/// Makes `ps` the Ps of `idle`, all of them busy.
fn busy(idle: &Idle, ps: Vec<usize>) {
    let count = ps.len();
    let come = Change {
        come: ps,
        ..Change::default()
    };
    assert!(idle.change(&come).left.is_empty());
    for _ in 0..count {
        assert!(idle.take_p().is_some());
    }
}

/// Runs `model` in every interleaving with at most `preemptions` preemptions per thread schedule.
fn explore(preemptions: Option<usize>, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.check(model);
}

//! Loom models: every interleaving, and every value an atomic may return, of the protocols.
//!
//! HACKING.md has the command, and says of each file what it proves. The models use
//! the scheduler's own modules; only the limits are small (a ring has four slots).

use crate::protocol::idle::{Change, Idle};

mod bound;
mod channel;
mod gate;
mod handover;
mod homes;
mod idle;
mod io_line;
mod join;
mod lending;
pub(super) mod locks;
mod once;
mod park;
mod poller;
mod procs;
mod requests;
mod ring;
mod rwlock;
mod select;
mod semaphore;
mod shrinking;
mod signal;
mod time;
mod token;
mod world;

/// Makes `ps` the Ps of `idle`, none of them at rest.
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

//! All goroutines by their words alone: how many do what, and as what they were spawned. For listings that are made each
//! second.
//!
//! No goroutine is held, and no stack is read: a look at a goroutine costs the cache lines of its descriptor. What it does
//! may change between two words of it; each is one that it had.

use std::time::Duration;

use crate::{global::sched, gmp::g::G, observe::sight::State, protocol::status::Status};

/// What a look at the words of a goroutine tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Glance {
    /// Its number.
    pub id: u64,
    /// What it does.
    pub state: State,
    /// Whether it has been parked for an idle time of stacks (`Config::stack_idle`) at least.
    pub waits_long: bool,
    /// The type of the closure that it was spawned as.
    pub spawned_as: &'static str,
}

/// Calls `visit` for each goroutine. Those that begin or end meanwhile are seen or not. `visit` must not park.
pub fn census(visit: &mut dyn FnMut(Glance)) {
    let Some(sched) = sched::get() else { return };
    sched.all_gs.iter().filter_map(look).for_each(visit);
}

/// As [`census`], for goroutines of which is known how long they have been parked, at least: they were found so by a look at
/// idle stacks.
pub fn census_of_parked(visit: &mut dyn FnMut(Glance, Duration)) {
    let Some(sched) = sched::get() else { return };
    for g in sched.all_gs.iter() {
        if let Some(time) = g.parked_for()
            && let Some(glance) = look(g)
        {
            visit(glance, time);
        }
    }
}

fn look(g: &G) -> Option<Glance> {
    let status = g.status().get();
    Some(Glance {
        id: g.id.get(),
        state: State::of(status, g.status().reason())?,
        waits_long: status == Status::Shrunk,
        spawned_as: g.spawned_as(),
    })
}

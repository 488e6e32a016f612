//! When the waits of goroutines end that have a time: read from the heaps of timers, once for a report.
//!
//! A heap is read in pieces, because Ms that insert wait for its lock meanwhile. Between two pieces it may change, so a timer may
//! be missed; and one whose wait has ended otherwise stays there for a while. What is told of a goroutine is a timer of the
//! wait that it is in.

use std::{ptr, time::Duration};

use crate::{
    global::sched::Sched,
    gmp::{g::G, ticket::Ticket},
    sys::clock,
};

/// The timers of all Ps, as they were seen.
pub(crate) struct Moments {
    /// By the address of the G.
    timers: Vec<(usize, u64, Ticket)>,
    now: u64,
}

impl Moments {
    pub(crate) fn take(sched: &Sched) -> Moments {
        let mut timers = Vec::new();
        for p in sched.procs.all().iter() {
            p.timers.each(|when, ticket| {
                if ticket.is_open() {
                    timers.push((ptr::from_ref(ticket.g().get()).addr(), when, ticket));
                }
            });
        }
        timers.sort_unstable_by_key(|&(g, when, _)| (g, when));
        let now = clock::now();
        Moments { timers, now }
    }

    /// In how long the wait of `g` ends, if it is one that has a time, and was in it when the timers were read.
    pub(crate) fn of(&self, g: &G) -> Option<Duration> {
        let address = ptr::from_ref(g).addr();
        let first = self.timers.partition_point(|&(g, _, _)| g < address);
        let own = self.timers[first..].iter();
        let mut own = own.take_while(|&&(g, _, _)| g == address);
        let &(_, when, _) = own.find(|(_, _, ticket)| ticket.is_open())?;
        Some(Duration::from_nanos(when.saturating_sub(self.now)))
    }
}

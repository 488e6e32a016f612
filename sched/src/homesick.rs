//! Goroutines that were sent home by the migration check, and whose home does not come to run them.
//!
//! What the check finds on a stack may be a word that nobody reads any more. Where home is awake the goroutine is run
//! there in the next round, and the detour costs little. But home may be blocked, in a call or by a goroutine that
//! unwinds, or compute for long; and what it waits for may be this very goroutine. So a goroutine waits until its home
//! has been blocked for [`BLOCKED`], and for [`LONGEST`] in any case: then it goes on on any M, as if nothing had been
//! found. The promise of `start` says that this is right; the check is the net below it. A home that waits for a CPU, or
//! for a P, is not blocked: it comes.
//!
//! ```text
//! sender (an M that has sent g home)           sysmon
//! W1 home was not asleep: g and the time        W3 a while later: is g still in home's queue? Under the queue's
//!    into the list                                 lock: out of it, then it is ours and nobody's else
//! W2 sysmon does not sleep while there is       W4 g counts as one that has run nowhere; into the global queue
//!    somebody in the list
//! ```
//!
//! Home's own `pop` and W3 exclude each other by the queue's lock. A goroutine that was run meanwhile and sent home once
//! more may be let go early; that is as right as late.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use crate::{counters::ALL, g::GRef, handover::Line, m::M, sched::Sched, sync::lock};

/// How long home's thread must have been blocked, in nanoseconds.
const BLOCKED: u64 = 20_000_000;

/// How long a goroutine waits for its home whatever that does.
const LONGEST: u64 = 1_000_000_000;

pub(crate) struct Homesick {
    /// How many are in the list.
    count: AtomicUsize,
    list: Mutex<Vec<Wait>>,
}

struct Wait {
    home: &'static M,
    g: GRef,
    since: u64,
    /// The CPU time that home had used, and since when it has been that.
    used: u64,
    still: u64,
}

impl Wait {
    /// Has it lasted long enough?
    fn is_over(&mut self, sched: &Sched, now: u64) -> bool {
        let used = self.home.cpu_time();
        if used != self.used || sched.idle.knows(self.home.id()) || self.home.is_runnable() {
            (self.used, self.still) = (used, now);
        }
        now >= self.still.saturating_add(BLOCKED) || now >= self.since.saturating_add(LONGEST)
    }
}

impl Homesick {
    pub(crate) fn new() -> Homesick {
        Homesick {
            count: AtomicUsize::new(0),
            list: Mutex::new(Vec::new()),
        }
    }

    /// W1: `g` was put into the queue of `home`, which may be blocked.
    pub(crate) fn add(&self, home: &'static M, g: GRef, since: u64) {
        let mut list = lock(&self.list);
        list.push(Wait {
            home,
            g,
            since,
            used: 0,
            still: since,
        });
        // Relaxed: partner is the load in `any`. The caller has a P and puts it down later, with a fence, before
        // sysmon may sleep.
        self.count.store(list.len(), Ordering::Relaxed);
    }

    /// W2: does somebody wait?
    pub(crate) fn any(&self) -> bool {
        // Relaxed: partner is the store in `add`.
        self.count.load(Ordering::Relaxed) != 0
    }

    /// W3 and W4, by sysmon. True if somebody was let go.
    pub(crate) fn look(&self, sched: &'static Sched, now: u64) -> bool {
        if !self.any() {
            return false;
        }
        let mut list = lock(&self.list);
        let mut free = Vec::new();
        list.retain_mut(|wait| {
            if now < wait.since.saturating_add(BLOCKED) {
                return true;
            }
            // Mostly home has run it long since.
            let waits = wait.home.bound.has(wait.g) && !wait.is_over(sched, now);
            // One that was pinned to its home meanwhile stays there.
            let may_go = |g: GRef| g.get().bound.get() == 0;
            if !waits && wait.home.bound.remove(wait.g, may_go) {
                free.push(wait.g);
            }
            waits
        });
        // Relaxed: as in `add`.
        self.count.store(list.len(), Ordering::Relaxed);
        drop(list);
        for &g in &free {
            ALL.let_go.add();
            g.get().set_last(0);
            sched.inject(g.word());
        }
        if !free.is_empty() && sched.idle.should_wake() {
            sched.wake();
        }
        !free.is_empty()
    }
}

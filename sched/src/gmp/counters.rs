//! Counters behind [`metrics`](crate::metrics): what they cost, and which thread writes them.
//!
//! | counter | written by | with |
//! |---|---|---|
//! | of a P | the M that owns it | a plain load, add and store |
//! | of the process, in cold places | any thread | one locked addition |
//!
//! A round of the scheduler is counted by the tick of its P anyway, and a round that found nothing is counted where
//! it fails: so counting costs a yield nothing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that only goes up. All orderings are Relaxed: it orders nothing, and is read as a snapshot.
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) const fn new() -> Counter {
        Counter(AtomicU64::new(0))
    }

    /// Adds `count` where the caller is the only writer: no locked instruction.
    #[inline(always)]
    pub(crate) fn add_own(&self, count: u64) {
        self.0
            .store(self.0.load(Relaxed).wrapping_add(count), Relaxed);
    }

    /// Adds one, where an addition that is lost does no harm: no locked instruction.
    #[inline(always)]
    fn add_roughly(&self) {
        self.0.store(self.0.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Adds one, from any thread.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What a P counts. Written by its owner only.
pub(crate) struct ProcCounters {
    /// Rounds in which nothing was found to run, or what was found went to another M.
    pub(crate) empty_rounds: Counter,
    /// How often something was stolen from another P.
    pub(crate) steals: Counter,
    /// How often a full ring sent one or half of its goroutines to the global queue.
    pub(crate) overflows: Counter,
    /// Goroutines that were made here.
    pub(crate) spawned: Counter,
    /// Goroutines that ended here.
    pub(crate) ended: Counter,
}

impl ProcCounters {
    pub(crate) const fn new() -> ProcCounters {
        ProcCounters {
            empty_rounds: Counter::new(),
            steals: Counter::new(),
            overflows: Counter::new(),
            spawned: Counter::new(),
            ended: Counter::new(),
        }
    }
}

/// The counters that belong to no P.
pub(crate) struct GlobalCounters {
    /// Goroutines that were made, and that ended, where the caller held no P.
    pub(crate) spawned: Counter,
    pub(crate) ended: Counter,
    pub(crate) handoffs: Counter,
    pub(crate) retakes: Counter,
    pub(crate) takes: Counter,
    pub(crate) wakes: Counter,
    pub(crate) spins: Counter,
    pub(crate) threads_started: Counter,
    pub(crate) threads_failed: Counter,
    pub(crate) threads_ended: Counter,
    pub(crate) looks: Counter,
    /// Goroutines whose stacks were searched because they changed threads, and those that were sent back
    /// (migrate.rs).
    pub(crate) scanned: Counter,
    pub(crate) sent_back: Counter,
    /// Goroutines that home did not run in time (home_wait.rs).
    pub(crate) sent_back_expired: Counter,
}

pub(crate) static GLOBAL: GlobalCounters = GlobalCounters {
    spawned: Counter::new(),
    ended: Counter::new(),
    handoffs: Counter::new(),
    retakes: Counter::new(),
    takes: Counter::new(),
    wakes: Counter::new(),
    spins: Counter::new(),
    threads_started: Counter::new(),
    threads_failed: Counter::new(),
    threads_ended: Counter::new(),
    looks: Counter::new(),
    scanned: Counter::new(),
    sent_back: Counter::new(),
    sent_back_expired: Counter::new(),
};

/// Blocking calls so far: sysmon looks more often while there are some. Not exact: two concurrent additions may count
/// as one.
static CALLS: Counter = Counter::new();

/// Counts a blocking call that begins.
#[inline(always)]
pub(crate) fn note_call() {
    CALLS.add_roughly();
}

/// How many blocking calls there were, about.
pub(crate) fn calls() -> u64 {
    CALLS.get()
}

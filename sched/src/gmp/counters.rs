//! Counters behind [`metrics`](crate::metrics): what they cost, and who writes them.
//!
//! | counter | written by | with |
//! |---|---|---|
//! | of a P | the M that owns it | a plain load, add and store |
//! | of the process, in cold places | anybody | one locked addition |
//!
//! A round of the scheduler is counted already, by the tick of its P, and a round that came to nothing in the
//! place where it does: so a yield pays nothing for being counted.

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

    /// Adds one, whoever writes it.
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
    /// Times something was taken from another P.
    pub(crate) steals: Counter,
    /// Times half of a full ring went to the global queue.
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

/// What belongs to no P.
pub(crate) struct GlobalCounters {
    /// Goroutines that were made, and that ended, where there was no P.
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
    /// Goroutines that were looked through because they changed threads, and those that were sent back (migrate.rs).
    pub(crate) scanned: Counter,
    pub(crate) sent_back: Counter,
    /// Goroutines whose home did not come (home_wait.rs).
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

/// Blocking calls so far: sysmon looks more often while there are some. Not exact: two that add at once may count as one.
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

//! [`metrics`]: the scheduler's counters and its current state.

use crate::{
    global::sched::{self, Sched},
    gmp::{counters::GLOBAL, p::P, poll_desc},
};

/// A snapshot of the scheduler. Counts go up from the start of the process; the other numbers are current values.
///
/// The program runs on while the snapshot is taken: numbers that change meanwhile may not agree exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// How many goroutines can run at the same time: the number of Ps. 0 while the runtime has not been started.
    pub gomaxprocs: usize,
    /// Ps that are idle.
    pub idle_procs: usize,
    /// Goroutines that have been started and have not ended.
    pub goroutines: u64,
    /// Goroutines that have been started.
    pub spawned: u64,
    /// Threads of the scheduler (Ms): those that run goroutines, block in one, or sleep. The monitor is not counted.
    pub threads: usize,
    /// Threads among them that sleep for want of work.
    pub idle_threads: usize,
    /// Threads among them that look for work before they sleep: 0 or 1.
    pub spinning_threads: usize,
    /// Threads among them that hold a goroutine which can run, and wait for a P.
    pub waiting_threads: usize,
    /// Goroutines in the global queue.
    pub global_queue: usize,
    /// Times a goroutine was run: after it was made, parked or yielded. The sum of [`ProcMetrics::runs`], and of the
    /// Ps that have left. A thread that looks for work just then counts as well, until it has found none.
    pub runs: u64,
    /// Times a P without work took goroutines from another P.
    pub steals: u64,
    /// Times a full local queue sent one or half of its goroutines to the global one.
    pub overflows: u64,
    /// Times a P was passed to another thread, because its goroutine blocks the one it had.
    pub handoffs: u64,
    /// Times a P was taken back from an announced blocking call.
    pub retakes: u64,
    /// Times a P was taken from a goroutine that computed for long or blocked without announcing it.
    pub takes: u64,
    /// Times a thread was woken or started because there was work.
    pub wakes: u64,
    /// Times a thread without work began to look for work before it sleeps.
    pub spins: u64,
    /// Threads that were started.
    pub threads_started: u64,
    /// Threads that the system refused to start.
    pub threads_failed: u64,
    /// Threads that ended because they had been idle for long.
    pub threads_ended: u64,
    /// Looks of the monitor.
    pub monitor_looks: u64,
    /// Faults by which stacks grew, in this process.
    pub growth_faults: u64,
    /// Goroutines that were about to run on another thread than before, and were searched for addresses of the old
    /// thread's thread-local storage.
    pub migrations_checked: u64,
    /// Those of them that held one, and went back to their thread.
    pub sent_back: u64,
    /// Goroutines among these that resumed on another thread after all, because their thread was blocked or busy for long.
    pub sent_back_expired: u64,
    /// Open sockets for which a goroutine or thread has waited.
    pub sockets: usize,
    /// Descriptors that are registered with the network poller.
    pub registered: usize,
    /// Times the kernel was asked for events of sockets.
    pub polls: u64,
    /// Events of sockets that the kernel reported.
    pub poll_events: u64,
    /// The current Ps.
    pub procs: Vec<ProcMetrics>,
}

/// What a P does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcState {
    /// It has no work.
    #[default]
    Idle,
    /// A thread runs goroutines with it, or looks for work.
    Busy,
    /// Its thread is in a blocking call, from which it may get it back.
    Lent,
}

/// A snapshot of one P.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcMetrics {
    /// Times a goroutine was run here.
    pub runs: u64,
    /// Times work was taken from another P.
    pub steals: u64,
    /// Times the full queue sent one or half of its goroutines to the global one.
    pub overflows: u64,
    /// Goroutines in the queue, the one that goes next included.
    pub queue: usize,
    /// What it does.
    pub state: ProcState,
}

/// A snapshot of the scheduler; all zero while the runtime has not been started.
pub fn metrics() -> Metrics {
    sched::get().map_or_else(Metrics::default, |sched| sched.snapshot())
}

/// How often goroutines changed threads: see [`migration_stats`].
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct MigrationStats {
    /// Goroutines that were about to run on another thread than before, and were searched.
    pub scanned: u64,
    /// Those of them that pointed into the old thread's storage, and were sent back to it.
    pub sent_back: u64,
}

/// What the migration check has done since the start of the process. The two numbers are read separately: each is
/// right, but they are not of one moment.
pub fn migration_stats() -> MigrationStats {
    MigrationStats {
        scanned: GLOBAL.scanned.get(),
        sent_back: GLOBAL.sent_back.get(),
    }
}

impl Sched {
    pub(crate) fn snapshot(&self) -> Metrics {
        // Ends before beginnings: a goroutine that starts and ends meanwhile may be counted, but the difference is
        // not below zero.
        let ended = self.sum(|p| p.counters.ended.get()) + GLOBAL.ended.get();
        let spawned = self.sum(|p| p.counters.spawned.get()) + GLOBAL.spawned.get();
        let resting = self.idle.resting();
        let procs = self.procs.now().iter().map(|p| p.snapshot(&resting));
        let procs: Vec<ProcMetrics> = procs.collect();
        let migrations = migration_stats();
        let (registered, polls, poll_events) = self.poller.counts();
        let threads_ended = GLOBAL.threads_ended.get();
        let threads_started = GLOBAL.threads_started.get();
        Metrics {
            gomaxprocs: self.procs.count(),
            idle_procs: self.idle.idle_ps() as usize,
            goroutines: spawned.saturating_sub(ended),
            spawned,
            threads: threads_started.saturating_sub(threads_ended) as usize,
            idle_threads: self.idle.sleeping(),
            spinning_threads: usize::from(self.idle.is_spinning()),
            waiting_threads: self.idle.waiting(),
            global_queue: self.injected(),
            runs: self.sum(P::runs),
            steals: self.sum(|p| p.counters.steals.get()),
            overflows: self.sum(|p| p.counters.overflows.get()),
            handoffs: GLOBAL.handoffs.get(),
            retakes: GLOBAL.retakes.get(),
            takes: GLOBAL.takes.get(),
            wakes: GLOBAL.wakes.get(),
            spins: GLOBAL.spins.get(),
            threads_started,
            threads_failed: GLOBAL.threads_failed.get(),
            threads_ended,
            monitor_looks: GLOBAL.looks.get(),
            growth_faults: goroutines_stack::growth_faults(),
            migrations_checked: migrations.scanned,
            sent_back: migrations.sent_back,
            sent_back_expired: GLOBAL.sent_back_expired.get(),
            sockets: poll_desc::in_use(),
            registered,
            polls,
            poll_events,
            procs,
        }
    }

    fn sum(&self, of: impl Fn(&P) -> u64) -> u64 {
        self.procs.all().iter().map(of).sum()
    }
}

impl P {
    /// Times a goroutine was run here.
    fn runs(&self) -> u64 {
        // Rounds last: each empty one has been begun.
        let empty = self.counters.empty_rounds.get();
        self.tick().saturating_sub(empty)
    }

    /// `resting`: the words of the Ps that are idle.
    fn snapshot(&'static self, resting: &[usize]) -> ProcMetrics {
        let state = match self.lending.lent() {
            _ if resting.contains(&self.id()) => ProcState::Idle,
            Some(_) => ProcState::Lent,
            None => ProcState::Busy,
        };
        ProcMetrics {
            state,
            runs: self.runs(),
            steals: self.counters.steals.get(),
            overflows: self.counters.overflows.get(),
            queue: self.queued(),
        }
    }
}

//! Goroutines that were sent home by the migration check, and whose home does not come to run them.
//!
//! What the check finds on a stack may be a word that nobody reads any more. Where home is awake the goroutine is run
//! there in the next round, and the detour costs little. But home may be blocked, in a call or by a goroutine that
//! unwinds, or compute for long; and what it waits for may be this very goroutine. So *visitors*, which is what those
//! are in home's queue, wait until home has been blocked for [`BLOCKED`], and has run none of its queue for [`LONGEST`]
//! in any case: then they go on on any M, as if nothing had been found. The promise of `start` says that this is right;
//! the check is the net below it. A home that waits for a CPU, or for a P, is not blocked: it comes.
//!
//! ```text
//! sender (an M with a P)                       sysmon
//! W1 g into home's queue. Is it the first      W3 a while later: are there visitors still? Under the queue's
//!    visitor there? Then home into the list       lock: if there are none, home is listed no more
//! W2 sysmon does not sleep while there is      W4 home does not come: all visitors out of its queue; each has run
//!    somebody in the list                         nowhere, and goes into the global queue
//! ```
//!
//! - Home is listed whatever it was doing at W1. One that was asleep is woken (inbox.rs), and may then run something
//!   else first and block in it.
//! - *First visitor* and *none any more* are one bit below the queue's lock: a home with visitors is in the list, or the
//!   sender that found it unlisted is between the two halves of W1, with a P, so that sysmon is awake and looks again.
//! - Home's own `pop` and W4 exclude each other by the queue's lock.
//! - Goroutines that are pinned or locked to home are no visitors: they have nowhere else to go.

use crate::protocol::{
    steps::Machine,
    sync::{AtomicUsize, Mutex, Ordering, lock},
    window_lock::Linked,
};

/// How long home's thread must have been blocked, in nanoseconds.
const BLOCKED: u64 = 20_000_000;

/// How long visitors wait for a home that runs none of them, whatever else it does.
const LONGEST: u64 = 1_000_000_000;

/// Homes that have visitors.
pub(crate) struct HomeWaits {
    /// How many are in the list.
    count: AtomicUsize,
    list: Mutex<Vec<Wait>>,
}

struct Wait {
    /// The word of an M.
    home: usize,
    /// How many of its queue home had run, and since when it has been that many.
    pops: u32,
    since: u64,
    /// The CPU time that home had used, and since when it has been that.
    used: u64,
    still: u64,
}

/// How an M does.
pub(crate) struct Home {
    /// The CPU time that its thread has used.
    pub(crate) used: u64,
    /// It waits for a P or a CPU, or sleeps and will be woken.
    pub(crate) comes: bool,
}

impl Wait {
    /// Has it lasted long enough? `home` is asked only where that matters.
    fn is_over(&mut self, now: u64, pops: u32, home: impl FnOnce() -> Home) -> bool {
        if pops != self.pops {
            (self.pops, self.since, self.still) = (pops, now, now);
        }
        if now < self.since.saturating_add(BLOCKED) {
            return false;
        }
        let home = home();
        if home.used != self.used || home.comes {
            (self.used, self.still) = (home.used, now);
        }
        now >= self.still.saturating_add(BLOCKED) || now >= self.since.saturating_add(LONGEST)
    }
}

impl HomeWaits {
    pub(crate) fn new() -> HomeWaits {
        HomeWaits {
            count: AtomicUsize::new(0),
            list: Mutex::new(Vec::new()),
        }
    }

    /// W1: there is a first visitor in the queue of `home`.
    pub(crate) fn add(&self, home: usize, now: u64) {
        let mut list = lock(&self.list);
        list.push(Wait {
            home,
            pops: 0,
            since: now,
            used: 0,
            still: now,
        });
        // Relaxed: partner is the load in `is_empty`. The caller holds a P and puts it down later: sysmon_sleep.rs.
        self.count.store(list.len(), Ordering::Relaxed);
    }

    /// W2: does nobody have visitors?
    pub(crate) fn is_empty(&self) -> bool {
        // Relaxed: partner is the store in `add`.
        self.count.load(Ordering::Relaxed) == 0
    }

    /// W3 and W4, by sysmon: takes those out of their homes' queues who have waited long enough. `m` is the M of a word,
    /// `home` says how it does.
    pub(crate) fn look<M: Machine, L: Linked>(
        &self,
        now: u64,
        m: impl Fn(usize) -> M,
        home: impl Fn(M) -> Home,
    ) -> Vec<L> {
        let mut list = lock(&self.list);
        let mut free = Vec::new();
        list.retain_mut(|wait| {
            let m = m(wait.home);
            let Some(pops) = m.inbox().has_visitors() else {
                return false;
            };
            let over = wait.is_over(now, pops, || home(m));
            if over {
                m.inbox().take_visitors(&mut free);
            }
            !over
        });
        // Relaxed: as in `add`.
        self.count.store(list.len(), Ordering::Relaxed);
        free
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn wait() -> Wait {
        Wait {
            home: 0,
            pops: 0,
            since: 0,
            used: 0,
            still: 0,
        }
    }

    fn home(used: u64, comes: bool) -> Home {
        Home { used, comes }
    }

    #[test]
    fn a_home_that_is_blocked_is_given_up_after_a_while_and_one_that_works_is_not() {
        let mut blocked = wait();
        assert!(!blocked.is_over(BLOCKED - 1, 0, || unreachable!("asked too early")));
        assert!(!blocked.is_over(BLOCKED, 0, || home(5, false)));
        assert!(!blocked.is_over(2 * BLOCKED - 1, 0, || home(5, false)));
        assert!(blocked.is_over(2 * BLOCKED, 0, || home(5, false)));
        let mut works = wait();
        for look in 1..LONGEST / BLOCKED {
            assert!(!works.is_over(look * BLOCKED, 0, || home(look, false)));
        }
        assert!(works.is_over(LONGEST, 0, || home(LONGEST, false)));
    }

    #[test]
    fn a_home_that_comes_is_given_up_only_if_it_runs_none_of_its_queue() {
        let mut comes = wait();
        for look in 1..LONGEST / BLOCKED {
            assert!(!comes.is_over(look * BLOCKED, 0, || home(0, true)));
        }
        assert!(!comes.is_over(LONGEST, 1, || home(0, true)));
        assert!(!comes.is_over(2 * LONGEST - 1, 1, || home(0, true)));
        assert!(comes.is_over(2 * LONGEST, 1, || home(0, true)));
    }
}

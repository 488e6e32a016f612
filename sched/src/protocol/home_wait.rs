//! Goroutines that the migration check returned to their last M (*home*), which has not run them in time.
//!
//! The check may find a word on a stack that is never read again. Where home is awake it runs the goroutine in its
//! next round, and the detour costs little. But home may be blocked, in a call or by a goroutine that unwinds, or
//! compute for long; and it may be waiting for this very goroutine. So the goroutines that were returned, the
//! *visitors* in home's queue, wait until home has been blocked for [`BLOCKED`], and at most until it has run none of
//! its queue for [`LONGEST`]. Then they resume on any M, as if the check had found nothing. The promise that `start`
//! asks for makes that right; the check only catches programs that break it. A home that waits for a CPU, or for a P,
//! is not blocked: it will run its queue.
//!
//! ```text
//! sender (an M with a P)                       sysmon
//! W1 g into home's queue. Is it the first      W3 a while later: are there visitors still? Under the queue's
//!    visitor there? Then home into the list       lock: if there are none, home leaves the list
//! W2 sysmon does not sleep while there is      W4 home does not come: all visitors out of its queue; each has run
//!    a home in the list                         nowhere, and goes into the global queue
//! ```
//!
//! - Home is listed whatever it was doing at W1. If it was asleep it is woken (inbox.rs), and may then run another
//!   goroutine first and block in it.
//! - *First visitor* and *none any more* are one bit under the queue's lock. A home with visitors is in the list, or
//!   the sender that found it unlisted is between the two halves of W1; that sender holds a P, so that sysmon is
//!   awake and looks again.
//! - Goroutines that are pinned or locked to home are no visitors: no other M may run them.

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
    /// The length of the list.
    count: AtomicUsize,
    list: Mutex<Vec<Wait>>,
}

struct Wait {
    /// The word of an M.
    home: usize,
    /// How many goroutines of its queue home has run, and since when the number has not changed.
    pops: u32,
    since: u64,
    /// The CPU time that home has used, and since when it has not changed.
    used: u64,
    still: u64,
}

/// The state of an M whose visitors wait.
pub(crate) struct Home {
    /// The CPU time that its thread has used.
    pub(crate) used: u64,
    /// Whether it will run its queue by itself: it waits for a P or a CPU, or sleeps and will be woken.
    pub(crate) comes: bool,
}

impl Wait {
    /// Returns whether the visitors have waited long enough. `home` is called only where that matters.
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
        // Relaxed: partner is the load in `is_empty`. The caller holds a P and puts it down later (see
        // sysmon_sleep.rs).
        self.count.store(list.len(), Ordering::Relaxed);
    }

    /// W2: returns whether no M has visitors.
    pub(crate) fn is_empty(&self) -> bool {
        // Relaxed: partner is the store in `add`.
        self.count.load(Ordering::Relaxed) == 0
    }

    /// W3 and W4, by sysmon: takes out of their homes' queues the visitors that have waited long enough. `m` is the M
    /// of a word, `home` returns its state.
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

#[cfg(all(test, not(goroutines_loom)))]
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

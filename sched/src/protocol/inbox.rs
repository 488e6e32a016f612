//! Goroutines that only one M may run: its queue of *bound* goroutines, and how they wake that M.
//!
//! A goroutine is bound to an M while it is pinned or locked to it (locked.rs), and for one turn when it holds an
//! address in that M's thread-local storage (migrate.rs). It waits in the usual queues and is made ready in the
//! usual way. An M that takes it from a queue and is not the M it is bound to *sends it home*. Home may be awake,
//! asleep, without a P, or about to fall asleep:
//!
//! ```text
//! sender (an M with a P)                       home
//! B1 the goroutine into home's queue           H1 under the lock of idle.rs: on the list of sleeping Ms (I2)
//! B2 under the lock of idle.rs: is home on     H2 its queue is not empty: under that lock,
//!    the list of sleeping Ms? If so, off          H3 off the list with an idle P, or off the list
//!    the list, and                                   into the line for a P
//! B3 an idle P goes to home: wake it; or       H4    or off the list already: woken
//! B4 home is put in the line of Ms that        H5 sleep until woken with a P
//!    wait for a P (idle.rs)
//! ```
//!
//! - *B2 before H1* in the order of the lock: home sees B1 at H2.
//! - *H1 before B2*: home is on the list, and B3 or B4 sees to it; or another thread took it off before, with a P for
//!   it. Either way it is woken with a P and looks into its queue before it sleeps again.
//! - *H3 against B3 and B4*: the lock decides. The side that takes home off the list decides what it does next.
//! - *Home runs*, a goroutine or a blocking call: it looks into its queue in the next round, or comes to H1.
//!
//! Ms that wait for a P get the first one that is put down, at the latest at the next fair round of a P; sysmon takes
//! one where all Ps stand still (sysmon/mod.rs).
//!
//! An M that is *locked* sleeps on no list, because it may not be woken for the work of others. It notes in its own
//! queue that it waits, under the queue's lock. The sender that finds this at B1 ends the wait, and gets a P for home
//! or puts home in line (B3 and B4 without B2).
//!
//! The steps are in steps/send_home.rs, steps/stop_m.rs and steps/locked.rs. Goroutines in the queue that are bound
//! for one turn only are *visitors*: home_wait.rs.

use crate::protocol::{
    sync::{AtomicU32, Mutex, Ordering, lock},
    window_lock::Linked,
};

/// As a link: no further one. Words of goroutines are aligned, so none is 1.
const NONE: usize = 1;

/// Bits of `calls`: the M is locked; its next round shall be a fair one (fairness.rs); it shall look which copy of its
/// loop it needs (schedule/mod.rs). The number of goroutines in
/// the queue counts from the next bit on.
const LOCKED: u32 = 1;
const FAIR_ROUND_ASKED: u32 = 2;
const OTHER_LOOP_ASKED: u32 = 4;
const ONE: u32 = 8;

pub(crate) struct Inbox {
    /// Not 0: the M must look at this word before it looks for work.
    calls: AtomicU32,
    queue: Mutex<Queue>,
}

struct Queue {
    first: usize,
    last: usize,
    /// Whether the M, which is locked, sleeps until a goroutine comes.
    waits: bool,
    /// How many goroutines in the queue could run on another M.
    visitors: usize,
    /// Whether the M is in the list of home_wait.rs.
    listed: bool,
    /// How many goroutines the M has taken out. It wraps.
    pops: u32,
}

/// What B1 found.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The M was locked and waited. It waits no longer, and the caller gets a P for it.
    pub(crate) waits: bool,
    /// The queue had no visitor before, and has one: the caller puts the M into the list of home_wait.rs.
    pub(crate) is_first_visitor: bool,
}

impl Inbox {
    pub(crate) fn new() -> Inbox {
        Inbox {
            calls: AtomicU32::new(0),
            queue: Mutex::new(Queue {
                first: NONE,
                last: NONE,
                waits: false,
                visitors: 0,
                listed: false,
                pops: 0,
            }),
        }
    }

    /// Returns whether there is a goroutine, or the M is locked, or a fair round was asked for. For the M, in every
    /// round.
    #[inline(always)]
    pub(crate) fn has_requests(&self) -> bool {
        // Relaxed: partner is the addition in `push`; that H2 sees it is due to the lock of idle.rs.
        self.calls.load(Ordering::Relaxed) != 0
    }

    /// Returns whether there is a goroutine.
    pub(crate) fn any(&self) -> bool {
        // Relaxed: as in `calls`.
        self.calls.load(Ordering::Relaxed) >= ONE
    }

    pub(crate) fn is_locked(&self) -> bool {
        // Relaxed: the M's own store.
        self.calls.load(Ordering::Relaxed) & LOCKED != 0
    }

    /// The M is locked from here on, or no longer. Only by the M itself.
    pub(crate) fn set_locked(&self, locked: bool) {
        // Relaxed (both): only the M asks for the bit.
        if locked {
            self.calls.fetch_or(LOCKED, Ordering::Relaxed);
        } else {
            self.calls.fetch_and(!LOCKED, Ordering::Relaxed);
        }
    }

    /// The M's next round shall be a fair one.
    pub(crate) fn request_fair_round(&self) {
        // Relaxed: partner is the load in `calls`; a round that does not see it yet counts as before it.
        self.calls.fetch_or(FAIR_ROUND_ASKED, Ordering::Relaxed);
    }

    /// Returns whether a fair round was asked for, once for each request. By the M.
    pub(crate) fn take_fair_round(&self) -> bool {
        // Relaxed: as in `request_fair_round`.
        self.calls.fetch_and(!FAIR_ROUND_ASKED, Ordering::Relaxed) & FAIR_ROUND_ASKED != 0
    }

    /// By any thread: the M shall look which copy of its loop it needs.
    pub(crate) fn ask_for_other_loop(&self) {
        // Relaxed: as in `request_fair_round`.
        self.calls.fetch_or(OTHER_LOOP_ASKED, Ordering::Relaxed);
    }

    /// Returns whether the M shall do so, once for each request. By the M.
    pub(crate) fn takes_other_loop(&self) -> bool {
        // Relaxed (both): as in `request_fair_round`.
        self.calls.load(Ordering::Relaxed) & OTHER_LOOP_ASKED != 0
            && self.calls.fetch_and(!OTHER_LOOP_ASKED, Ordering::Relaxed) & OTHER_LOOP_ASKED != 0
    }

    /// B1 and the first half of W1.
    pub(crate) fn push<L: Linked>(&self, one: L) -> Sent {
        one.set_next(NONE);
        let visits = one.is_visitor();
        let mut queue = lock(&self.queue);
        if queue.last == NONE {
            queue.first = one.word();
        } else {
            // SAFETY: words of the queue were put there below.
            unsafe { L::of(queue.last) }.set_next(one.word());
        }
        queue.last = one.word();
        // Relaxed: see `calls`.
        self.calls.fetch_add(ONE, Ordering::Relaxed);
        queue.visitors += usize::from(visits);
        Sent {
            waits: std::mem::take(&mut queue.waits),
            is_first_visitor: visits && !std::mem::replace(&mut queue.listed, true),
        }
    }

    /// Takes out the goroutine that has waited longest; for the M.
    pub(crate) fn pop<L: Linked>(&self) -> Option<L> {
        let mut queue = lock(&self.queue);
        if queue.first == NONE {
            return None;
        }
        // SAFETY: words of the queue were put there by `push`.
        let one = unsafe { L::of(queue.first) };
        queue.first = one.next();
        if queue.first == NONE {
            queue.last = NONE;
        }
        // Relaxed: see `calls`.
        self.calls.fetch_sub(ONE, Ordering::Relaxed);
        queue.visitors -= usize::from(one.is_visitor());
        queue.pops = queue.pops.wrapping_add(1);
        Some(one)
    }

    /// W3: how many goroutines the M has taken out so far, if there are visitors. If there are none, the M is listed
    /// no longer.
    pub(crate) fn has_visitors(&self) -> Option<u32> {
        let mut queue = lock(&self.queue);
        queue.listed = queue.visitors != 0;
        queue.listed.then_some(queue.pops)
    }

    /// W4: moves all visitors into `free`, for the caller; the M is listed no longer.
    pub(crate) fn take_visitors<L: Linked>(&self, free: &mut Vec<L>) {
        let mut queue = lock(&self.queue);
        let mut word = std::mem::replace(&mut queue.first, NONE);
        queue.last = NONE;
        queue.visitors = 0;
        queue.listed = false;
        while word != NONE {
            // SAFETY: words of the queue were put there by `push`.
            let one = unsafe { L::of(word) };
            word = one.next();
            if one.is_visitor() {
                // Relaxed: see `calls`.
                self.calls.fetch_sub(ONE, Ordering::Relaxed);
                free.push(one);
                continue;
            }
            one.set_next(NONE);
            match queue.last {
                NONE => queue.first = one.word(),
                // SAFETY: `last` is not 0, so it is a word that `push` has put there.
                last => unsafe { L::of(last) }.set_next(one.word()),
            }
            queue.last = one.word();
        }
    }

    /// The M is locked and wants to sleep: true if it may, because its queue is empty. It is then woken with a P.
    #[must_use]
    pub(crate) fn wait(&self) -> bool {
        let mut queue = lock(&self.queue);
        queue.waits = queue.first == NONE;
        queue.waits
    }

    /// The M, which waits, has slept long enough. False if its wait was ended already: then it is being woken with a
    /// P.
    #[must_use]
    pub(crate) fn wait_no_more(&self) -> bool {
        std::mem::take(&mut lock(&self.queue).waits)
    }
}

//! The network poller: who asks the kernel for events, and when.
//!
//! No thread is there for this alone. Whoever has nothing to do asks; one M that has nothing to do for long sleeps in the
//! kernel's poll instead of on its futex: the *sleeping poller*.
//!
//! ```text
//! an M with a P, its queues empty              an M that goes to sleep (steps/stop_m.rs)
//! P1 no socket is registered: skip             K1 under the lock of idle.rs: nobody else sleeps in the poll
//! P2 the last poll was less than 5 us ago:     K2 its parker: EMPTY -> POLLING
//!    skip                                      K3 the kernel's poll, until its timer if it keeps the time
//! P3 the kernel's poll, which does not wait;   K4 its parker: POLLING -> EMPTY. Fails: it was handed a P
//!    the first goroutine runs here, the        K5 what came goes into the global queue
//!    others go to the tail of the ring         K6 it leaves the list of sleepers with a P, if one is idle
//! ```
//!
//! - *While all Ps are busy* each of them polls in a fair round, if the last poll is over 50 us old; sysmon polls when it
//!   is over 1 ms old, because one that computes holds no rounds. While a P is idle and nobody sleeps in the poll, sysmon
//!   wakes an M for it after 200 us.
//! - *Nothing is lost*: an event stays in the kernel until somebody asks. Either an M has a P, and then it, or sysmon,
//!   which is awake, asks; or all Ps rest. Then somebody sleeps in the poll: an M that goes to sleep takes the part if it
//!   is free, a P that is put down without its M wakes one (steps/wake.rs), and sysmon does not sleep before somebody has
//!   the part.
//! - P2 is a hint without a lock: a poller that lost its CPU must not stop the others.
//! - *Interrupting the sleeper*: an eventfd, written by whoever finds POLLING in the parker's word. It stays readable until
//!   the sleeper takes it, so a poll of others does not take it away. Only one M is between K2 and K4 at a time, also when
//!   the part is free again already.

use std::{
    array,
    mem::MaybeUninit,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use crate::{
    global::{ready, sched::Sched},
    gmp::{
        g::GRef,
        m::M,
        p::P,
        poll_desc::{self, PollDesc},
        ticket::Ticket,
    },
    protocol::{io_line::Line, timers::NEVER},
    sys::{
        clock::{now, sharply},
        epoll::{self, BATCH, Event, Poll},
    },
};

/// P2: the shortest time between two polls of Ms that look for work.
pub(crate) const IDLE_AGE: u64 = 5_000;
/// The same in fair rounds.
pub(crate) const FAIR_AGE: u64 = 50_000;
/// After that sysmon wakes an M that becomes the sleeping poller.
const RELAY_AGE: u64 = 200_000;
/// After that sysmon polls itself.
const LATE_AGE: u64 = 1_000_000;

/// What the Ms share for polling.
pub(crate) struct Poller {
    /// How many descriptors are registered.
    registered: AtomicUsize,
    /// When somebody polled last.
    last: AtomicU64,
    polls: AtomicU64,
    events: AtomicU64,
}

impl Poller {
    pub(crate) const fn new() -> Poller {
        Poller {
            registered: AtomicUsize::new(0),
            last: AtomicU64::new(0),
            polls: AtomicU64::new(0),
            events: AtomicU64::new(0),
        }
    }

    /// P1.
    #[inline]
    pub(crate) fn is_watching(&self) -> bool {
        // Relaxed: who registers goes on with a P, and comes here before it sleeps.
        self.registered.load(Ordering::Relaxed) != 0
    }

    /// A descriptor was registered.
    pub(crate) fn note_registered(&self) {
        // Relaxed: see `is_watching`.
        self.registered.fetch_add(1, Ordering::Relaxed);
    }

    /// One is not any more.
    pub(crate) fn note_removed(&self) {
        // Relaxed: see `is_watching`.
        self.registered.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many descriptors are registered, how often somebody polled, and how many events that gave.
    pub(crate) fn counts(&self) -> (usize, u64, u64) {
        // Relaxed (all): for the eye only.
        (
            self.registered.load(Ordering::Relaxed),
            self.polls.load(Ordering::Relaxed),
            self.events.load(Ordering::Relaxed),
        )
    }

    /// P1 and P2: the epoll, if it is time to ask it. `age` is how old the last poll must be.
    fn due(&self, age: u64) -> Option<&'static Poll> {
        if !self.is_watching() {
            return None;
        }
        let now = now();
        // Relaxed (both): a hint.
        if now.saturating_sub(self.last.load(Ordering::Relaxed)) < age {
            return None;
        }
        self.last.store(now, Ordering::Relaxed);
        epoll::get()
    }

    /// E1 to E6 of io_line.rs: waits for events for at most `timeout` nanoseconds. `wake` gets each goroutine that was
    /// claimed. Returns whether the sleeper was interrupted.
    fn harvest(&self, poll: &Poll, timeout: Option<u64>, mut wake: impl FnMut(GRef)) -> bool {
        let mut events: [MaybeUninit<Event>; BATCH] = array::from_fn(|_| MaybeUninit::uninit());
        let (mut count, mut kicked) = (0, false);
        for event in poll.wait(&mut events, timeout) {
            kicked |= event.is_kick();
            count += 1;
            let (number, generation) = event.token();
            if let Some(desc) = poll_desc::get(number) {
                announce(desc, generation, event, &mut wake);
            }
        }
        // Relaxed (both): for the eye only.
        self.polls.fetch_add(1, Ordering::Relaxed);
        if count != 0 {
            self.events.fetch_add(count, Ordering::Relaxed);
        }
        kicked
    }
}

/// E2 to E6, for each direction that `event` touches.
fn announce(desc: &PollDesc, generation: u32, event: Event, wake: &mut impl FnMut(GRef)) {
    let mut tell = |line: &Line<Ticket>, last: bool| {
        let is_current = || desc.generation() == generation;
        line.announce(last, is_current, |ticket| wake(ticket.g()));
    };
    if event.reads() {
        tell(&desc.read, event.ends_reading());
    }
    if event.writes() {
        tell(&desc.write, event.ends_writing());
    }
}

impl Sched {
    /// P1 to P3 on the P of the caller. The goroutine that runs next, if there is one.
    pub(crate) fn poll_inline(&'static self, p: &P, age: u64) -> Option<usize> {
        let poll = self.poller.due(age)?;
        let mut first = None;
        let mut more = false;
        self.poller.harvest(poll, Some(0), |g| {
            if first.is_none() {
                first = Some(ready::polled_first(g));
            } else {
                ready::polled(p, g);
                more = true;
            }
        });
        if more {
            ready::published(p);
        }
        first
    }

    /// In a fair round of `p`: what came goes behind the others.
    pub(crate) fn poll_in_passing(&'static self, p: &P) {
        let Some(poll) = self.poller.due(FAIR_AGE) else {
            return;
        };
        let mut any = false;
        self.poller.harvest(poll, Some(0), |g| {
            ready::polled(p, g);
            any = true;
        });
        if any {
            ready::published(p);
        }
    }

    /// K2 to K5, on the g0 of `m`, until `until` if that is a moment. True: it was handed a P.
    pub(crate) fn sleep_in_poll(&'static self, m: &'static M, until: u64, sharp: bool) -> bool {
        let Some(poll) = epoll::get() else {
            return false;
        };
        let sleep = || {
            let timeout = (until != NEVER).then(|| until.saturating_sub(now()));
            // Relaxed: a hint, for those that have a P.
            self.poller.last.store(now(), Ordering::Relaxed);
            if self
                .poller
                .harvest(poll, timeout, |g| ready::polled_globally(self, g))
            {
                // It may have been meant for the sleeper before. One that is meant for this one came after the token.
                poll.take_kick();
            }
        };
        m.parker
            .poll(|| if sharp { sharply(sleep) } else { sleep() })
    }

    /// sysmon's part. True if something was done.
    pub(crate) fn poll_late(&'static self, time: u64) -> bool {
        if !self.poller.is_watching() || self.idle.has_poller() {
            return false;
        }
        // Relaxed: a hint.
        let age = time.saturating_sub(self.poller.last.load(Ordering::Relaxed));
        if age >= RELAY_AGE && self.idle.may_wake() {
            self.wake();
            return true;
        }
        if age < LATE_AGE {
            return false;
        }
        let Some(poll) = self.poller.due(LATE_AGE) else {
            return false;
        };
        let mut any = false;
        self.poller.harvest(poll, Some(0), |g| {
            ready::polled_globally(self, g);
            any = true;
        });
        if any && self.idle.should_wake() {
            self.wake();
        }
        any
    }
}

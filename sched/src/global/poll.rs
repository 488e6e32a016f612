//! The network poller: which M asks the kernel for events, and when.
//!
//! No thread exists for this alone. An M without work asks; one M that has no work for long sleeps in the kernel's
//! poll instead of on its futex: the *sleeping poller*.
//!
//! ```text
//! an M with a P, its queues empty              an M that goes to sleep (steps/stop_m.rs)
//! P1 no socket is registered: skip             K1 under the lock of idle.rs: no other M sleeps in the poll
//! P2 the last poll was less than 5 us ago:     K2 its parker: EMPTY -> POLLING
//!    skip                                      K3 the kernel's poll, until its timer if it keeps the time
//! P3 the kernel's poll, which does not wait;   K4 its parker: POLLING -> EMPTY. Fails: it was woken with a P
//!    the first goroutine runs here, the        K5 it leaves the list of sleepers with a P, if one is idle
//!    others go to the tail of the ring         K6 its goroutines go into the ring of its P; without a P
//!                                                 into the global queue
//! ```
//!
//! - *While all Ps are busy* each of them polls in a fair round, if the last poll is over 50 us old; sysmon polls
//!   when it is over 250 us old, because fair rounds are far apart where goroutines compute. The goroutines for which it
//!   finds an event go into the global queue, and sysmon asks every P for a fair round. It looks at least each
//!   millisecond. While a P is idle and no M sleeps in the poll, sysmon wakes an M, which polls, after 200 us.
//! - *Nothing is lost*: an event stays in the kernel until a thread asks. Either an M has a P, and then it, or
//!   sysmon, which is awake, asks; or all Ps are idle. Then an M sleeps in the poll: an M that goes to sleep takes
//!   the part if it is free, a P that is put down without its M wakes an M (steps/wake.rs), and sysmon does not sleep
//!   before an M has the part.
//! - After K5 without a P the goroutines of K6 are submitted as any others (S1 to S6 of idle.rs): the M that had the last
//!   P may have put it down meanwhile.
//! - P2 is a hint without a lock: a poller that lost its CPU must not stop the others.
//! - *Interrupting the sleeper*: the event of an eventfd, by the thread that finds POLLING in the parker's word. It is
//!   reported until the sleeper takes it, so polls of other threads do not take it away. Only one M is between K2 and
//!   K4 at a time, also when the part is free again already.

use std::{
    mem::MaybeUninit,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use crate::{
    global::{ready, sched::Sched},
    gmp::{
        g::GRef,
        io_waiter::IoWaiter,
        m::M,
        p::P,
        poll_desc::{self, PollDesc},
        trace_event::EventKind,
        tracer,
    },
    protocol::{io_line::Line, timers::NEVER},
    sys::{
        clock::{now, sharply},
        epoll::{self, BATCH, Event, Poll},
    },
};

/// P2: the shortest time between two polls of Ms that look for work, in nanoseconds.
pub(crate) const IDLE_AGE: u64 = 5_000;
/// The shortest time between two polls in fair rounds, in nanoseconds.
pub(crate) const FAIR_AGE: u64 = 50_000;
/// The age of the last poll, in nanoseconds, at which sysmon wakes an M that becomes the sleeping poller.
const RELAY_AGE: u64 = 200_000;
/// The age of the last poll, in nanoseconds, at which sysmon polls itself.
const LATE_AGE: u64 = 250_000;

/// The state of polling that the Ms share.
pub(crate) struct Poller {
    /// How many descriptors are registered.
    registered: AtomicUsize,
    /// When the last poll was.
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
        // Relaxed: the M that registers has a P, and comes here before it sleeps.
        self.registered.load(Ordering::Relaxed) != 0
    }

    /// A descriptor was registered.
    pub(crate) fn note_registered(&self) {
        // Relaxed: see `is_watching`.
        self.registered.fetch_add(1, Ordering::Relaxed);
    }

    /// A descriptor is no longer registered.
    pub(crate) fn note_removed(&self) {
        // Relaxed: see `is_watching`.
        self.registered.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many descriptors are registered, how many polls there were, and how many events.
    pub(crate) fn counts(&self) -> (usize, u64, u64) {
        // Relaxed (all): for display only.
        (
            self.registered.load(Ordering::Relaxed),
            self.polls.load(Ordering::Relaxed),
            self.events.load(Ordering::Relaxed),
        )
    }

    /// P1 and P2: the epoll, if the last poll is at least `age` nanoseconds old.
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

    /// E1 to E6 of io_line.rs: waits for events for at most `timeout` nanoseconds. `wake` is called with each
    /// goroutine that was claimed. Returns whether the sleeper was interrupted.
    fn harvest(&self, poll: &Poll, timeout: Option<u64>, mut wake: impl FnMut(GRef)) -> bool {
        let mut events = [const { MaybeUninit::uninit() }; BATCH];
        let (mut count, mut kicked) = (0, false);
        for event in poll.wait(&mut events, timeout) {
            kicked |= event.is_kick();
            let (number, generation) = event.token();
            if let Some(desc) = poll_desc::get(number) {
                count += 1;
                announce(desc, generation, event, &mut wake);
            }
        }
        // Relaxed (both): for display only.
        self.polls.fetch_add(1, Ordering::Relaxed);
        if count != 0 {
            self.events.fetch_add(count, Ordering::Relaxed);
            tracer::note(EventKind::Poll, count);
        }
        kicked
    }
}

/// E2 to E6, for each direction that `event` touches.
fn announce(desc: &PollDesc, generation: u32, event: Event, wake: &mut impl FnMut(GRef)) {
    let mut tell = |line: &Line<IoWaiter>, last: bool| {
        let is_current = || desc.generation() == generation;
        line.announce(last, is_current, |waiter| {
            waiter.served().into_iter().for_each(&mut *wake);
        });
    };
    if event.reads() {
        tell(&desc.read, event.ends_reading());
    }
    if event.writes() {
        tell(&desc.write, event.ends_writing());
    }
}

impl Sched {
    /// P1 to P3 on the P of the caller. Returns the goroutine that runs next, if there is one.
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

    /// In a fair round of `p`: goroutines with events go behind the others.
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

    /// K2 to K4, on the g0 of `m`, until `until` if that is a moment. True: it was woken with a P.
    pub(crate) fn sleep_in_poll(&'static self, m: &'static M, until: u64, sharp: bool) -> bool {
        let Some(poll) = epoll::get() else {
            return false;
        };
        let sleep = || {
            let timeout = (until != NEVER).then(|| until.saturating_sub(now()));
            // Relaxed: a hint, for Ms that have a P.
            self.poller.last.store(now(), Ordering::Relaxed);
            if self
                .poller
                .harvest(poll, timeout, |g| m.found.borrow_mut().push(g))
            {
                // The kick may have been meant for an earlier sleeper. One that is meant for this M came after its
                // token.
                poll.take_kick();
            }
        };
        m.parker
            .poll(|| if sharp { sharply(sleep) } else { sleep() })
    }

    /// K6, on the g0 of `m`.
    pub(crate) fn deliver(&'static self, m: &'static M) {
        let mut found = m.found.borrow_mut();
        if found.is_empty() {
            return;
        }
        match m.p() {
            Some(p) => {
                found.drain(..).for_each(|g| ready::polled(p, g));
                ready::published(p);
            }
            None => {
                found
                    .drain(..)
                    .for_each(|g| ready::polled_globally(self, g));
                if self.idle.should_wake() {
                    self.wake();
                }
            }
        }
    }

    /// sysmon's part, while sockets are registered and no M sleeps in the poll.
    pub(crate) fn poll_late(&'static self, time: u64) {
        // Relaxed: a hint.
        let age = time.saturating_sub(self.poller.last.load(Ordering::Relaxed));
        if age >= RELAY_AGE && self.idle.may_wake() {
            self.wake();
            return;
        }
        if age < LATE_AGE {
            return;
        }
        let Some(poll) = self.poller.due(LATE_AGE) else {
            return;
        };
        let mut any = false;
        self.poller.harvest(poll, Some(0), |g| {
            ready::polled_globally(self, g);
            any = true;
        });
        if any {
            self.ask_for_fair_rounds();
            if self.idle.should_wake() {
                self.wake();
            }
        }
    }

    /// sysmon has put goroutines into the global queue: a P whose goroutines compute and yield would look there in 61
    /// rounds only.
    fn ask_for_fair_rounds(&self) {
        for p in self.procs.now().iter() {
            if let Some(m) = p.owner() {
                m.inbox.request_fair_round();
            }
        }
    }
}

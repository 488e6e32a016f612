//! The threads of the scheduler: how many there may be, what happens when the system refuses one, and how threads end
//! that have nothing to do for long.
//!
//! - *Too many*: a program whose goroutines block more than [`Config::max_threads`](crate::Config::max_threads)
//!   threads at once is ended with a message, before it exhausts the machine.
//! - *Refused*: the system has no thread, or no memory for its signal stack. The P that needs one becomes idle, with
//!   its work in a place where other Ms find it ([`Sched::idle_p_for_want_of_thread`]). No thread is asked for in the
//!   next [`RETRY`]; after that sysmon asks again for as long as there is work and an idle P. Meanwhile the scheduler
//!   is *crowded*: a goroutine that uses a lock, a channel or a select without having to wait lets the others go
//!   first when its slice is over, as at a checkpoint. When it has been crowded for [`TOLD`], a line on stderr says
//!   so.
//! - *Idle*: an M that has slept for [`Config::thread_idle`](crate::Config::thread_idle) ends. As many stay asleep as
//!   there are idle Ps that have run, because these may hold timers (see idle.rs), and the timekeeper stays as well.
//! - *Tainted*: an M to which a goroutine was locked when it ended (locked.rs) ends as well.
//!
//! The record of a thread that has ended stays an M and serves the next thread, because other threads may still use
//! it: sysmon, which has just read the owner of a P, or a waker that is leaving the futex.

use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    global::{sched::Sched, starter::Request},
    gmp::{
        counters::GLOBAL,
        m::{Fitness, M},
        p::P,
        tracer,
    },
    protocol::{sync::lock, timers::NEVER},
    switch::fork_check,
    sys::{
        clock::{after, now},
        errno, fatal,
    },
};

/// How long no thread is asked for after one was refused, in nanoseconds.
const RETRY: u64 = 10_000_000;

/// How long goroutines wait for a thread before that is reported, in nanoseconds.
const TOLD: u64 = 1_000_000_000;

/// The least time between two reports, in nanoseconds.
const QUIET: u64 = 60_000_000_000;

/// Whether runnable goroutines wait while the system refuses threads.
static CROWDED: AtomicBool = AtomicBool::new(false);

/// Returns whether runnable goroutines wait while the system refuses threads.
#[inline(always)]
pub(crate) fn is_crowded() -> bool {
    // Relaxed: partner is the store by sysmon; a late answer is given at the next call.
    CROWDED.load(Ordering::Relaxed)
}

/// The loop of a thread of the scheduler, which begins with a P, and as the spinner if the last argument is true.
pub(crate) type Body = fn(&'static Sched, &'static P, bool);

pub(crate) struct Threads {
    max: usize,
    pub(crate) body: Body,
    /// How long an M sleeps before it ends; none: it does not end.
    idle_time: Option<Duration>,
    /// Ms whose threads have ended.
    spare: Mutex<Vec<&'static M>>,
    /// When the last thread was refused, on the scheduler's clock; 0 if one was started since.
    refused: AtomicU64,
    /// The `errno` of that refusal; 0 where there was none.
    error: AtomicI32,
    /// For sysmon: since when it is crowded, 0 if it is not, and when that was last reported.
    crowded: AtomicU64,
    said: AtomicU64,
}

impl Threads {
    pub(crate) fn new(max: usize, idle_time: Option<Duration>, body: Body) -> Threads {
        Threads {
            max,
            body,
            idle_time,
            spare: Mutex::new(Vec::new()),
            refused: AtomicU64::new(0),
            error: AtomicI32::new(0),
            crowded: AtomicU64::new(0),
            said: AtomicU64::new(0),
        }
    }

    /// Returns whether the last thread that was asked for was refused.
    pub(crate) fn is_refused(&self) -> bool {
        // Relaxed: a hint for sysmon, which looks again.
        self.refused.load(Ordering::Relaxed) != 0
    }

    /// Returns whether a thread was refused just now, so that none is asked for yet.
    pub(crate) fn is_too_early(&self) -> bool {
        // Relaxed: a hint; a thread asked for too early is refused once more.
        let refused = self.refused.load(Ordering::Relaxed);
        refused != 0 && now() < refused + RETRY
    }

    /// A thread was started.
    pub(crate) fn note_started(&self) {
        // Relaxed: see `is_too_early`.
        self.refused.store(0, Ordering::Relaxed);
    }

    /// A thread was refused.
    fn note_refused(&self, error: &io::Error) {
        // Relaxed (both): see `is_too_early`.
        let errno = error.raw_os_error().unwrap_or(0);
        self.error.store(errno, Ordering::Relaxed);
        self.refused.store(now(), Ordering::Relaxed);
    }

    /// By sysmon: notes whether it is crowded now, and reports it if it has been for long.
    fn note_crowded(&self, crowded: bool, time: u64) {
        // Relaxed (all): only sysmon touches them.
        let since = self.crowded.load(Ordering::Relaxed);
        if !crowded || since == 0 {
            let since = if crowded { time } else { 0 };
            return self.crowded.store(since, Ordering::Relaxed);
        }
        let said = self.said.load(Ordering::Relaxed);
        if time - since < TOLD || said != 0 && time - said < QUIET {
            return;
        }
        self.said.store(time, Ordering::Relaxed);
        let error = match self.error.load(Ordering::Relaxed) {
            0 => io::ErrorKind::OutOfMemory.into(),
            errno => io::Error::from_raw_os_error(errno),
        };
        fatal::say(format_args!(
            "goroutines have waited to run for {} ms, because the system refuses threads: {error}{}; or let fewer \
             goroutines block or compute at the same time: the others run when one of these parks or calls `checkpoint`",
            (time - since) / 1_000_000,
            errno::remedy(&error),
        ));
    }

    /// How many threads there may be.
    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// When an M that goes to sleep now would end.
    pub(crate) fn end_of_sleep(&self) -> u64 {
        self.idle_time.map_or(NEVER, after)
    }

    /// An M for a new thread.
    pub(crate) fn new_m(&self) -> &'static M {
        let spare = lock(&self.spare).pop();
        spare.unwrap_or_else(|| {
            let m = Box::leak(Box::new(M::new(None)));
            tracer::introduce(m);
            m
        })
    }

    /// The thread of `m` has ended: the M will serve another one.
    pub(crate) fn give_back_m(&self, m: &'static M) {
        m.fitness.set(Fitness::Any);
        lock(&self.spare).push(m);
    }
}

impl Sched {
    /// Starts an M that begins with `p`, through the starter (R1 and R2 of starter.rs).
    pub(crate) fn request_m(&'static self, p: &'static P, as_spinner: bool) {
        fork_check::check();
        let max = self.threads.max;
        if self.idle.add_m() > max {
            too_many(max);
        }
        // The caller may be in a `ready` of a user, whose `errno` must not change.
        let _errno = errno::keep();
        self.requests.push(Request::M { p, as_spinner });
    }

    /// R4 of starter.rs: the system refused the thread for the M that was counted, or what it needs to run.
    #[cold]
    pub(crate) fn do_without_m(&'static self, p: &'static P, as_spinner: bool, error: &io::Error) {
        GLOBAL.threads_failed.add();
        self.idle.remove_m();
        self.threads.note_refused(error);
        if as_spinner {
            // The Ms that exist will take the work.
            self.idle.stop_spinning();
        }
        self.idle_p_for_want_of_thread(p);
    }

    /// Puts `p`, for which there is no M, on the idle list: every M that looks for work can find what is in it.
    pub(crate) fn idle_p_for_want_of_thread(&'static self, p: &'static P) {
        // Thieves take `runnext` last, and an M that goes to sleep does not look at it.
        if let Some(word) = p.ring.take_next() {
            self.inject(word);
        }
        self.put_idle_p(p);
    }

    /// For sysmon: asks again for the thread that was refused, if there is work for it.
    pub(crate) fn retry_refused(&'static self, time: u64) {
        let crowded = self.threads.is_refused() && self.has_due();
        // Relaxed: partner is the load in `is_crowded`.
        if crowded != CROWDED.load(Ordering::Relaxed) {
            CROWDED.store(crowded, Ordering::Relaxed);
        }
        self.threads.note_crowded(crowded, time);
        if crowded && self.idle.may_wake() {
            self.wake();
        }
    }

    /// For sysmon: returns whether idle Ps are of no use, because there is no thread for one.
    pub(crate) fn lacks_threads(&self) -> bool {
        self.threads.is_refused() && self.idle.sleeping() == 0
    }

    /// Returns whether sysmon has to stay awake for [`Sched::retry_refused`].
    pub(crate) fn wants_retry(&self) -> bool {
        self.threads.is_refused() && (self.any_work() || self.earliest_timer() != NEVER)
    }

    fn has_due(&self) -> bool {
        self.any_work() || self.earliest_timer() <= now()
    }
}

#[cold]
fn too_many(max: usize) -> ! {
    fatal::fatal(format_args!(
        "the program exceeds {max} threads: more goroutines than that block their threads at the same time; let \
         fewer of them block at once, or raise Config::max_threads"
    ));
}

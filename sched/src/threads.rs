//! The threads of the scheduler: how many there may be, what happens when there is none to be had, and how those
//! that have nothing to do for long are given back.
//!
//! - *Too many*: a program whose goroutines block more than [`Config::max_threads`](crate::Config::max_threads)
//!   threads at once has a mistake, and dies of it, before the machine does.
//! - *Refused*: the system has no thread for us, or no memory for its signal stack. The P that needs one is put to rest
//!   with what it has in a place where others find it ([`Sched::shelve`]). No thread is asked for in the next [`RETRY`];
//!   after that sysmon asks again for as long as there is work and an idle P.
//! - *Idle*: an M that has slept for [`Config::thread_idle`](crate::Config::thread_idle) ends. As many
//!   stay asleep as there are idle Ps that have run, because these may hold timers (see idle.rs), and the keeper
//!   stays as well.
//!   Its record stays an M and serves the next thread, because others may still look at it: sysmon, which has
//!   just read who owned a P, or a waker on its way out of the futex.

use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use goroutines_stack::SignalStack;

use crate::{
    counters::ALL,
    fatal, fork, launch,
    m::M,
    os::{
        clock::{NEVER, after, now},
        errno,
    },
    p::P,
    run,
    sched::Sched,
    starter::Request,
    switch::set_current_m,
    sync::lock,
};

/// How long to ask for no thread after one was refused, in nanoseconds.
const RETRY: u64 = 10_000_000;

pub(crate) struct Threads {
    max: usize,
    /// How long an M sleeps before it ends; none: it does not.
    idle_time: Option<Duration>,
    /// Ms whose threads have ended.
    spare: Mutex<Vec<&'static M>>,
    /// When the last thread was refused, on our clock; 0 if one was had since.
    refused: AtomicU64,
}

impl Threads {
    pub(crate) fn new(max: usize, idle_time: Option<Duration>) -> Threads {
        Threads {
            max,
            idle_time,
            spare: Mutex::new(Vec::new()),
            refused: AtomicU64::new(0),
        }
    }

    /// Was the last thread that we asked for refused?
    pub(crate) fn is_refused(&self) -> bool {
        // Relaxed: a hint for sysmon, which looks again.
        self.refused.load(Ordering::Relaxed) != 0
    }

    /// Was a thread refused just now, so that none is asked for yet?
    pub(crate) fn is_too_early(&self) -> bool {
        // Relaxed: a hint; a thread asked for too early is refused once more.
        let refused = self.refused.load(Ordering::Relaxed);
        refused != 0 && now() < refused + RETRY
    }

    /// A thread was had.
    pub(crate) fn note_started(&self) {
        // Relaxed: see `is_too_early`.
        self.refused.store(0, Ordering::Relaxed);
    }

    /// A thread was refused.
    fn note_refused(&self, _error: &io::Error) {
        // Relaxed: see `is_too_early`.
        self.refused.store(now(), Ordering::Relaxed);
    }

    /// How many there may be.
    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// When an M that goes to sleep now would end.
    pub(crate) fn end_of_sleep(&self) -> u64 {
        self.idle_time.map_or(NEVER, after)
    }

    /// An M for a new thread.
    fn new_m(&self) -> &'static M {
        let spare = lock(&self.spare).pop();
        spare.unwrap_or_else(|| Box::leak(Box::new(M::new(None))))
    }
}

impl Sched {
    /// Has an M started that begins with `p`, by the starter (R1 and R2 there).
    pub(crate) fn request_m(&'static self, p: &'static P, as_spinner: bool) {
        fork::check();
        let max = self.threads.max;
        if self.idle.add_m() > max {
            too_many(max);
        }
        // Somebody's `ready` may have come here.
        let _errno = errno::keep();
        self.requests.push(Request::M { p, as_spinner });
    }

    /// R4: there is no thread for the M that was counted, or not what it needs to run.
    #[cold]
    pub(crate) fn do_without_m(&'static self, p: &'static P, as_spinner: bool, error: &io::Error) {
        ALL.threads_failed.add();
        self.idle.remove_m();
        self.threads.note_refused(error);
        if as_spinner {
            // The Ms that exist will do the work.
            self.idle.stop_spinning();
        }
        self.shelve(p);
    }

    /// Puts `p`, for which there is no M, to rest: what is in it can be found by every M that looks for work.
    pub(crate) fn shelve(&'static self, p: &'static P) {
        // Thieves take `runnext` last, and an M that goes to sleep does not look at it at all.
        if let Some(word) = p.ring.take_next() {
            self.inject(word);
        }
        self.rest_p(p);
    }

    /// For sysmon: asks again for the thread that was refused, if there is something to do for it.
    pub(crate) fn retry_refused(&'static self) {
        if self.threads.is_refused() && self.idle.may_wake() && self.has_due() {
            self.wake();
        }
    }

    /// Does sysmon have to stay awake for [`Sched::retry_refused`]?
    pub(crate) fn wants_retry(&self) -> bool {
        self.threads.is_refused() && (self.any_work() || self.earliest_timer() != NEVER)
    }

    fn has_due(&self) -> bool {
        self.any_work() || self.earliest_timer() <= now()
    }
}

/// The life of a thread of the scheduler, which begins with `p`.
pub(crate) fn live(sched: &'static Sched, p: &'static P, as_spinner: bool) {
    // The first thread may be here before `start` has published the scheduler, or has failed.
    if !launch::succeeds(sched) {
        return;
    }
    let signal_stack = match SignalStack::install() {
        Ok(signal_stack) => signal_stack,
        Err(error) => {
            ALL.threads_ended.add();
            return sched.do_without_m(p, as_spinner, &error);
        }
    };
    let m = sched.threads.new_m();
    m.adopt_thread(&signal_stack);
    // SAFETY: it is new, or of a thread that has ended, which no goroutine had as its last (see `migrate::is_home`).
    unsafe { m.settle() };
    m.set_p(p);
    m.spinning.set(as_spinner);
    set_current_m(Some(m));
    run::schedule(m);
    set_current_m(None);
    ALL.threads_ended.add();
    lock(&sched.threads.spare).push(m);
}

#[cold]
fn too_many(max: usize) -> ! {
    fatal::fatal(format_args!(
        "the program exceeds {max} threads: more goroutines than that block theirs at the same time; let fewer \
         of them do so at once, or raise Config::max_threads"
    ));
}

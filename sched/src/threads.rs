//! The threads of the scheduler: how many there may be, what happens when there is none to be had, and how those
//! that have nothing to do for long are given back.
//!
//! - *Too many*: a program whose goroutines block more than [`Config::max_threads`](crate::Config::max_threads)
//!   threads at once has a mistake, and dies of it, before the machine does.
//! - *Refused*: the system has no thread for us, or no memory for its signal stack. The P that needs one is put to rest with what it has in a place
//!   where others find it ([`Sched::shelve`]), and whoever held it goes on. No thread is asked for in the next
//!   [`RETRY`]; after that sysmon asks again for as long as there is work and an idle P.
//! - *Idle*: an M that has slept for [`Config::thread_idle`](crate::Config::thread_idle) ends. As many
//!   stay asleep as there are idle Ps that have run, because these may hold timers (see idle.rs), and the keeper
//!   stays as well.
//! - *Tainted*: an M to which a goroutine was locked when it ended (pin.rs) ends as well.
//!
//! The record of a thread that has ended stays an M and serves the next thread, because others may still look at it:
//! sysmon, which has just read who owned a P, or a waker on its way out of the futex.

use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use goroutines_stack::{SignalStack, has_room_for_thread};

use crate::{
    counters::ALL,
    fatal,
    m::{Fitness, M},
    os::{
        clock::{NEVER, after, now},
        errno,
    },
    p::P,
    run,
    sched::{self, Sched},
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
    /// Starts an M that begins with `p`. On an error `p` is still the caller's.
    pub(crate) fn start_thread(&'static self, p: &'static P, as_spinner: bool) -> io::Result<()> {
        let threads = &self.threads;
        // Relaxed (all): a hint; a thread asked for too early is refused once more.
        let refused = threads.refused.load(Ordering::Relaxed);
        if refused != 0 && now() < refused + RETRY {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.idle.add_m() > threads.max {
            too_many(threads.max);
        }
        // Somebody's `ready` may have come here.
        let _errno = errno::keep();
        let started = if has_room_for_thread() {
            thread::Builder::new()
                .name("goroutines-m".to_owned())
                .spawn(move || live(p, as_spinner))
        } else {
            Err(io::ErrorKind::OutOfMemory.into())
        };
        match started {
            Ok(_detached) => {
                ALL.threads_started.add();
                threads.refused.store(0, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                ALL.threads_failed.add();
                self.idle.remove_m();
                threads.refused.store(now(), Ordering::Relaxed);
                Err(error)
            }
        }
    }

    /// A thread that has started cannot go on: there is no memory for what it needs.
    #[cold]
    fn give_up_thread(&'static self, p: &'static P, as_spinner: bool) {
        ALL.threads_ended.add();
        ALL.threads_failed.add();
        self.idle.remove_m();
        // Relaxed: as in `start_thread`.
        self.threads.refused.store(now(), Ordering::Relaxed);
        if as_spinner {
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

/// The life of a thread of the scheduler.
fn live(p: &'static P, as_spinner: bool) {
    // The first thread may be here before `start` has published the scheduler.
    let sched = sched::wait();
    // As good as refused.
    let Ok(signal_stack) = SignalStack::install() else {
        return sched.give_up_thread(p, as_spinner);
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
    m.fitness.set(Fitness::Any);
    lock(&sched.threads.spare).push(m);
}

#[cold]
fn too_many(max: usize) -> ! {
    fatal::fatal(format_args!(
        "the program exceeds {max} threads: more goroutines than that block theirs at the same time; let fewer \
         of them do so at once, or raise Config::max_threads"
    ));
}

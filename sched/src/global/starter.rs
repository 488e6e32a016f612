//! The starter: the thread that starts all the others, and runs no code of the program.
//!
//! A new thread inherits from the thread that starts it: the signal mask, the nice value, the affinity, credentials,
//! namespaces, seccomp filters. A goroutine may have changed any of these on its thread, for itself (a goroutine that
//! is locked to its thread may do so), and other goroutines must not inherit that. And pthread_create blocks all
//! signals for some microseconds in which it uses its caller's stack: on a goroutine's stack, a growth fault in that
//! time would end the process without a message. So only the starter starts threads, and it runs no code of the
//! program. It has what the thread had that called `start`, except for the signals that must arrive (sys/mask.rs).
//!
//! ```text
//! a thread that needs an M for a P              starter
//! R1 the M is counted                           R3 starts a thread that begins with the P
//! R2 the request into the queue (requests.rs)   R4 refused: uncounts the M, and puts the P on the idle list,
//!    and continues                                 with its work where other Ms find it
//! ```
//!
//! The requester does not wait, starts no thread while it holds a lock, and pays for a notification; the P belongs to
//! the request until R3 or R4. Between two requests the starter sleeps. It is started before the first M, and a
//! `start` that cannot have it fails. It also counts panics for other threads (unwinding.rs), because it never reads
//! its own count.

use std::sync::{
    Arc,
    atomic::{AtomicI32, Ordering},
};

use crate::{
    global::sched::{Sched, get},
    gmp::{counters::GLOBAL, p::P},
    switch::panic_count::{Charge, Order},
    sys::{spawn::spawn, tasks},
};

/// The number of the starter; 0 before it runs.
static STARTER: AtomicI32 = AtomicI32::new(0);

/// The requests to the starter.
pub(crate) enum Request {
    /// Start an M that begins with this P, as the spinner if `as_spinner`.
    M { p: &'static P, as_spinner: bool },
    /// Start the thread of shrink.rs.
    Shrinker,
    /// Count a panic that another thread discounts (unwinding.rs).
    Charge(Arc<Order>),
    /// Discount one that another thread has counted in return.
    Spend(Charge),
    /// Start a thread that runs `body`. If that is refused, run `refused` here.
    Aside { body: fn(), refused: fn() },
}

/// Has the starter run `body` on a new thread, or `refused` on its own if the system refuses the thread. Returns false if the
/// starter cannot be asked: before the start of the runtime, and on the starter itself.
pub fn run_aside(body: fn(), refused: fn()) -> bool {
    // Relaxed: the starter itself has stored its number.
    let is_starter = STARTER.load(Ordering::Relaxed) == tasks::own();
    match get().filter(|_| !is_starter) {
        Some(sched) => {
            sched.requests.push(Request::Aside { body, refused });
            true
        }
        None => false,
    }
}

/// R3 and R4, in an endless loop.
pub(crate) fn serve(sched: &'static Sched) -> ! {
    // Relaxed: for the starter itself.
    STARTER.store(tasks::own(), Ordering::Relaxed);
    loop {
        match sched.requests.next() {
            Request::M { p, as_spinner } => {
                if let Err(error) = sched.start_m(p, as_spinner) {
                    sched.do_without_m(p, as_spinner, &error);
                }
            }
            Request::Charge(order) => order.deliver(Charge::make(sched.class)),
            Request::Spend(charge) => charge.spend(),
            Request::Aside { body, refused } => {
                if spawn("goroutines-dump", None, body).is_err() {
                    refused();
                }
            }
            Request::Shrinker => {
                let started = spawn("goroutines-stks", None, move || run_shrinker(sched));
                if started.is_err() {
                    sched.shrinker.not_started();
                }
            }
        }
    }
}

/// The loop of the thread of shrink.rs.
fn run_shrinker(sched: &'static Sched) {
    sched.shrinker.run(
        &sched.all_gs,
        || sched.procs.now().iter().for_each(P::ask_to_shed),
        || sched.idle.all_idle(),
    );
}

impl Sched {
    /// An M has nothing to do, or wakes: the thread of shrink.rs shall run.
    #[inline]
    pub(crate) fn rouse_shrinker(&self) {
        if self.shrinker.is_away() {
            self.rouse_shrinker_slow();
        }
    }

    #[cold]
    fn rouse_shrinker_slow(&self) {
        // While threads are refused none is asked for: without it the process only keeps memory that it does not
        // need.
        if !self.threads.is_too_early() && self.shrinker.wake() {
            self.requests.push(Request::Shrinker);
        }
    }

    /// R3, for an M that is counted.
    pub(crate) fn start_m(&'static self, p: &'static P, as_spinner: bool) -> std::io::Result<()> {
        let body = self.threads.body;
        spawn("goroutines-m", None, move || body(self, p, as_spinner))?;
        GLOBAL.threads_started.add();
        self.threads.note_started();
        Ok(())
    }
}

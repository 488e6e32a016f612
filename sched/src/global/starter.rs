//! The starter: the clean thread that starts all the others.
//!
//! A new thread inherits from the thread that starts it: the signal mask, the nice value, the affinity, credentials,
//! namespaces, system call filters. A goroutine may have changed any of these on its thread, for itself (a goroutine
//! that is locked to its thread does so rightly), and others must not get that. And pthread_create blocks all signals
//! for some microseconds in which it uses its caller's stack: on a goroutine's stack that can be the end without a
//! word. So nobody but the starter starts a thread, and it runs no code of others. It has what the thread had that called
//! `start`, but for the signals that must arrive (sys/mask.rs).
//!
//! ```text
//! whoever needs an M for a P                    starter
//! R1 the M is counted                           R3 starts a thread that begins with the P
//! R2 the request into the queue (requests.rs)   R4 refused: uncounts the M, and puts the P to rest with what is
//!    and on                                        in it in a place where others find it
//! ```
//!
//! The requester waits for nothing, holds no thread start under whatever lock it has, and pays for a notification; the
//! P is the request's until R3 or R4. Between two requests the starter sleeps. It is there before the first M, and a
//! `start` that cannot have it fails. It also counts panics for others (unwinding.rs), because it asks nowhere how many
//! it has.

use std::sync::Arc;

use crate::{
    global::sched::Sched,
    gmp::{counters::GLOBAL, p::P},
    switch::panic_count::{Charge, Order},
    sys::spawn::spawn,
};

/// What the starter is asked for.
pub(crate) enum Request {
    /// An M that begins with this P, maybe as the spinner.
    M { p: &'static P, as_spinner: bool },
    /// The thread of shrink.rs.
    Shrinker,
    /// A panic that somebody else discounts (unwinding.rs).
    Charge(Arc<Order>),
    /// One that somebody else has counted in return.
    Spend(Charge),
}

/// R3 and R4, for ever.
pub(crate) fn serve(sched: &'static Sched) -> ! {
    loop {
        match sched.requests.next() {
            Request::M { p, as_spinner } => {
                if let Err(error) = sched.start_m(p, as_spinner) {
                    sched.do_without_m(p, as_spinner, &error);
                }
            }
            Request::Charge(order) => order.deliver(Charge::make(sched.class)),
            Request::Spend(charge) => charge.spend(),
            Request::Shrinker => {
                let started = spawn("goroutines-stks", None, move || run_shrinker(sched));
                if started.is_err() {
                    sched.shrinker.not_started();
                }
            }
        }
    }
}

/// The life of the thread of shrink.rs.
fn run_shrinker(sched: &'static Sched) {
    sched.shrinker.run(
        &sched.all_gs,
        || sched.procs.now().iter().for_each(P::ask_to_shed),
        || sched.idle.all_idle(),
    );
}

impl Sched {
    /// An M has nothing to do, or gets up again: the thread of shrink.rs shall be there.
    #[inline]
    pub(crate) fn rouse_shrinker(&self) {
        if self.shrinker.is_away() {
            self.rouse_shrinker_slow();
        }
    }

    #[cold]
    fn rouse_shrinker_slow(&self) {
        // While no thread is to be had none is asked for: the process only keeps memory that it could do without.
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

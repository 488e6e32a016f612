//! The first function of each thread of the scheduler: it gets a signal stack and an M, and runs the M's loop.

use goroutines_stack::SignalStack;

use crate::{
    global::sched::Sched,
    gmp::{counters::GLOBAL, p::P},
    schedule::schedule,
    switch::thread_word::set_current_m,
};

/// The first function of a thread of the scheduler, which begins with `p`.
pub(crate) fn thread_main(sched: &'static Sched, p: &'static P, as_spinner: bool) {
    // The first thread may arrive here before `start` has published the scheduler, or has failed.
    if !sched.is_launched() {
        return;
    }
    let signal_stack = match SignalStack::install() {
        Ok(signal_stack) => signal_stack,
        Err(error) => {
            GLOBAL.threads_ended.add();
            return sched.do_without_m(p, as_spinner, &error);
        }
    };
    let m = sched.threads.new_m();
    m.adopt_thread(&signal_stack);
    // SAFETY: `m` is new, or of a thread that has ended, and no goroutine has it as the M that ran it last (see
    // `migrate::is_home`).
    unsafe { m.settle() };
    m.set_p(p);
    m.spinning.set(as_spinner);
    set_current_m(Some(m));
    m.note_start_p();
    schedule(m);
    set_current_m(None);
    GLOBAL.threads_ended.add();
    sched.threads.give_back_m(m);
}

//! A goroutine that must wait without leaving its thread: the M blocks, its P goes to another M.
//!
//! A goroutine waits so while it unwinds. std counts panics in a thread-local: a goroutine that parked in a
//! destructor would leave its count to the next goroutine of this M, and would resume with another thread's count.
//!
//! 1. The G is marked as one that is woken through its parker.
//! 2. The P is passed to a sleeping M, or to a new one.
//! 3. The commit runs, and the thread sleeps until `ready` gives the parker's token.
//! 4. The M takes an idle P. If there is none it joins the line for one, and an M that sees the line at its fair
//!    round, or that goes to sleep, passes its P on.

use crate::{
    global::{retake, sched},
    gmp::{
        g::{GRef, Kind},
        m::M,
        p::P,
        trace_event::EventKind,
        tracer,
    },
    switch::thread_word::current_m,
    sys::{clock::now, errno, fatal},
};

/// Runs `wait`, which may block the thread, as the goroutine `g` of this M, without its P.
#[cold]
pub(crate) fn keep_thread(g: GRef, wait: impl FnOnce()) {
    let _errno = errno::keep();
    let Some(m) = current_m() else {
        fatal::throw(format_args!("a goroutine without an M"));
    };
    g.get().set_kind(Kind::Thread);
    let inside = retake::enter(m);
    if let Some(p) = m.give_up_p() {
        tracer::note(EventKind::StopP, p.number as u64);
        sched::running().handoff_p(p);
    }
    drop(inside);
    wait();
    get_p_on_thread(m, g);
}

/// Step 4, for the goroutine `g` on its M: it becomes a goroutine again.
pub(crate) fn get_p_on_thread(m: &'static M, g: GRef) {
    let _inside = retake::enter(m);
    let sched = sched::running();
    match sched.idle.take_p_or_wait(m.id()) {
        Some(p) => {
            sched.sysmon_sleep.note_busy(now);
            // SAFETY: the idle lists hold words of Ps, and this one was taken off them.
            m.set_p(unsafe { P::from_id(p) });
            m.note_start_p();
        }
        None => {
            m.parker.wait(|| None);
            m.accept();
        }
    }
    g.get().set_kind(Kind::Goroutine);
}

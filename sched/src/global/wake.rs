//! Waking an M, and passing a P on: the steps of steps/wake.rs, counted.

use crate::{
    global::sched::Sched,
    gmp::{counters::GLOBAL, p::P, trace_event::EventKind, tracer},
    protocol::steps,
};

impl Sched {
    /// Wakes an M for work that was just published, if one should be (step S4 to S6 of idle.rs).
    #[cold]
    pub(crate) fn wake(&'static self) {
        if steps::wake(self) {
            GLOBAL.wakes.add();
            tracer::note(EventKind::Wake, 0);
        }
    }

    /// Passes `p`, which this M gives up in the middle of a goroutine, to another M.
    pub(crate) fn handoff_p(&'static self, p: &'static P) {
        GLOBAL.handoffs.add();
        tracer::note(EventKind::HandOff, p.number as u64);
        steps::handoff_p(self, p);
    }

    /// Takes an idle P for an M that has none.
    pub(crate) fn take_idle_p(&'static self) -> Option<&'static P> {
        steps::take_idle_p(self)
    }

    /// Puts `p` on the idle list without an M, and makes sure that what is left in it is found.
    pub(crate) fn put_idle_p(&'static self, p: &'static P) {
        steps::put_idle_p(self, p);
    }

    /// Passes `p`, which was taken from its M, to another M if it is `wanted`, or puts it on the idle list.
    pub(crate) fn pass_on_p(&'static self, p: &'static P, wanted: bool) {
        if wanted {
            self.handoff_p(p);
        } else {
            self.put_idle_p(p);
        }
    }
}

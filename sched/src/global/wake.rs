//! Waking an M, and passing a P on: the steps of steps/wake.rs, counted.

use crate::{
    global::sched::Sched,
    gmp::{counters::GLOBAL, p::P},
    protocol::steps,
};

impl Sched {
    /// Wakes an M for work that was just published, if one should be (step S4 to S6 of idle.rs).
    #[cold]
    pub(crate) fn wake(&'static self) {
        if steps::wake(self) {
            GLOBAL.wakes.add();
        }
    }

    /// Lets another M go on with `p`, which this M gives up in the middle of a goroutine.
    pub(crate) fn handoff_p(&'static self, p: &'static P) {
        GLOBAL.handoffs.add();
        steps::handoff_p(self, p);
    }

    /// Takes an idle P for an M that has none.
    pub(crate) fn take_idle_p(&'static self) -> Option<&'static P> {
        steps::take_idle_p(self)
    }

    /// Puts `p` to rest without an M, and sees to it that what is left in it is found.
    pub(crate) fn put_idle_p(&'static self, p: &'static P) {
        steps::put_idle_p(self, p);
    }

    /// Gives `p`, which was taken from its M, to another one if it is `wanted`, or puts it to rest.
    pub(crate) fn pass_on_p(&'static self, p: &'static P, wanted: bool) {
        if wanted {
            self.handoff_p(p);
        } else {
            self.put_idle_p(p);
        }
    }
}

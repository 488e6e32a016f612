//! The life of a goroutine: every change of its status is an event, and has one function here.
//!
//! ```text
//!          spawned          resumed           has_left
//!    Dead ─────────► Fresh ─────────► Running ──────────► Waiting ──┬────────► Dead
//!                                        ▲                          │ has_ended
//!                                        │ resumed                  │
//!                                     Runnable ◄────────────────────┘
//!                                                 made_ready
//! ```
//!
//! | event | what has happened | by |
//! |---|---|---|
//! | `spawned` | it is made, and goes into a queue or runs at once | global/g_pool.rs |
//! | `started` | it is about to run for the first time | schedule/mod.rs |
//! | `resumed` | g0 jumps onto its stack | schedule/mod.rs |
//! | `waits` | it is about to leave its stack, for this reason; not before it yields or ends | switch/mod.rs |
//! | `has_left` | it is off its stack | schedule/mod.rs |
//! | `made_ready` | its wait is over, or it yielded: it goes into a queue | global/ready.rs |
//! | `has_ended` | it is off its stack for good; but it runs again where its handle was dropped just then | schedule/exit.rs |
//! | `blocks`, `goes_on` | it waits with its thread, for this reason; it no longer does | park/mod.rs |
//! | `enters_call`, `leaves_call` | it is in a blocking call; it no longer is | park/blocking.rs |
//!
//! Code that observes goroutines (traces, dumps) observes them here: each event is called in the file of its row and
//! in no other. Moving a runnable goroutine to another queue is no event: it may be moved several times before it
//! runs. Shrinking changes the status as well (shrink.rs), which tells a goroutine that has just parked from one that
//! has been parked for long.

use std::sync::atomic::Ordering;

use crate::{
    gmp::{
        g::G,
        trace_event::{EventKind, left_arg},
        tracer,
    },
    protocol::{
        status::{Status, StatusCell},
        wait_reason::{WaitFor, WaitReason},
    },
};

impl G {
    #[inline(always)]
    pub(crate) fn spawned(&self) {
        self.status.set(Status::Fresh);
    }

    /// On the M whose mark this is.
    #[inline(always)]
    pub(crate) fn started(&self, mark: usize) {
        self.set_last(mark);
    }

    /// R1 and R2 of shrink.rs.
    #[inline(always)]
    pub(crate) fn resumed(&self) {
        self.shrinking.take_up(&self.status, Status::Running);
    }

    /// ST-1 of status.rs: two stores.
    #[inline(always)]
    pub(crate) fn waits(&self, wait: WaitFor) {
        // Relaxed: partners are the loads of reports, which hold the goroutine in its wait or only show the number.
        self.wait_on.store(wait.object, Ordering::Relaxed);
        self.status.set_with(Status::Running, Some(wait.reason));
    }

    /// ST-2 of status.rs, R3 of shrink.rs.
    #[inline(always)]
    pub(crate) fn has_left(&self) {
        self.status.set_waiting();
    }

    #[inline(always)]
    pub(crate) fn made_ready(&self) {
        self.status.set_runnable();
    }

    /// R1 and R2 of shrink.rs: the shrinker does not work on its stack any more.
    #[inline(always)]
    pub(crate) fn has_ended(&self) {
        self.shrinking.take_up(&self.status, Status::Dead);
    }

    /// For good, or, if it `is_timed`, until some moment at most. Returns what [`G::goes_on`] needs: in a blocking call it
    /// has a reason already.
    pub(crate) fn blocks(&self, wait: Option<WaitFor>, is_timed: bool) -> Option<WaitReason> {
        let before = self.status.reason();
        let (reason, object) = wait.map_or((0, 0), |wait| (wait.reason.number(), wait.object));
        tracer::note(EventKind::Waits, left_arg(reason, object));
        // Relaxed: as in `waits`.
        self.wait_on.store(object, Ordering::Relaxed);
        self.status.set_with(
            if is_timed {
                Status::Timed
            } else {
                Status::Blocked
            },
            wait.map(|wait| wait.reason),
        );
        before
    }

    pub(crate) fn goes_on(&self, before: Option<WaitReason>) {
        tracer::note(EventKind::GoesOn, 0);
        // Relaxed: as in `waits`. A blocking call has no object.
        self.wait_on.store(0, Ordering::Relaxed);
        self.status.set_with(Status::Running, before);
    }

    #[inline(always)]
    pub(crate) fn enters_call(&self) {
        // Relaxed: as in `waits`.
        self.wait_on.store(0, Ordering::Relaxed);
        self.status
            .set_with(Status::Running, Some(WaitReason::BlockingCall));
    }

    #[inline(always)]
    pub(crate) fn leaves_call(&self) {
        self.status.set(Status::Running);
    }

    /// Returns whether it waits to be made ready.
    pub(crate) fn is_parked(&self) -> bool {
        self.status.is_parked()
    }

    /// For shrink.rs.
    pub(crate) fn status(&self) -> &StatusCell {
        &self.status
    }
}

//! `checkpoint`: where a long computation lets other goroutines run.
//!
//! sysmon raises the flag of an M whose P has something waiting and whose round has lasted a slice. The flag is the
//! number of that round, so that a late flag does not concern the next goroutine. A goroutine that sees it goes to
//! the tail of the *global* queue: at the tail of its own ring it would come before what waits in the global queue.
//!
//! sysmon raises it as well when it takes the P of an M that does not know (retake.rs). A goroutine that makes no other call
//! would run on without a P, and nothing could let others run on its thread: here it takes an idle P, or waits for one.

use std::sync::atomic::Ordering;

use crate::{
    global::{ready, retake, start_m},
    gmp::m::M,
    park::park_with,
    switch::{current::running_goroutine, thread_word::current_m},
};

/// Lets others go first if the caller has run for a time slice and something waits for its P; returns at once
/// otherwise, and on a plain OS thread.
///
/// # Parks
///
/// When the slice is over: the goroutine goes to the tail of the global queue.
#[inline]
pub fn checkpoint() {
    if let Some(m) = current_m() {
        // Relaxed: partner is the store in `M::raise`; a late answer is given at the next call.
        let round = m.overdue.load(Ordering::Relaxed);
        if round != 0 {
            heed(round);
        }
    }
}

#[cold]
fn heed(round: u64) {
    let Some((m, g)) = running_goroutine() else {
        return;
    };
    // Relaxed: as in `checkpoint`.
    m.overdue.store(0, Ordering::Relaxed);
    let inside = retake::enter(m);
    // Without a P, which sysmon has taken meanwhile, the slice is over as well.
    let over = m.p().is_none_or(|p| p.tick() == round);
    drop(inside);
    if over {
        // SAFETY: the commit queues the goroutine, once, as its last step.
        unsafe {
            park_with(None, |_| {
                ready::globally(g);
                true
            });
        }
    }
}

/// As [`checkpoint`](crate::checkpoint), where the scheduler is crowded (start_m.rs); does nothing otherwise. For
/// operations that often need not wait, before they begin.
///
/// # Parks
///
/// As [`checkpoint`](crate::checkpoint).
#[inline(always)]
pub fn give_way() {
    if start_m::is_crowded() {
        give_way_slow();
    }
}

#[cold]
#[inline(never)]
fn give_way_slow() {
    checkpoint();
}

impl M {
    /// By sysmon: `round`, which runs here, has lasted a slice. False if the flag was raised for it before.
    pub(crate) fn raise(&self, round: u64) -> bool {
        // Relaxed: partner is the load in `checkpoint`.
        self.overdue.swap(round, Ordering::Relaxed) != round
    }
}

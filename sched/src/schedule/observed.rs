//! What the copy of the loop that is observed adds to a round: events of a trace (tracer.rs), and samples of waits
//! (waits.rs).
//!
//! The goroutine is off its stack where these functions run. Its reason stands beside its status until it is made ready
//! (status.rs); none is there where it yields or has ended, and which of the two it was shows the count of those that ended
//! after the commit. A goroutine that a commit makes ready, as the end of one does with its joiner, is told by the `runnext`
//! that is another one then: so the way through `ready` on g0 has no test for it.

use crate::{
    gmp::{
        g::GRef,
        m::M,
        p::P,
        trace_event::{EventKind, left_arg, run_arg},
        tracer,
    },
    schedule::waits,
};

/// What is compared after the commit.
pub(super) struct Before {
    goroutine: u64,
    ended: u64,
    next: usize,
}

/// Returns whether an M shall run this copy of the loop.
pub(super) fn is_wanted() -> bool {
    tracer::is_on() || waits::is_on()
}

/// `m` enters this copy of the loop. What it ran before has left.
#[cold]
pub(super) fn begins(m: &M) {
    m.emit(EventKind::OnG0, 0);
}

/// `m` is about to resume `g`.
#[inline]
pub(super) fn runs(m: &M, g: GRef) {
    m.emit(EventKind::Run, run_arg(g.id(), m.p().map(|p| p.number)));
}

/// `g` is about to be resumed by its M, and nobody else reads its stack any more.
#[inline]
pub(super) fn has_waited(g: GRef) {
    waits::runs(g);
}

/// `g` has left its stack on `m`, and its commit has not run yet.
#[inline]
pub(super) fn left(m: &M, g: GRef) -> Before {
    waits::left(g);
    let reason = g.wait_reason().map_or(0, |reason| reason.number());
    m.emit(EventKind::Left, left_arg(reason, g.wait_object()));
    Before {
        goroutine: g.id(),
        ended: m.p().map_or(0, ended),
        next: m.p().map_or(0, |p| p.ring.peek_next()),
    }
}

/// The commit has run. If `g` waits it may run elsewhere meanwhile.
#[inline]
pub(super) fn committed(m: &M, g: GRef, before: &Before, waits: bool) {
    if !waits {
        waits::did_not_wait(g);
    }
    let Some(p) = m.p() else { return };
    if ended(p) != before.ended {
        m.emit(EventKind::End, before.goroutine);
    }
    let next = p.ring.peek_next();
    if next != before.next && next != 0 {
        // SAFETY: `runnext` slots hold words of Gs, which are never freed.
        let next = unsafe { GRef::from_word(next) };
        m.emit(EventKind::Ready, next.id());
    }
}

fn ended(p: &P) -> u64 {
    p.counters.ended.get()
}

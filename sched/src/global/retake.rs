//! Taking a P from an M that does not know: both sides of the gate (see gate.rs for the protocol).
//!
//! The rule for the rest of this crate: a goroutine's side touches its P only between an `enter` and the drop of what
//! it returns. g0 is inside from the switch that ends at it to the switch that leaves it: between a goroutine's code
//! and g0 no code touches the P.
//!
//! A goroutine whose P was taken continues on its thread without one. What it makes ready or spawns goes to the
//! global queue. When it parks, its M goes to sleep, and the goroutine resumes on an M that has a P.

use std::sync::{Mutex, atomic::Ordering};

use crate::{
    global::sched,
    gmp::{
        counters::GLOBAL,
        g::{GRef, Kind},
        m::M,
        p::P,
        signal_stack,
        trace_event::EventKind,
        tracer,
    },
    protocol::sync::lock,
    switch::fork_check,
    sys::errno,
};

/// The takers' lock: taken by sysmon, and by Ms that find their gate shut.
static TAKERS: Mutex<()> = Mutex::new(());

/// Inside the gate until it is dropped, on the M where it was made: nothing in between parks.
pub(crate) struct Inside {
    /// None where the M was inside already, or there is no M.
    m: Option<&'static M>,
}

impl Drop for Inside {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(m) = self.m {
            m.gate.leave();
        }
    }
}

/// Enters for the code that runs on `m`, which is this thread's.
#[inline(always)]
pub(crate) fn enter(m: &'static M) -> Inside {
    if m.gate.is_inside() {
        return Inside { m: None };
    }
    if m.gate.enter() {
        enter_slow(m);
    }
    Inside { m: Some(m) }
}

/// As [`enter`]. While a trace is on, and the M was outside, `event` is called inside: it writes the event for which the
/// caller enters.
#[inline(always)]
pub(crate) fn enter_with(m: &'static M, event: impl FnOnce(&'static M)) -> Inside {
    if m.gate.is_inside() {
        return Inside { m: None };
    }
    if m.gate.enter() {
        enter_slow_with(m, event);
    }
    Inside { m: Some(m) }
}

/// As [`enter_with`] for this thread, whose M is `m` if it has one.
#[inline(always)]
pub(crate) fn enter_if_with(m: Option<&'static M>, event: impl FnOnce(&'static M)) -> Inside {
    match m {
        Some(m) => enter_with(m, event),
        None => Inside { m: None },
    }
}

#[cold]
#[inline(never)]
fn enter_slow_with(m: &'static M, event: impl FnOnce(&'static M)) {
    enter_slow(m);
    if m.gate.is_traced().0 {
        event(m);
    }
}

/// As [`enter`] for this thread, whose M is `m` if it has one.
#[inline(always)]
pub(crate) fn enter_if(m: Option<&'static M>) -> Inside {
    match m {
        Some(m) => enter(m),
        None => Inside { m: None },
    }
}

/// g0 is about to switch to a goroutine. g0 leaves the gate for it, because it has `m` at hand.
#[inline(always)]
pub(crate) fn leave_g0(m: &'static M) {
    m.gate.leave();
}

/// A goroutine has switched to g0.
#[inline(always)]
pub(crate) fn back_on_g0(m: &'static M) {
    if m.gate.enter() {
        enter_slow(m);
    }
}

/// G4.
#[cold]
fn enter_slow(m: &'static M) {
    if m.gate.is_traced().1 {
        return;
    }
    fork_check::check();
    let _errno = errno::keep();
    signal_stack::look_if_due(m);
    if m.gate.enter_fenced() && settle(m) {
        m.lose_p();
        // With an idle P it continues at once, and no other M needs to be woken.
        if let Some(p) = sched::running().take_idle_p() {
            m.set_p(p);
            m.note_start_p();
        }
    }
}

fn settle(m: &M) -> bool {
    let _takers = lock(&TAKERS);
    m.gate.settle()
}

/// sysmon's side, T1 to T4, for `p`, which `m` held when the caller looked: true if `p` is the caller's now, to be
/// passed to another M.
pub(crate) fn retake_from_unaware(p: &'static P, m: &'static M) -> bool {
    let _takers = lock(&TAKERS);
    // Another M may hold it now, inside the runtime or not: then its gate is not the one that is shut.
    let holds = || p.owner().is_some_and(|owner| std::ptr::eq(owner, m));
    let taken = m.gate.take_if(holds);
    if taken {
        GLOBAL.takes.add();
        tracer::note(EventKind::Take, p.number as u64);
        // The goroutine goes on without a P until it enters the runtime. `checkpoint` enters only at a flag.
        // Relaxed: partner is the load there; a late flag is of another round, and does no harm.
        m.overdue.store(p.tick().max(1), Ordering::Relaxed);
        p.set_owner(None);
    }
    taken
}

/// For sysmon: calls `look` with the goroutine that runs on `m`, which stays where it is meanwhile. `None` if the M
/// is in the runtime, or its goroutine in an announced blocking call. `look` must be short: Ms wait at their gates
/// meanwhile.
pub(crate) fn inspect<R>(m: &'static M, look: impl FnOnce(GRef) -> R) -> Option<R> {
    let _takers = lock(&TAKERS);
    let taken = m.gate.is_taken();
    if !taken && !m.gate.shut() {
        return None;
    }
    // The M wrote `current` before it left the gate, and cannot write it before it gets the takers' lock.
    let g = m
        .current
        .get()
        .filter(|g| g.get().kind() == Kind::Goroutine);
    let seen = g.map(look);
    if !taken {
        m.gate.forgo();
    }
    seen
}

#[cfg(all(test, not(goroutines_loom)))]
mod tests {
    use super::*;
    use crate::gmp::mode;

    /// An M whose goroutine computes.
    fn outside() -> &'static M {
        let m: &'static M = Box::leak(Box::new(M::new(None)));
        m.gate.leave();
        m
    }

    #[test]
    fn a_p_is_taken_from_the_m_that_holds_it_and_from_no_other() {
        mode::prepare(true, false);
        let (holder, other) = (outside(), outside());
        let p = P::leaked(1, true);
        p.set_owner(Some(holder));
        assert!(
            !retake_from_unaware(p, other),
            "taken from one that had it before"
        );
        assert!(p.owner().is_some_and(|owner| std::ptr::eq(owner, holder)));
        assert!(!settle(other), "an M without a P has lost none");
        let flag = |m: &M| m.overdue.load(Ordering::Relaxed);
        assert_eq!(flag(holder), 0);
        assert!(retake_from_unaware(p, holder));
        assert!(p.owner().is_none());
        assert_ne!(flag(holder), 0, "a checkpoint enters the runtime");
        assert_eq!(flag(other), 0);
        assert!(settle(holder), "the M is told");
        assert!(!settle(holder), "once");
    }
}

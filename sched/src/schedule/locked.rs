//! Goroutines that stay on one M: pinned ones, which share it, and locked ones, which have it to themselves.
//!
//! Both are *bound* (inbox.rs): an M that takes one from a queue, and is not the one it is bound to, sends it home. A
//! *pinned* goroutine is bound for life. Its closure and result need not be `Send`, because the goroutines it could
//! share them with are on the same thread: it was spawned by a goroutine of this M, which is pinned by that as well.
//!
//! A goroutine *locks* its thread for a time, as Go's `LockOSThread`: for foreign code that keeps state per thread.
//! While it is parked its M gives its P away and sleeps until the goroutine can resume, or until another goroutine
//! can that is bound to the same M and that no other M may run. If it yields and nothing else waits for the P, it
//! resumes at once.
//!
//! A goroutine that *ends* locked takes the thread with it, as in Go: what it changed in the thread (credentials,
//! signal masks, namespaces) must not affect other goroutines. The M is *tainted* from then on: it stays locked,
//! although no goroutine locks it. Its P goes to another M. Its thread stays as long as it is needed by goroutines
//! that no other M may run: pinned ones, others that have locked it, and those that ran on it last, because they may
//! hold an address of its storage. (The M is not notified when the last of these has run elsewhere, so it looks again
//! after a while.) Then it leaves the scheduler and ends.

use std::time::Duration;

use crate::{
    global::sched::{self, Sched},
    gmp::{
        g::GRef,
        m::{Fitness, M},
        p::P,
    },
    protocol::{steps, timers::NEVER},
    schedule::{migrate, unwinders},
    sys::clock::{after, now},
};

/// In `G::bound`: for life.
const PINNED: u32 = 1;
/// One level of `lock_os_thread`.
const LOCK: u32 = 2;

/// When a tainted M checks for the first time whether its thread is still needed, and the longest time between two
/// checks. Each check looks at all goroutines, and comes after twice the time of the one before.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LAST_LOOK: Duration = Duration::from_secs(16);

/// `g`, which the caller owns or which is dead, stays on `m` to its end.
pub(crate) fn pin(m: &'static M, g: GRef) {
    if g.get().bound.get() & PINNED == 0 {
        bind(m, g, PINNED);
    }
}

/// `g`, which the caller owns or which is dead, is bound to `m`: `how` is added to what binds it.
fn bind(m: &'static M, g: GRef, how: u32) {
    let bound = g.get().bound.get();
    if bound == 0 {
        m.tied.set(m.tied.get() + 1);
    }
    g.get().set_last(m.id());
    g.get().bound.set(bound + how);
}

/// Returns whether others than `g`, which runs on `m`, are bound to `m`.
pub(crate) fn others_are_tied(m: &M, g: GRef) -> bool {
    m.tied.get() > u32::from(g.get().bound.get() != 0)
}

/// As `lock_os_thread`, of `g`, which runs on `m`.
pub(crate) fn lock(m: &'static M, g: GRef) {
    if g.get().bound.get() < LOCK {
        m.lockers.set(m.lockers.get() + 1);
        m.inbox.set_locked(true);
    }
    bind(m, g, LOCK);
}

/// As `unlock_os_thread`, of `g`, which runs on `m`.
pub(crate) fn unlock(m: &M, g: GRef) {
    let bound = g.get().bound.get();
    if bound < LOCK {
        return;
    }
    g.get().bound.set(bound - LOCK);
    if bound - LOCK == 0 {
        m.tied.set(m.tied.get() - 1);
    }
    if bound - LOCK < LOCK {
        unlocked(m);
    }
}

/// A goroutine that had locked `m` has unlocked it.
fn unlocked(m: &M) {
    m.lockers.set(m.lockers.get() - 1);
    if m.lockers.get() == 0 && m.fitness.get() == Fitness::Any {
        m.inbox.set_locked(false);
    }
}

/// On the g0 of `m`: a goroutine whose `G::bound` was this has ended here, after the last of its code.
#[inline]
pub(crate) fn ended(m: &M, bound: u32) {
    if bound != 0 {
        ended_bound(m, bound);
    }
}

#[cold]
fn ended_bound(m: &M, bound: u32) {
    m.tied.set(m.tied.get() - 1);
    if bound >= LOCK {
        m.fitness.set(Fitness::Tainted);
        unlocked(m);
    }
}

/// The word of `m` is not 0 before it looks for work: there is a goroutine that only it may run, or it is locked. If
/// it has no P afterwards, its thread ends if it is [`Fitness::Over`].
#[cold]
pub(crate) fn attend(m: &'static M) -> Option<GRef> {
    if m.inbox.is_locked() {
        let sched = sched::running();
        return steps::wait_locked(sched, m).inspect(|&g| unwinders::settle(sched, m, g));
    }
    // Alternating with the queue of the P, so that neither starves.
    let first = m.bound_first.get();
    m.bound_first.set(!first);
    let p = m.p().filter(|_| first)?;
    let g = m.inbox.pop()?;
    p.next_tick();
    Some(g)
}

/// After how long a tainted M that has looked `looks` times checks again whether its thread is needed.
pub(crate) fn look_again(looks: u32) -> u64 {
    after((FIRST_LOOK * (1 << looks.min(14))).min(LAST_LOOK))
}

/// Returns whether a goroutine ended locked to `m`, and it is locked by none now.
pub(crate) fn is_tainted(m: &M) -> bool {
    m.fitness.get() == Fitness::Tainted && m.lockers.get() == 0
}

/// The thread of `m`, which has put its P down, is not needed any more: it ends.
pub(crate) fn end(m: &M) {
    m.inbox.set_locked(false);
    m.fitness.set(Fitness::Over);
}

/// The next goroutine in `p`, which `m` has, if `m` may run it although it is locked, and no other goes before it.
/// Usually it is the goroutine that has just yielded here.
pub(crate) fn own_first(sched: &'static Sched, m: &'static M, p: &'static P) -> Option<GRef> {
    let timers = p.timers.next();
    if sched.any_injected()
        || sched.idle.any_m_waits_for_p()
        || p.is_leaving()
        || timers != NEVER && timers <= now()
    {
        return None;
    }
    let word = p.ring.take_next().or_else(|| p.ring.pop())?;
    // SAFETY: rings hold words of Gs, and this one was taken out of a ring.
    let g = unsafe { GRef::from_word(word) };
    if g.get().bound.get() == 0 || !migrate::is_at_home(m, g) {
        // It stays the next one of `p`, for another M.
        if let Some(other) = p.ring.put_next(word) {
            sched.inject(other);
        }
        return None;
    }
    p.next_tick();
    Some(g)
}

//! Goroutines that stay on one M: pinned ones, which share it, and locked ones, which have it to themselves.
//!
//! Both are *bound* (inbox.rs): whichever M takes one from a queue sends it home. A *pinned* goroutine is so for life.
//! Its closure and result need not be `Send`, because whoever could hold the other end of what they share is on the
//! same thread: it was spawned by a goroutine of this M, which is pinned by that as well.
//!
//! A goroutine *locks* its thread for a time, as Go's `LockOSThread`: for foreign code that keeps state per thread.
//! While it is parked its M gives its P away and sleeps until it can go on, or until another goroutine can that is
//! bound to the same M and has nowhere else to go. If it yields and nothing else waits for the P, it goes on at once.
//!
//! A goroutine that *ends* locked takes the thread with it, as in Go: what it did to the thread (credentials, signal
//! masks, namespaces) must meet no other goroutine. The M is *tainted* from then on: it stays locked, with nobody who
//! locks it. Its P goes to another M. Its thread stays as long as a goroutine needs it that can run nowhere else:
//! pinned ones, others that have locked it, and those that ran on it last, because they may hold an address of its
//! storage. (Nothing tells when the last of these has run elsewhere, so the M looks again after a while.) Then it
//! leaves the scheduler and ends.

use std::{io, time::Duration};

use crate::{
    global::{
        retake,
        sched::{self, Sched},
    },
    gmp::{
        g::GRef,
        m::{Fitness, M},
        p::P,
        payload,
    },
    park::unwinding,
    protocol::{steps, timers::NEVER},
    schedule::migrate,
    switch::{signal_check, thread_word::current_m},
    sys::clock::{after, now},
    task::{Options, Task, make},
};

/// In `G::bound`: for life.
const PINNED: u32 = 1;
/// One level of [`lock_os_thread`].
const LOCK: u32 = 2;

/// When a tainted M looks for the first time whether its thread is still needed, and at the most after how long: each
/// look, at all goroutines there are, is twice as long after the one before.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LAST_LOOK: Duration = Duration::from_secs(16);

/// The goroutine that runs here, also in a blocking call, and its M.
fn here() -> Option<(&'static M, GRef)> {
    let m = current_m()?;
    let g = m.current.get()?;
    (g.id() != 0).then_some((m, g))
}

/// Makes a goroutine that runs `f` on the thread of the caller, and never on another. From here on the caller, too,
/// stays on this thread to its end.
///
/// # Errors
///
/// On a plain OS thread ([`io::ErrorKind::Unsupported`]), and as [`spawn`](crate::spawn).
pub fn spawn_pinned<F, T>(options: Options, f: F) -> io::Result<Task<T>>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    let (Some(sched), Some((m, caller))) = (sched::get(), here()) else {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "PinnedBuilder::spawn: this is no goroutine, so the thread runs none; call it in one: \
             `go(|| Builder::new().pinned().spawn(...))`",
        ));
    };
    signal_check::check();
    let inside = retake::enter(m);
    let g = match make(sched, m.p(), options, payload::entry_of::<F, T>(), f) {
        Ok(g) => g,
        Err((error, f)) => {
            drop(inside);
            drop(f);
            return Err(error);
        }
    };
    if caller.get().bound.get() & PINNED == 0 {
        bind(m, caller, PINNED);
    }
    bind(m, g, PINNED);
    // It is this M's queue: looked at in its next round.
    steps::send_home(sched, m, g);
    Ok(Task::of(g))
}

/// `g`, which is the caller's or dead, belongs to `m`: `how` is added to what it is bound by.
fn bind(m: &'static M, g: GRef, how: u32) {
    let bound = g.get().bound.get();
    if bound == 0 {
        m.tied.set(m.tied.get() + 1);
    }
    g.get().set_last(m.id());
    g.get().bound.set(bound + how);
}

/// Are others than `g`, which runs on `m`, bound to that?
pub(crate) fn others_are_tied(m: &M, g: GRef) -> bool {
    m.tied.get() > u32::from(g.get().bound.get() != 0)
}

/// Ties the calling goroutine to its thread, and the thread to the goroutine, until [`unlock_os_thread`] was called
/// as often, or the goroutine ends, and the thread with it. Goroutines that were bound to this thread before still run on it, because they can
/// on no other; all others go elsewhere. Nothing on a plain OS thread.
pub fn lock_os_thread() {
    if let Some((m, g)) = here() {
        lock(m, g);
    }
}

/// As [`lock_os_thread`], of `g`, which runs on `m`.
pub(crate) fn lock(m: &'static M, g: GRef) {
    if g.get().bound.get() < LOCK {
        m.lockers.set(m.lockers.get() + 1);
        m.bound.set_locked(true);
    }
    bind(m, g, LOCK);
}

/// Takes back one [`lock_os_thread`] of the calling goroutine. Nothing if there is none.
pub fn unlock_os_thread() {
    if let Some((m, g)) = here() {
        unlock(m, g);
    }
}

/// As [`unlock_os_thread`], of `g`, which runs on `m`.
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

/// One that had locked `m` has not any more.
fn unlocked(m: &M) {
    m.lockers.set(m.lockers.get() - 1);
    if m.lockers.get() == 0 && m.fitness.get() == Fitness::Any {
        m.bound.set_locked(false);
    }
}

/// On the g0 of `m`: a goroutine has ended here whose `G::bound` was this, after the last code of its user.
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

/// Something calls `m` before it looks for work: a goroutine that only it may run, or that it is locked. Without a P
/// after that its thread ends if it is [`Fitness::Over`].
#[cold]
pub(crate) fn attend(m: &'static M) -> Option<GRef> {
    if m.bound.is_locked() {
        let sched = sched::own();
        return steps::wait_locked(sched, m).inspect(|&g| unwinding::settle(sched, m, g));
    }
    // By turns with the queue of the P, so that neither starves.
    let first = m.bound_first.get();
    m.bound_first.set(!first);
    let p = m.p().filter(|_| first)?;
    let g = m.bound.pop()?;
    p.next_tick();
    Some(g)
}

/// After how long a tainted M that has looked so often sees once more whether its thread is needed.
pub(crate) fn look_again(looks: u32) -> u64 {
    after((FIRST_LOOK * (1 << looks.min(14))).min(LAST_LOOK))
}

/// Nobody has locked `m`, on which a goroutine ended locked.
pub(crate) fn is_tainted(m: &M) -> bool {
    m.fitness.get() == Fitness::Tainted && m.lockers.get() == 0
}

/// Nobody needs the thread of `m`, which has put its P down: it ends.
pub(crate) fn end(m: &M) {
    m.bound.set_locked(false);
    m.fitness.set(Fitness::Over);
}

/// The next in `p`, which `m` has, if it is one that `m` may run, although it is locked, and nobody else goes before it:
/// mostly the goroutine that has just yielded here.
pub(crate) fn own_first(sched: &'static Sched, m: &'static M, p: &'static P) -> Option<GRef> {
    let timers = p.timers.next();
    if sched.any_injected()
        || sched.idle.someone_starves()
        || p.is_leaving()
        || timers != NEVER && timers <= now()
    {
        return None;
    }
    let word = p.ring.take_next().or_else(|| p.ring.pop())?;
    // SAFETY: rings hold words of Gs.
    let g = unsafe { GRef::from_word(word) };
    if g.get().bound.get() == 0 || !migrate::is_at_home(m, g) {
        // It keeps its turn, on another M.
        if let Some(other) = p.ring.put_next(word) {
            sched.inject(other);
        }
        return None;
    }
    p.next_tick();
    Some(g)
}

//! Goroutines that stay on one M: pinned ones, which share it, and locked ones, which have it to themselves.
//!
//! Both are *bound* (bound.rs): whichever M takes one from a queue sends it home. A *pinned* goroutine is so for life.
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
    find,
    g::GRef,
    handlers,
    m::{Fitness, M},
    migrate,
    os::clock::{after, now},
    p::P,
    payload,
    sched::{self, Sched},
    switch::current_m,
    taking,
    task::{Options, Task, make},
    timers::NEVER,
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
    handlers::check();
    let inside = taking::enter(m);
    let g = match make(sched, m.p(), options, payload::entry_of::<F, T>(), f) {
        Ok(g) => g,
        Err((error, f)) => {
            drop(inside);
            drop(f);
            return Err(error);
        }
    };
    bind(m, caller, PINNED);
    bind(m, g, PINNED);
    // It is this M's queue: looked at in its next round.
    migrate::send_home(m, g);
    Ok(Task::of(g))
}

/// `g`, which is the caller's or dead, belongs to `m`.
fn bind(m: &'static M, g: GRef, how: u32) {
    g.get().set_last(m.id());
    g.get().bound.set(g.get().bound.get() | how);
}

/// Ties the calling goroutine to its thread, and the thread to the goroutine, until [`unlock_os_thread`] was called
/// as often, or the goroutine ends, and the thread with it. Goroutines that were bound to this thread before still run on it, because they can
/// on no other; all others go elsewhere. Nothing on a plain OS thread.
pub fn lock_os_thread() {
    let Some((m, g)) = here() else {
        return;
    };
    let bound = g.get().bound.get();
    if bound < LOCK {
        m.lockers.set(m.lockers.get() + 1);
        m.bound.set_locked(true);
    }
    bind(m, g, 0);
    g.get().bound.set(bound + LOCK);
}

/// Takes back one [`lock_os_thread`] of the calling goroutine. Nothing if there is none.
pub fn unlock_os_thread() {
    let Some((m, g)) = here() else {
        return;
    };
    let bound = g.get().bound.get();
    if bound >= LOCK {
        g.get().bound.set(bound - LOCK);
        if bound - LOCK < LOCK {
            unlock(m);
        }
    }
}

fn unlock(m: &M) {
    m.lockers.set(m.lockers.get() - 1);
    if m.lockers.get() == 0 && m.fitness.get() == Fitness::Any {
        m.bound.set_locked(false);
    }
}

/// On the g0 of `m`: a goroutine has ended here whose `G::bound` was this, after the last code of its user.
#[inline]
pub(crate) fn ended(m: &M, bound: u32) {
    if bound >= LOCK {
        ended_locked(m);
    }
}

#[cold]
fn ended_locked(m: &M) {
    m.fitness.set(Fitness::Tainted);
    unlock(m);
}

/// Something calls `m` before it looks for work: a goroutine that only it may run, or that it is locked. Without a P
/// after that its thread ends if it is [`Fitness::Over`].
#[cold]
pub(crate) fn attend(m: &'static M) -> Option<GRef> {
    if m.bound.is_locked() {
        return wait_locked(m);
    }
    // By turns with the queue of the P, so that neither starves.
    let first = m.bound_first.get();
    m.bound_first.set(!first);
    let p = m.p().filter(|_| first)?;
    let g = m.bound.pop()?;
    p.next_tick();
    Some(g)
}

/// The next goroutine for `m`, which is locked; none if its thread ends.
fn wait_locked(m: &'static M) -> Option<GRef> {
    let sched = sched::own();
    let mut pause = FIRST_LOOK;
    loop {
        if let Some(g) = m.bound.pop() {
            have_p(sched, m);
            return Some(g);
        }
        if let Some(p) = m.p()
            && let Some(g) = own_first(sched, m, p)
        {
            return Some(g);
        }
        if m.spinning.replace(false) {
            sched.idle.stop_spinning();
            wake_for_work(sched);
        }
        put_p_down(sched, m);
        let tainted = m.fitness.get() == Fitness::Tainted && m.lockers.get() == 0;
        if tainted && !migrate::is_home(m) {
            leave_for_good(sched, m);
            return None;
        }
        if m.bound.wait() {
            let look = tainted.then(|| after(pause));
            pause = (pause * 2).min(LAST_LOOK);
            sleep_locked(m, look);
        }
    }
}

/// Sleeps until a goroutine has come for `m`, which then has a P, or until `look`.
fn sleep_locked(m: &'static M, look: Option<u64>) {
    let woken = m
        .parker
        .wait(|| look.map(|look| look.saturating_sub(now())));
    if !woken {
        if m.bound.wait_no_more() {
            return;
        }
        // A sender was first, and sees to a P.
        m.parker.wait(|| None);
    }
    m.accept();
}

/// The oldest in the ring of `p`, which `m` has, if it is one that `m` may run, although it is locked, and nobody else
/// goes before it: mostly the goroutine that has just yielded here.
fn own_first(sched: &'static Sched, m: &'static M, p: &'static P) -> Option<GRef> {
    let timers = p.timers.next();
    if p.ring.has_next()
        || sched.any_injected()
        || sched.idle.someone_starves()
        || p.is_leaving()
        || timers != NEVER && timers <= now()
    {
        return None;
    }
    let word = p.ring.pop()?;
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

/// Nobody needs the thread of `m`, which has put its P down.
#[cold]
fn leave_for_good(sched: &'static Sched, m: &'static M) {
    m.bound.set_locked(false);
    m.fitness.set(Fitness::Over);
    sched.idle.remove_m();
    // A P that rests holds timers maybe, and this M may have been the last that could sleep for them.
    if sched.next_wake() != NEVER && sched.idle.sleeping() == 0 {
        sched.look_after(true);
    }
}

fn have_p(sched: &'static Sched, m: &'static M) {
    if m.p().is_none() {
        match sched.idle.take_p_or_starve(m.id()) {
            Some(p) => find::take(m, p),
            None => {
                m.parker.wait(|| None);
                m.accept();
            }
        }
    }
    m.own_p().next_tick();
}

/// The P goes to another M if it has something to do there, and to rest if not.
fn put_p_down(sched: &'static Sched, m: &'static M) {
    let Some(p) = m.give_up_p() else {
        return;
    };
    if p.has_work() || p.timers.next() != NEVER || sched.any_injected() {
        sched.hand_off(p);
    } else {
        sched.rest_p(p);
        // I4: what was submitted while the P was not yet at rest woke nobody.
        wake_for_work(sched);
    }
}

fn wake_for_work(sched: &'static Sched) {
    if sched.idle.may_wake() && sched.any_work() {
        sched.wake();
    }
}

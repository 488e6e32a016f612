//! Goroutines that stay on one M: pinned ones, which share it, and locked ones, which have it to themselves.
//!
//! Both are *bound* (bound.rs): whichever M takes one from a queue sends it home. A *pinned* goroutine is so for life.
//! Its closure and result need not be `Send`, because whoever could hold the other end of what they share is on the
//! same thread: it was spawned by a goroutine of this M, which is pinned by that as well.
//!
//! A goroutine *locks* its thread for a time, as Go's `LockOSThread`: for foreign code that keeps state per thread.
//! While it is parked its M gives its P away and sleeps until it can go on, or until another goroutine can that is
//! bound to the same M and has nowhere else to go.

use std::io;

use crate::{
    g::GRef,
    handlers,
    m::M,
    payload, sched, steps,
    switch::current_m,
    taking,
    task::{Options, Task, make},
};

/// In `G::bound`: for life.
const PINNED: u32 = 1;
/// One level of [`lock_os_thread`].
const LOCK: u32 = 2;

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
    steps::send_home(sched, m, g);
    Ok(Task::of(g))
}

/// `g`, which is the caller's or dead, belongs to `m`.
fn bind(m: &'static M, g: GRef, how: u32) {
    g.get().set_last(m.id());
    g.get().bound.set(g.get().bound.get() | how);
}

/// Ties the calling goroutine to its thread, and the thread to the goroutine, until [`unlock_os_thread`] was called
/// as often, or the goroutine ends. Goroutines that were bound to this thread before still run on it, because they can
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
    if m.lockers.get() == 0 {
        m.bound.set_locked(false);
    }
}

/// `g`, which runs here, has ended: it locks nothing any more. Pinned it stays until its result is gone.
#[inline]
pub(crate) fn unlock_all(g: GRef) {
    let bound = g.get().bound.get();
    if bound >= LOCK
        && let Some(m) = current_m()
    {
        g.get().bound.set(bound & PINNED);
        unlock(m);
    }
}

/// Something calls `m` before it looks for work: a goroutine that only it may run, or that it is locked.
#[cold]
pub(crate) fn attend(m: &'static M) -> Option<GRef> {
    if m.bound.is_locked() {
        return Some(steps::wait_locked(sched::own(), m));
    }
    // By turns with the queue of the P, so that neither starves.
    let first = m.bound_first.get();
    m.bound_first.set(!first);
    let p = m.p().filter(|_| first)?;
    let g = m.bound.pop()?;
    p.next_tick();
    Some(g)
}

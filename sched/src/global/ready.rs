//! The one door into the run queues: each goroutine that becomes runnable comes through here.
//!
//! | who | where to |
//! |---|---|
//! | made ready, by a goroutine | `runnext` of the P; what was there goes to the tail of the ring |
//! | made ready behind the others, spawned, or yielding | the tail of the ring |
//! | the same from a thread without a P, or where others shall go first | the global queue |
//! | half of a ring that is full | the global queue |
//! | waits with its thread | no queue: the parker of its G is notified |

use crate::{
    global::{retake, sched},
    gmp::{
        g::{GRef, Kind},
        m::M,
        p::P,
    },
    protocol::status::Status,
    switch::{fork_check, signal_check, thread_word::current_m},
};

/// Makes `g` runnable: into the `runnext` slot of the P of the caller, so that it goes next there.
/// From a plain OS thread: into the global queue.
///
/// # Safety
///
/// `g` has parked (see [`park`](crate::park())) and the caller is the one who may wake it.
#[inline]
pub unsafe fn ready(g: GRef) {
    signal_check::check();
    let m = current_m();
    let _inside = retake::enter_if(m);
    debug_assert!(g.get().status.is_parked(), "ready of {g:?}");
    if g.get().kind() == Kind::Goroutine {
        next(m, g);
    } else {
        notify(g);
    }
}

/// Wakes the thread that waits as `g`. A call, so that whoever makes something ready has room for its own.
#[cold]
#[inline(never)]
fn notify(g: GRef) {
    g.get().parker.notify();
}

/// As [`ready`], on the g0 of `m`.
///
/// # Safety
///
/// As for [`ready`].
#[inline(always)]
pub(crate) unsafe fn ready_from_g0(m: &M, g: GRef) {
    debug_assert!(g.get().status.is_parked(), "ready of {g:?}");
    if g.get().kind() == Kind::Goroutine {
        next(Some(m), g);
    } else {
        notify(g);
    }
}

/// As [`ready`], but `g` waits for its turn behind what is in the run queue.
///
/// # Safety
///
/// As for [`ready`].
#[inline]
pub unsafe fn ready_tail(g: GRef) {
    signal_check::check();
    let m = current_m();
    let _inside = retake::enter_if(m);
    debug_assert!(g.get().status.is_parked(), "ready of {g:?}");
    if g.get().kind() == Kind::Goroutine {
        tail(m, g);
    } else {
        notify(g);
    }
}

/// See [`ready`](crate::ready). `m` is this thread's, and inside the gate.
#[inline]
pub(crate) fn next(m: Option<&M>, g: GRef) {
    let Some(p) = m.and_then(M::p) else {
        return globally(g);
    };
    g.get().status.set(Status::Runnable);
    // A lone `runnext` wakes nobody: it is the next thing that runs here.
    if let Some(old) = p.ring.put_next(g.to_word()) {
        displaced(p, old);
    }
}

/// What was `runnext` of `p` goes to the tail.
#[inline(never)]
fn displaced(p: &P, old: usize) {
    if let Err(word) = p.ring.push(old) {
        spill(p, word);
    }
    published(p);
}

/// See [`ready_tail`](crate::ready_tail). `m` as there.
#[inline]
pub(crate) fn tail(m: Option<&M>, g: GRef) {
    match m.and_then(M::p) {
        Some(p) => push_and_wake(p, g),
        None => globally(g),
    }
}

/// Appends `g` to the ring of `p`, which the caller owns, and wakes an M if one should take part.
#[inline]
pub(crate) fn push_and_wake(p: &P, g: GRef) {
    push(p, g);
    published(p);
}

/// Appends `g` to the ring of `p`, which the caller owns, or to the global queue when that is full.
#[inline]
pub(crate) fn push(p: &P, g: GRef) {
    g.get().status.set(Status::Runnable);
    if let Err(word) = p.ring.push(g.to_word()) {
        spill(p, word);
    }
}

/// Appends `g`, which yields on `m`, to the queue there, or to the global one if its P was taken.
#[inline]
pub(crate) fn requeue(m: &M, g: GRef) {
    match m.p() {
        Some(p) => push(p, g),
        None => globally(g),
    }
}

/// The ring is full: half of it and `word` go to the global queue.
#[cold]
fn spill(p: &P, word: usize) {
    let sched = sched::own();
    p.counters.overflows.add_own(1);
    for old in p.ring.spill() {
        sched.inject(old);
    }
    sched.inject(word);
}

/// After publishing work in the ring of `p`, which the caller owns: wakes an M if one should take part.
#[inline]
fn published(p: &P) {
    // The only P is the caller's, so nobody rests.
    if p.ring.is_shared() {
        let sched = sched::own();
        if sched.idle.should_wake() {
            sched.wake();
        }
    }
}

/// Appends `g` to the global queue: from a thread without a P, and where others shall go first.
#[cold]
pub(crate) fn globally(g: GRef) {
    // A thread that the runtime does not know comes here first.
    fork_check::check();
    let sched = sched::own();
    g.get().status.set(Status::Runnable);
    sched.inject(g.to_word());
    if sched.idle.should_wake() {
        sched.wake();
    }
}

//! The only way into the run queues: each goroutine that becomes runnable comes through here.
//!
//! | goroutine | goes to |
//! |---|---|
//! | made ready, by a goroutine | `runnext` of the P; the one that was there goes to the tail of the ring |
//! | made ready behind the others, spawned, or yielding | the tail of the ring |
//! | the first whose timer is due | `runnext` of the P; the others go to the tail of the ring |
//! | the first that an event of the poller woke | runs at once; the others go to the tail of the ring |
//! | the same from a thread without a P, or where others go first | the global queue |
//! | spawned where the ring is full | the global queue |
//! | in the older half of a ring that is full, where another comes | the global queue, those that never ran before others |
//! | waits with its thread | no queue: the parker of its G is notified |
//!
//! Goroutines that are runnable and are only moved to another queue do not: stolen ones, those out of a P that is put
//! down or is stuck, and those sent back to the only M that may run them. Neither does a goroutine that is spawned
//! pinned: it goes to its M directly.

use crate::{
    global::{
        retake,
        sched::{self, Sched},
    },
    gmp::{
        g::{GRef, Kind},
        m::M,
        p::P,
        trace_event::EventKind,
        tracer,
    },
    switch::{fork_check, signal_check, thread_word::current_m},
};

/// Makes `g` runnable: into the `runnext` slot of the caller's P, so that it runs next there.
/// From a plain OS thread: into the global queue.
///
/// # Safety
///
/// `g` has parked (see [`park`](crate::park())), and the caller is the one that may wake it.
#[inline]
pub unsafe fn ready(g: GRef) {
    signal_check::check();
    let m = current_m();
    let _inside = retake::enter_if_with(m, |m| m.emit(EventKind::Ready, g.id()));
    end_wait(g, || next(m, g));
}

/// The wait of `g` is over: `queue` queues it, unless it waits with its thread.
#[inline(always)]
fn end_wait(g: GRef, queue: impl FnOnce()) {
    debug_assert!(g.get().is_parked(), "ready of {g:?}");
    if g.get().kind() == Kind::Goroutine {
        queue();
    } else {
        notify(g);
    }
}

/// Wakes the thread that waits as `g`. Not inlined, so that the caller keeps its registers for its own values.
#[cold]
#[inline(never)]
fn notify(g: GRef) {
    note_ready(g);
    g.get().parker.notify();
}

/// As [`ready`], on the g0 of `m`.
///
/// # Safety
///
/// As for [`ready`].
#[inline(always)]
pub(crate) unsafe fn ready_from_g0(m: &M, g: GRef) {
    end_wait(g, || next(Some(m), g));
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
    let _inside = retake::enter_if_with(m, |m| m.emit(EventKind::Ready, g.id()));
    end_wait(g, || tail(m, g));
}

/// `g`, which has parked in the heap of a P and was claimed there by the caller, is due. The `first` of several,
/// which has waited longest, goes next on `p`, which the caller owns; the one it displaces goes to the tail, like the
/// others.
pub(crate) fn due(p: &P, g: GRef, first: bool) {
    note_ready(g);
    if !first {
        return push(p, g);
    }
    g.get().made_ready();
    if let Some(old) = p.ring.put_next(g.to_word()) {
        // SAFETY: `runnext` slots hold words of Gs, and this one was taken out.
        append(p, unsafe { GRef::from_word(old) });
    }
}

/// `g` was claimed for an event, by an M with a P that has nothing else to do. Returns its word, to be run at once.
pub(crate) fn polled_first(g: GRef) -> usize {
    note_ready(g);
    g.get().made_ready();
    g.to_word()
}

/// `g` was claimed for an event: to the tail of the ring of `p`, which the caller owns and [publishes](published).
pub(crate) fn polled(p: &P, g: GRef) {
    note_ready(g);
    push(p, g);
}

/// As [`polled`], without a P: into the global queue. The caller wakes an M if one should take part.
pub(crate) fn polled_globally(sched: &Sched, g: GRef) {
    note_ready(g);
    g.get().made_ready();
    sched.inject(g.to_word());
}

/// Queues `g`, which has just been made, behind the others. `p` is the one of the caller's M, and inside the gate.
#[inline]
pub(crate) fn spawned(p: Option<&P>, g: GRef) {
    match p {
        Some(p) => {
            if let Err(word) = p.ring.push(g.to_word()) {
                overflow(p, word);
            }
            published(p);
        }
        None => append_globally(g),
    }
}

/// See [`ready`](crate::ready). `m` is this thread's, and inside the gate.
#[inline]
pub(crate) fn next(m: Option<&M>, g: GRef) {
    let Some(p) = m.and_then(M::p) else {
        return globally(g);
    };
    g.get().made_ready();
    // A lone `runnext` wakes no M: it runs next here.
    if let Some(old) = p.ring.put_next(g.to_word()) {
        displaced(p, old);
    }
}

/// Moves the former `runnext` of `p` to the tail.
#[inline(never)]
fn displaced(p: &P, old: usize) {
    // SAFETY: `runnext` slots hold words of Gs, and this one was taken out.
    append(p, unsafe { GRef::from_word(old) });
    published(p);
}

/// See [`ready_tail`](crate::ready_tail). `m` is as for [`ready`].
#[inline]
pub(crate) fn tail(m: Option<&M>, g: GRef) {
    match m.and_then(M::p) {
        Some(p) => {
            push(p, g);
            published(p);
        }
        None => globally(g),
    }
}

/// Makes `g` ready at the tail of the ring of `p`, which the caller owns.
#[inline]
fn push(p: &P, g: GRef) {
    g.get().made_ready();
    append(p, g);
}

/// Appends `g`, which is runnable, to the ring of `p`, which the caller owns, or to the global queue when that is full.
#[inline]
pub(crate) fn append(p: &P, g: GRef) {
    while p.ring.push(g.to_word()).is_err() {
        spill(p);
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

/// The ring is full: its older half goes to the global queue. Where most of that never ran, what has begun stays, at the
/// tail: it would wait for a place in the ring again, and might lose that as well.
#[cold]
fn spill(p: &P) {
    let sched = sched::running();
    p.counters.overflows.add_own(1);
    let words = p.ring.spill();
    // SAFETY: rings hold words of Gs, and these were taken out.
    let has_begun = |word: usize| unsafe { GRef::from_word(word) }.get().has_begun();
    let begun = words.iter().filter(|&&word| has_begun(word)).count();
    let stay = begun <= words.len() / 2;
    for word in words {
        if !(stay && has_begun(word)) || p.ring.push(word).is_err() {
            sched.inject(word);
        }
    }
}

/// The ring is full, and `word` was spawned: it goes to the global queue alone. With half of the ring, those that wait there
/// would go behind all that are spawned in a burst.
#[cold]
fn overflow(p: &P, word: usize) {
    p.counters.overflows.add_own(1);
    sched::running().inject(word);
}

/// After publishing work in the ring of `p`, which the caller owns: wakes an M if one should take part.
#[inline]
pub(crate) fn published(p: &P) {
    // The only P is the caller's, so no P is idle.
    if p.ring.is_shared() {
        let sched = sched::running();
        if sched.idle.should_wake() {
            sched.wake();
        }
    }
}

/// Makes `g` ready at the tail of the global queue: from a thread without a P, and where others go first.
#[cold]
pub(crate) fn globally(g: GRef) {
    note_ready(g);
    g.get().made_ready();
    append_globally(g);
}

/// `g` is made ready: an event, where the caller has no entry that would write it. A goroutine that yields comes here
/// as well, and some come twice; readers of a trace take the first.
fn note_ready(g: GRef) {
    if tracer::is_on() {
        tracer::note(EventKind::Ready, g.id());
    }
}

/// Appends `g`, which is runnable, to the global queue.
#[cold]
fn append_globally(g: GRef) {
    // A thread without an M enters the runtime here.
    fork_check::check();
    let sched = sched::running();
    sched.inject(g.to_word());
    if sched.idle.should_wake() {
        sched.wake();
    }
}

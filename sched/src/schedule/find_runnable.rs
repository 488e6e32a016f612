//! Where an M looks for work, and in which order. ready.rs puts runnable Gs there.
//!
//! ```text
//! every round:      timers that are due
//! every round:      from time to time a goroutine that only this M may run (inbox.rs)
//! a fair round:     the global queue, then the local ring before `runnext`: every 61st, and when sysmon asks for it
//! otherwise:        runnext - local ring - global queue - what only this M may run - network poller (poll.rs)
//!                   - steal, timers of others included - jobs of fork-joins (steal_job.rs) - spin, if that
//!                   pays (spin_habit.rs) - a `runnext` of a P that stood still meanwhile - sleep
//! ```
//!
//! Fair rounds (fairness.rs) keep the global queue, and the ring behind a pair of goroutines that pass `runnext` to
//! each other, from starving. A `runnext` whose P is in a long round is moved to the global queue by sysmon
//! (sysmon/mod.rs) when another P is idle.

use crate::{
    global::{poll::IDLE_AGE, ready, sched::Sched},
    gmp::{
        counters::GLOBAL,
        g::GRef,
        m::{Fitness, M},
        p::P,
        spin_habit::SPIN,
        ticket::TIMED_OUT,
        trace_event::EventKind,
        tracer,
    },
    protocol::{ring::Rest, steps, sync::spin_loop, timers::NEVER},
    schedule::{
        fairness::{self, Attended},
        steal_job::steal_job,
    },
    switch::{prefetch_g, prefetch_stack},
    sys::clock::now,
};

/// Pauses between two looks of the spinner.
const PAUSES: u32 = 16;

/// The next goroutine for `m`, which is not the spinner; sleeps until there is one. `m` has a P afterwards, maybe
/// another one than before. `None` if its thread shall end.
///
/// Inlined into the loop of the M: a call would cost each round some 10 instructions.
#[inline(always)]
pub(crate) fn find_runnable(sched: &'static Sched, m: &'static M) -> Option<GRef> {
    debug_assert!(!m.spinning.get());
    match try_now(sched, m, true) {
        // SAFETY: queues hold words of Gs, and `try_now` took this one out of a queue.
        Some(word) => Some(unsafe { GRef::from_word(word) }),
        None => steal_or_sleep(sched, m),
    }
}

/// As [`find_runnable`], for a thread that begins, maybe as the spinner, or comes from the other loop.
pub(crate) fn find_first(sched: &'static Sched, m: &'static M) -> Option<GRef> {
    if let Some(g) = m.carried.take() {
        // It may be the spinner still: it began as one, and left its loop before its first round.
        return Some(found(sched, m, g.to_word()));
    }
    match try_now(sched, m, true) {
        Some(word) => Some(found(sched, m, word)),
        None => steal_or_sleep(sched, m),
    }
}

/// `m`, which may be the spinner, has found `word`.
fn found(sched: &'static Sched, m: &'static M, word: usize) -> GRef {
    let word = steps::found(sched, m, word);
    // SAFETY: the callers took the word out of a queue, and queues hold words of Gs.
    unsafe { GRef::from_word(word) }
}

/// There is nothing to run at once.
#[cold]
#[inline(never)]
fn steal_or_sleep(sched: &'static Sched, m: &'static M) -> Option<GRef> {
    if m.leaves_loop.get() {
        return None;
    }
    let word = steps::steal_or_sleep(sched, m)?;
    // SAFETY: `steal_or_sleep` took the word out of a queue, and queues hold words of Gs.
    let g = unsafe { GRef::from_word(word) };
    if m.inbox.takes_other_loop() {
        // It may have slept for long: what it runs now belongs into the other loop.
        m.leaves_loop.set(true);
        m.carried.set(Some(g));
        return None;
    }
    Some(g)
}

/// What `m` runs next, if that is known at once. If not, it has a P, or is on the idle list, or, if it `may_leave`, leaves
/// its loop.
#[inline(always)]
pub(crate) fn try_now(sched: &'static Sched, m: &'static M, may_leave: bool) -> Option<usize> {
    if m.inbox.has_requests() {
        match fairness::attend(sched, m, may_leave) {
            Attended::Runs(word) => return Some(word),
            Attended::Leaves => return None,
            Attended::Serves => {}
        }
    }
    let Some(p) = m.p() else {
        return without_p(sched, m);
    };
    poll_queues(sched, m, p)
}

/// The P of `m` was taken while it was in a blocking call, and its goroutine is queued; or its thread ends.
#[cold]
fn without_p(sched: &'static Sched, m: &'static M) -> Option<usize> {
    if m.fitness.get() != Fitness::Over {
        sched.idle.put_idle_m(m.id());
    }
    None
}

/// Work that needs no search: this P's, or the global queue's.
#[inline(always)]
fn poll_queues(sched: &'static Sched, m: &'static M, p: &'static P) -> Option<usize> {
    p.next_tick();
    if p.timers.next() != NEVER {
        fire_due(p, p);
    }
    if p.is_fair_round() {
        if sched.idle.any_m_waits_for_p() || p.is_leaving() {
            p.counters.empty_rounds.add_own(1);
            rest(sched, m, p);
            return None;
        }
        if p.shall_shed() {
            p.shed_stacks();
        }
        if sched.poller.is_watching() {
            sched.poll_in_passing(p);
        }
        if let Some(word) = fairness::first(sched, m, p) {
            return Some(word);
        }
    }
    if let Some(word) = p.ring.take_next() {
        look_ahead(sched, p, p.ring.rest());
        return Some(word);
    }
    if let Some(taken) = p.ring.pop_counting() {
        look_ahead(sched, p, taken.rest);
        return Some(taken.word);
    }
    poll_rest(sched, m, p)
}

/// The queues of `p` are empty.
#[cold]
fn poll_rest(sched: &'static Sched, m: &'static M, p: &'static P) -> Option<usize> {
    sched
        .take_batch(p)
        .or_else(|| m.inbox.pop().map(GRef::to_word))
        .or_else(|| sched.poll_inline(p, IDLE_AGE))
}

/// Looks at what is behind the goroutine that runs next, if anything: prefetches what the next rounds will touch
/// while this one runs (with many goroutines each of them is cold when it runs), and wakes an M that could take part.
#[inline(always)]
pub(super) fn look_ahead(sched: &'static Sched, p: &P, rest: Rest) {
    if rest.len == 0 {
        return;
    }
    // Not with the feature `no-lookahead`, which serves to measure the gain.
    if !cfg!(feature = "no-lookahead") {
        // SAFETY: the words are read from a ring, and rings hold words of Gs.
        unsafe {
            if rest.len > 1 {
                prefetch_g(p.ring.peek(rest, 1));
            }
            prefetch_stack(p.ring.peek(rest, 0));
        }
    }
    // The goroutines there may have been queued without waking an M.
    if sched.idle.may_wake() {
        sched.wake();
    }
}

/// Work of other Ps; spins until there is some. `None`: the M is on the idle list.
#[cold]
pub(crate) fn steal_or_spin(sched: &'static Sched, m: &'static M, p: &'static P) -> Option<usize> {
    if let Some(word) = steal(sched, p, true).or_else(|| steal_job(sched, p, true)) {
        return Some(word);
    }
    if !m.spinning.get() && m.spin_habit.pays() && !waits_for_the_kernel(sched) {
        m.spinning.set(sched.idle.start_spinning());
    }
    if m.spinning.get() {
        GLOBAL.spins.add();
        tracer::note(EventKind::Spin, 0);
        if let Some(word) = spin(sched, m, p) {
            return Some(word);
        }
    }
    p.counters.empty_rounds.add_own(1);
    rest(sched, m, p);
    None
}

/// Returns whether the caller's P is the last one that is not idle, and sockets are registered. Then work comes from the
/// kernel most likely, which wakes a thread that sleeps in its poll. A spinner would use a CPU that the other side of a
/// socket may need.
fn waits_for_the_kernel(sched: &Sched) -> bool {
    sched.poller.is_watching() && sched.idle.idle_ps() as usize + 1 >= sched.procs.now().len()
}

/// Gives up `p`, which `m` holds.
fn rest(sched: &'static Sched, m: &'static M, p: &'static P) {
    p.shed_stacks();
    m.spin_habit.rests(now());
    steps::put_idle(sched, m, p);
}

/// One look at all other Ps, from a random one on: half of a ring, and with `timers` those that are due.
fn steal(sched: &'static Sched, p: &'static P, timers: bool) -> Option<usize> {
    if !p.ring.is_shared() {
        return None; // there is no other P
    }
    let ps = sched.procs.now();
    let count = ps.len();
    // SAFETY: `p` is held by the calling M, and nothing below parks.
    let start = unsafe { p.local() }.random() as usize;
    for i in 0..count {
        let victim = ps.get((start.wrapping_add(i)) % count);
        let Some(victim) = victim.filter(|&victim| !std::ptr::eq(victim, p)) else {
            continue;
        };
        if let Some(word) = victim.ring.steal_into(&p.ring, false) {
            p.counters.steals.add_own(1);
            tracer::note(EventKind::Steal, victim.number as u64);
            return Some(word);
        }
        if timers && victim.timers.next() != NEVER && fire_due(victim, p) {
            return p.ring.take_next().or_else(|| p.ring.pop());
        }
    }
    None
}

/// The spinner's search: looks at everything for [`SPIN`]. At the end it takes even a `runnext`, of a P whose tick
/// has not changed meanwhile.
fn spin(sched: &'static Sched, m: &'static M, p: &'static P) -> Option<usize> {
    let ticks: Vec<(&P, u64)> = sched.procs.now().iter().map(|p| (p, p.tick())).collect();
    let end = now() + SPIN.as_nanos() as u64;
    let mut looks = 0_u32;
    while now() < end {
        for _ in 0..PAUSES {
            spin_loop();
        }
        // Timers are left to the timekeeper, which wakes for many at once.
        let found = sched.take_batch(p).or_else(|| steal(sched, p, false));
        if let Some(word) = found.or_else(|| steal_job(sched, p, false)) {
            return Some(word);
        }
        if looks.is_multiple_of(4)
            && let Some(word) = sched.poll_inline(p, IDLE_AGE)
        {
            return Some(word);
        }
        looks += 1;
        if m.inbox.any() {
            return m.inbox.pop().map(GRef::to_word);
        }
    }
    let stuck = |&&(other, tick): &&(&P, u64)| other.tick() == tick && !std::ptr::eq(other, p);
    let mut stuck = ticks.iter().filter(stuck);
    stuck
        .find_map(|(other, _)| {
            let word = other.ring.steal_into(&p.ring, true)?;
            tracer::note(EventKind::Steal, other.number as u64);
            Some(word)
        })
        .inspect(|_| p.counters.steals.add_own(1))
}

/// Wakes the sleepers of `from` whose timers are due, onto the ring of `to`, which the caller owns.
#[cold]
fn fire_due(from: &P, to: &'static P) -> bool {
    let now = now();
    if from.timers.next() > now {
        return false;
    }
    let mut first = true;
    let mut fired = 0;
    let woke = from.timers.fire(now, |ticket| {
        let won = ticket.claim(TIMED_OUT);
        if won {
            // The G is parked: `Timers::insert_and` held the lock until it was.
            fired += 1;
            ready::due(to, ticket.g(), std::mem::take(&mut first));
        }
        won
    });
    if fired != 0 {
        tracer::note(EventKind::Timers, fired);
    }
    woke
}

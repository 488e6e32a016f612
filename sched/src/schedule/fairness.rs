//! Fair rounds: they keep waiting goroutines from starving behind goroutines that pass `runnext` to each other.
//!
//! Two goroutines in ping-pong always find each other in `runnext`, which goes before the ring; a ring that refills
//! itself goes before the global queue. In a *fair round* an M takes the others first: from the global queue, and in
//! the round after that from the ring. By count one of [`FAIR_ROUND`] rounds is fair; that bounds the wait where
//! rounds are short. Where rounds are long, or many goroutines wait, time bounds it:
//!
//! ```text
//! sysmon                                        M that owns the P
//! N1 what was in the ring a slice ago is        N3 before its next round it reads its word (inbox.rs):
//!    there still; or there was no fair round       a fair round. A share of the global queue goes into the
//!    for a slice, and the global queue is not      ring, and `runnext` goes to its tail, because the two
//!    empty or an M waits for a P                   goroutines that passed it to each other shared a slice
//! N2 the bit FAIR_ROUND_ASKED in the word of the M
//! ```
//!
//! Where the ring is long and the global queue has a backlog, a fair round by count moves one goroutine from there into the
//! ring ([`admit`]), and the oldest in the ring runs. The rate is the same, and none in the backlog is in a hurry.
//!
//! The round itself reads no clock, and no word that it would not read anyway. The bit belongs to the M: if its P is
//! taken between N2 and N3, the fair round is held on another P, or later, which does no harm. sysmon looks again
//! after another slice.

use crate::{
    global::{ready, sched::Sched},
    gmp::{
        g::GRef,
        m::M,
        p::{FAIR_ROUND, P},
    },
    schedule::{find_runnable::look_ahead, locked},
    switch::{prefetch_g, prefetch_stack},
};

/// From how many on a ring is so long that one that comes in has time to be fetched.
const LONG_RING: u32 = 128;

/// From how many on those in the global queue are a backlog: the last has its turn in so many fair rounds.
const BACKLOG: usize = 64;

/// The word of `m` is not 0 before it looks for work: there is a goroutine that only it may run, or a fair round was
/// asked for (N3), or for the other copy of its loop, which it leaves for if it `may_leave`.
#[cold]
pub(crate) fn attend(sched: &'static Sched, m: &'static M, may_leave: bool) -> Attended {
    let word = serve(sched, m);
    if may_leave && m.inbox.takes_other_loop() {
        m.leaves_loop.set(true);
        // SAFETY: `serve` took the word from a queue, and queues hold words of Gs.
        m.carried
            .set(word.map(|word| unsafe { GRef::from_word(word) }));
        return Attended::Leaves;
    }
    word.map_or(Attended::Serves, Attended::Runs)
}

/// What [`attend`] found.
pub(crate) enum Attended {
    /// This goroutine runs.
    Runs(usize),
    /// The round goes on.
    Serves,
    /// The M leaves its loop: it finds nothing.
    Leaves,
}

fn serve(sched: &'static Sched, m: &'static M) -> Option<usize> {
    if let Some(g) = locked::attend(m) {
        return Some(g.to_word());
    }
    let p = m.p()?;
    if !m.inbox.take_fair_round() {
        return None;
    }
    if sched.idle.any_m_waits_for_p() || p.is_leaving() {
        // The round that begins now is also fair by count, and puts the P down.
        p.call_fair_round();
        return None;
    }
    let word = match m.turn_of_ring.take() {
        true => p.ring.pop(),
        false => take_turns(sched, p),
    };
    word.inspect(|_| {
        p.next_tick();
    })
}

/// The goroutine that goes first in a fair round of `m` by count.
#[cold]
pub(crate) fn first(sched: &'static Sched, m: &M, p: &P) -> Option<usize> {
    if p.ring.rest().len >= LONG_RING && sched.injected() >= BACKLOG {
        return admit(sched, p);
    }
    let injected = sched.take_injected(p);
    if injected.is_some() && !p.ring.is_empty() {
        // Otherwise a stream into the global queue would starve the ring behind a pair.
        m.turn_of_ring.set(true);
        m.inbox.request_fair_round();
    }
    injected.or_else(|| p.ring.pop())
}

/// The ring is long, and more are in the global queue than soon have their turn: one of them goes into the ring of `p`, and
/// the oldest there runs. With so many, what has not run for long is in no cache, neither its memory nor where that memory is
/// (each stack has pages of its own), and to wait for all this takes as long as a hundred rounds. On its way through the
/// ring it is fetched: its G now, what that points at in the next fair round.
#[cold]
fn admit(sched: &'static Sched, p: &P) -> Option<usize> {
    let before = p.admitted.get();
    if before != 0 {
        // SAFETY: it was set below to the word of a G, and a G is never freed.
        unsafe { prefetch_stack(before) };
    }
    if let Some(word) = sched.take_injected(p) {
        // SAFETY: the global queue holds words of Gs, and this one was taken out.
        unsafe {
            prefetch_g(word);
            ready::append(p, GRef::from_word(word));
        }
        p.admitted.set(word);
    }
    let taken = p.ring.pop_counting()?;
    look_ahead(sched, p, taken.rest);
    Some(taken.word)
}

/// N3: the oldest in the ring runs, behind the others comes this P's share of the global queue, and then `runnext`. A
/// goroutine that gave way to the ring at a checkpoint is in the global queue, and must not come before the ring.
fn take_turns(sched: &'static Sched, p: &P) -> Option<usize> {
    let oldest = p.ring.pop();
    let injected = sched.take_batch(p);
    let (first, second) = match oldest {
        Some(oldest) => (Some(oldest), injected),
        None => (injected, None),
    };
    let next = first.and_then(|_| p.ring.take_next());
    for word in second.into_iter().chain(next) {
        // SAFETY: the global queue and `runnext` hold words of Gs, and this one was taken out.
        ready::append(p, unsafe { GRef::from_word(word) });
    }
    first
}

/// What sysmon remembers of the rounds of a P.
#[derive(Clone, Copy)]
pub(crate) struct Turns {
    /// The end of the ring when the slice began, and when that was.
    end: u32,
    since: u64,
    /// The number of fair rounds until then (not exact), and when it last changed.
    rounds: u64,
    held: u64,
}

impl Turns {
    pub(crate) fn new(p: &P, time: u64) -> Turns {
        Turns {
            end: p.ring.ends().1,
            since: time,
            rounds: p.tick() / u64::from(FAIR_ROUND),
            held: time,
        }
    }

    /// N1 and N2: asks for a fair round on `p` where one is due after `slice`. True if a goroutine waits for one.
    pub(crate) fn look(&mut self, sched: &Sched, p: &P, time: u64, slice: u64) -> bool {
        let rounds = p.tick() / u64::from(FAIR_ROUND);
        let others = sched.any_injected() || sched.idle.any_m_waits_for_p() || p.is_leaving();
        if rounds != self.rounds || !others {
            (self.rounds, self.held) = (rounds, time);
        }
        let (head, end) = p.ring.ends();
        // Indices count up and wrap: the head has reached the end of then, or passed it.
        let served = head.wrapping_sub(self.end) <= u32::MAX / 2;
        if served {
            (self.end, self.since) = (end, time);
        }
        if time - self.since >= slice || time - self.held >= slice {
            (self.end, self.since, self.held) = (end, time, time);
            if let Some(m) = p.owner() {
                m.inbox.request_fair_round();
            }
        }
        !served || others
    }
}

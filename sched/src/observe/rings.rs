//! Whether goroutines and threads that seem to wait for each other do so for ever.
//!
//! One after the other was seen to wait for the next. That proves nothing: each of these moments was another. So all of them
//! are held together (hold.rs), and there is one moment at which each waits for the next, and has no other way out. A thread
//! cannot be held. It is looked at twice: if the kernel has not run it between, it has waited all the while.
//!
//! Both looks come to the same, or there is no verdict.

use std::{thread, time::Duration};

use crate::{
    global::sched,
    gmp::{g::G, lock_owner::Found},
    observe::edges::{Seen, Waiter, each_segment},
    protocol::hold,
    switch::attach,
    sys::{membarrier, tasks},
};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// What two looks at a ring of waits have shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// None of them can ever go on, but for one that has forgotten a guard of a lock, or unlocks a lock that another holds.
    Certain,
    /// Nothing of them has changed, and they could not be held in their waits.
    Likely,
    /// One of them went on.
    Void,
}

/// Looks twice whether each of a ring waits for the next one, and the last for the first, for each of `rings`. Takes some
/// 10 ms.
#[must_use]
pub fn look_again(rings: &[Vec<Waiter>]) -> Vec<Verdict> {
    let firsts: Vec<_> = rings
        .iter()
        .map(|ring| (run_counts(ring), look(ring)))
        .collect();
    thread::sleep(PAUSE);
    let verdict = |(ring, (counts, first)): (&Vec<Waiter>, (Option<Vec<u64>>, Option<_>))| {
        let second = look(ring);
        match second {
            Some((_, are_held)) if first == second => {
                let threads_slept = counts.is_some() && counts == run_counts(ring);
                if are_held && threads_slept {
                    Verdict::Certain
                } else {
                    Verdict::Likely
                }
            }
            _ => Verdict::Void,
        }
    };
    rings.iter().zip(firsts).map(verdict).collect()
}

/// Of the threads in the ring, how often the kernel has run each. `None`: one runs, or the system does not say.
fn run_counts(ring: &[Waiter]) -> Option<Vec<u64>> {
    let threads = ring.iter().filter(|one| one.thread != 0);
    threads
        .map(|one| tasks::one(one.thread))
        .map(|task| task.filter(|task| task.sleeps).map(|task| task.switches))
        .collect()
}

/// What each waits for, if that is the next one, and whether all that are goroutines were held meanwhile.
fn look(ring: &[Waiter]) -> Option<(Vec<Seen>, bool)> {
    if membarrier::is_there() {
        let goroutines: Vec<&'static G> = ring
            .iter()
            .filter(|one| one.thread == 0)
            .map(|one| one.g.get())
            .collect();
        let sched = sched::get()?;
        let _right = sched.all_gs.right_to_words();
        let held = hold::hold_all(&goroutines, || read(ring, true));
        if let Some(seen) = held {
            return Some((seen?, true));
        }
    }
    Some((read(ring, false)?, false))
}

fn read(ring: &[Waiter], are_held: bool) -> Option<Vec<Seen>> {
    let next = ring.iter().cycle().skip(1);
    ring.iter()
        .zip(next)
        .map(|(one, next)| {
            let seen = Seen::of(one.g, are_held && one.thread == 0)?;
            let is_next = match seen.holder {
                Found::Nobody => false,
                Found::G(word) => word == next.g.to_word(),
                Found::Place(place) => is_on_stack(place, *next, are_held),
            };
            let is_same = one.g.id() == one.id && !seen.has_way_out;
            (is_next && is_same).then_some(seen)
        })
        .collect()
}

/// Returns whether `place` is on a stack of `one`, which `is_held` if it is a goroutine.
fn is_on_stack(place: usize, one: Waiter, is_held: bool) -> bool {
    if one.thread != 0 {
        let mut found = false;
        attach::stacks(&mut |_, g, range| found |= g == one.g && range.contains(&place));
        return found;
    }
    let g = one.g.get();
    if g.stack.range().is_some_and(|range| range.contains(&place)) {
        return true;
    }
    let mut found = false;
    if is_held {
        each_segment(g, |range| found |= range.contains(&place));
    }
    found
}

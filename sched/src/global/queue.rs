//! The global queue: what rings do not take, and what threads without a P make runnable.
//!
//! It is two queues. Goroutines that never ran have one of their own, and an M takes from both by turns. So one that has
//! begun waits for as many that begin as there are others before it, and not for all that were spawned: with a hundred
//! thousand of them, whose first rounds cost a stack each, that would be half a second. It also keeps memory low: what has
//! begun ends before more begins.

use crossbeam_deque::{Injector, Steal};

use crate::{
    global::sched::Sched,
    gmp::{g::GRef, p::P},
    protocol::ring,
};

/// Words of Gs, first in, first out.
pub(crate) struct GlobalQueue {
    begun: Injector<usize>,
    fresh: Injector<usize>,
}

impl GlobalQueue {
    pub(crate) fn new() -> GlobalQueue {
        GlobalQueue {
            begun: Injector::new(),
            fresh: Injector::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.fresh.is_empty()
    }

    fn len(&self) -> usize {
        self.begun.len() + self.fresh.len()
    }
}

fn take(queue: &Injector<usize>) -> Option<usize> {
    // To steal from an empty one costs a fence.
    if queue.is_empty() {
        return None;
    }
    loop {
        match queue.steal() {
            Steal::Success(word) => return Some(word),
            Steal::Empty => return None,
            Steal::Retry => {}
        }
    }
}

impl Sched {
    /// Queues the G behind `word` globally. It is runnable, and in no other queue.
    pub(crate) fn inject(&self, word: usize) {
        // SAFETY: queues hold words of Gs, and the callers have this one from a queue, or from its G.
        let g = unsafe { GRef::from_word(word) };
        match g.get().has_begun() {
            true => self.queue.begun.push(word),
            false => self.queue.fresh.push(word),
        }
    }

    /// Takes one G from the global queue, for `p`, which the caller owns: by turns one that never ran and one that did.
    #[inline]
    pub(crate) fn take_injected(&self, p: &P) -> Option<usize> {
        let GlobalQueue { begun, fresh } = &self.queue;
        match p.turn_of_fresh() {
            true => take(fresh).or_else(|| take(begun)),
            false => take(begun).or_else(|| take(fresh)),
        }
    }

    /// Takes this P's share of the global queue: one to run, some into the local ring.
    pub(crate) fn take_batch(&self, p: &P) -> Option<usize> {
        if self.queue.is_empty() {
            return None;
        }
        let first = self.take_injected(p)?;
        // Thieves may only make it more.
        let room = (ring::CAPACITY - p.ring.rest().len) as usize;
        let share = self.queue.len() / self.procs.count();
        let share = share.min(ring::CAPACITY as usize / 2).min(room);
        for _ in 0..share {
            let Some(word) = self.take_injected(p) else {
                break;
            };
            if let Err(word) = p.ring.push(word) {
                self.inject(word);
                break;
            }
        }
        Some(first)
    }

    /// How many Gs are in the global queue. A snapshot.
    pub(crate) fn injected(&self) -> usize {
        self.queue.len()
    }

    /// Returns whether there is anything in the global queue.
    pub(crate) fn any_injected(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Returns whether there is work that an M without any could take. `runnext` slots do not count.
    pub(crate) fn any_work(&self) -> bool {
        self.any_injected() || self.procs.now().iter().any(|p| !p.ring.is_empty())
    }
}

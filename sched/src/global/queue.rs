//! The global queue: what does not fit into a ring, and what threads without a P make runnable.

use crossbeam_deque::{Injector, Steal};

use crate::{global::sched::Sched, gmp::p::P, protocol::ring};

/// Words of Gs, first in, first out.
pub(crate) struct GlobalQueue(Injector<usize>);

impl GlobalQueue {
    pub(crate) fn new() -> GlobalQueue {
        GlobalQueue(Injector::new())
    }
}

impl Sched {
    /// Queues `word` globally.
    pub(crate) fn inject(&self, word: usize) {
        self.queue.0.push(word);
    }

    /// Takes one G from the global queue.
    #[inline]
    pub(crate) fn take_injected(&self) -> Option<usize> {
        loop {
            match self.queue.0.steal() {
                Steal::Success(word) => return Some(word),
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    }

    /// Takes this P's share of the global queue: one to run, some into the local ring.
    pub(crate) fn take_batch(&self, p: &P) -> Option<usize> {
        if self.queue.0.is_empty() {
            return None;
        }
        let first = self.take_injected()?;
        let share = (self.queue.0.len() / self.procs.count()).min(ring::CAPACITY as usize / 2);
        for _ in 0..share {
            let Some(word) = self.take_injected() else {
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
        self.queue.0.len()
    }

    /// Returns whether there is anything in the global queue.
    pub(crate) fn any_injected(&self) -> bool {
        !self.queue.0.is_empty()
    }

    /// Returns whether there is work that an M without any could take. `runnext` slots do not count.
    pub(crate) fn any_work(&self) -> bool {
        !self.queue.0.is_empty() || self.procs.now().iter().any(|p| !p.ring.is_empty())
    }
}

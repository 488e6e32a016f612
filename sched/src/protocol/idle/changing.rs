//! The change of the number of Ps: what procs.rs does with the lists.

use super::{Id, Idle, Lists};
use crate::protocol::sync::{Ordering, fence, lock};

/// A change of the number of Ps.
#[derive(Default)]
pub(crate) struct Change {
    /// Ps that are added; nothing is queued in them.
    pub(crate) come: Vec<Id>,
    /// Ps that stay: if they were about to leave, they no longer are.
    pub(crate) stay: Vec<Id>,
    /// Ps that leave.
    pub(crate) go: Vec<Id>,
    /// How many of `come` have run before, and may hold timers.
    pub(crate) come_used: usize,
}

/// What C2 has done.
#[must_use]
#[derive(Default)]
pub(crate) struct Changed {
    /// Those of `go` that were idle and have left; the others leave when they are put down.
    pub(crate) left: Vec<Id>,
    /// Ms that waited for a P, each with the P that the caller wakes it with.
    pub(crate) served: Vec<(Id, Id)>,
}

impl Idle {
    /// C2: carries out `change`.
    ///
    /// Ms that wait in line for a P get those that are idle now. No later step would serve them: a P that is put down
    /// goes to the first in line, but the last busy P may be one that leaves. Added Ps come to the front of the list,
    /// because they are unused; the last one added is the first of them to be taken.
    pub(crate) fn change(&self, change: &Change) -> Changed {
        let mut lists = lock(&self.lists);
        // Ps that have left hold no timers: those that have run cannot be more than there are.
        lists.used_ps = lists.used_ps.min(lists.all_ps) + change.come_used;
        lists.all_ps += change.come.len();
        lists.ps.splice(0..0, change.come.iter().copied());
        for &p in &change.stay {
            lists.stop_leaving(p);
        }
        let mut changed = Changed::default();
        for &p in &change.go {
            if let Some(place) = lists.ps.iter().position(|&x| x == p) {
                lists.ps.remove(place);
                lists.all_ps -= 1;
                changed.left.push(p);
            } else if !lists.leaving.contains(&p) {
                lists.leaving.push(p);
            }
        }
        while !lists.waiting.is_empty()
            && let Some(p) = self.pop_p(&mut lists)
        {
            changed
                .served
                .extend(lists.waiting.pop_front().map(|m| (m, p)));
        }
        self.note_waiting(&lists);
        self.publish(&lists);
        drop(lists);
        // As I3 of idle.rs: the caller looks at the queues next, for what was published while there were fewer idle Ps.
        fence(Ordering::SeqCst);
        changed
    }
}

impl Lists {
    /// Returns whether `p` was about to leave. It no longer is.
    pub(super) fn stop_leaving(&mut self, p: Id) -> bool {
        let place = self.leaving.iter().position(|&x| x == p);
        if let Some(place) = place {
            self.leaving.swap_remove(place);
        }
        place.is_some()
    }
}

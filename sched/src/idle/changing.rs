//! The number of Ps changes: the part of the lists in procs.rs's protocol.

use super::{Id, Idle, Lists};
use crate::sync::{Ordering, fence, lock};

/// A change of the number of Ps.
#[derive(Default)]
pub(crate) struct Change {
    /// Ps that come; nothing is in them.
    pub(crate) come: Vec<Id>,
    /// Ps that stay: if they were about to leave, they are not any more.
    pub(crate) stay: Vec<Id>,
    /// Ps that go.
    pub(crate) go: Vec<Id>,
    /// How many of `come` have run before, and may hold timers.
    pub(crate) come_used: usize,
}

impl Idle {
    /// C2: carries out `change`. Returns those of `go` that were idle and have left; the others leave when they
    /// are put down.
    ///
    /// New ones come to the front of the list: they are unused, and the last one that comes is the first of them to
    /// be taken.
    pub(crate) fn change(&self, change: &Change) -> Vec<Id> {
        let mut lists = lock(&self.lists);
        // Ps that have left hold no timers: those that have run cannot be more than there are.
        lists.used_ps = lists.used_ps.min(lists.all_ps) + change.come_used;
        lists.all_ps += change.come.len();
        lists.ps.splice(0..0, change.come.iter().copied());
        for &p in &change.stay {
            lists.stop_leaving(p);
        }
        let mut left = Vec::new();
        for &p in &change.go {
            if let Some(place) = lists.ps.iter().position(|&x| x == p) {
                lists.ps.remove(place);
                lists.all_ps -= 1;
                left.push(p);
            } else if !lists.leaving.contains(&p) {
                lists.leaving.push(p);
            }
        }
        self.publish(&lists);
        drop(lists);
        // As I3: the caller looks at the queues next, for what was published while there were fewer idle Ps.
        fence(Ordering::SeqCst);
        left
    }
}

impl Lists {
    /// Was `p` about to leave? Not any more.
    pub(super) fn stop_leaving(&mut self, p: Id) -> bool {
        let place = self.leaving.iter().position(|&x| x == p);
        if let Some(place) = place {
            self.leaving.swap_remove(place);
        }
        place.is_some()
    }
}

//! All goroutines, where nothing may be allocated and no lock be waited for: the heap may be locked for good, or the program
//! about to be ended.
//!
//! It is the look of goroutines.rs with what can be had at once. A lock that another thread has is tried some times; then
//! stacks are not read. Goroutines that share a run window are shown without a stack, because their windows may be locked,
//! and so are those that are on a thread.

use std::{array, thread, time::Duration};

use crate::{
    global::sched,
    gmp::g::G,
    observe::sight::Sight,
    protocol::{
        hold::{self, BATCH},
        status::Status,
    },
    sys::membarrier,
};

/// How often a lock is tried, and the pause between.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(1);

/// Shows `visit` each goroutine. Allocates nothing and waits for no lock. Returns whether stacks could be read.
pub fn visit_urgently(visit: &mut dyn FnMut(&mut Sight<'_>)) -> bool {
    let Some(sched) = sched::get() else {
        return true;
    };
    let right = tried(|| sched.all_gs.try_right_to_words());
    let mut able = membarrier::is_there() && right.is_some();
    let mut index = 0;
    // A list that stays locked ends the look as its end does.
    while let Some(Some(gs)) = tried(|| sched.all_gs.try_batch(index)) {
        for gs in gs.chunks(BATCH) {
            let batch: [&G; BATCH] = array::from_fn(|place| gs.get(place).unwrap_or(&gs[0]));
            let batch = &batch[..gs.len()];
            let mut read = |place: usize, is_held: bool| see(batch[place], is_held, visit);
            if able {
                able = hold::hold(batch, read);
            } else {
                (0..batch.len()).for_each(|place| read(place, false));
            }
        }
        index += 1;
    }
    able
}

fn see(g: &'static G, is_held: bool, visit: &mut dyn FnMut(&mut Sight<'_>)) {
    if g.status().get() == Status::Dead {
        return;
    }
    if let Some(mut sight) = Sight::of(g, is_held && !g.window.is_set()) {
        visit(&mut sight);
    }
}

fn tried<T>(mut what: impl FnMut() -> Option<T>) -> Option<T> {
    (0..TRIES).find_map(|number| {
        if number > 0 {
            thread::sleep(PAUSE);
        }
        what()
    })
}

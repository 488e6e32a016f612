//! Growth: what a fault in a guard does. Runs in the signal handler, on the signal stack.
//!
//! Nothing is moved and nothing is scheduled. The soft guard goes to the end of the next step, the handler returns, and
//! the instruction that faulted runs again.
//!
//! A guard frees what is in its page. Code that was compiled without stack probes (C, mostly) can step over a soft guard
//! and use memory below the *next* one's place before it touches this one. So a page that is in use gets no guard: the
//! stack then goes on to the step after it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::guard;
use crate::map;
use crate::step::Step;
use crate::window::{HARD_GUARD, Stack};

/// What a fault was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// It was in the soft guard, which is now further down: run the instruction again.
    Grown,
    /// It was in the hard guard.
    Overflow,
    /// It has nothing to do with this stack.
    Foreign,
}

static GROWTH_FAULTS: AtomicU64 = AtomicU64::new(0);

/// How many times a stack of this process has grown by a step.
pub fn growth_faults() -> u64 {
    GROWTH_FAULTS.load(Ordering::Relaxed) // Relaxed: a statistic, pairs with the addition in `fault`.
}

/// Decides what a fault at `addr` means for the stack that runs on this thread, and lets it grow.
///
/// Async-signal-safe: no lock, no allocation, up to three system calls.
pub(crate) fn fault(stack: &Stack, addr: usize) -> Fault {
    if !stack.contains(addr) {
        return Fault::Foreign;
    }
    if addr - (stack.base() as usize) < HARD_GUARD {
        return Fault::Overflow;
    }
    let page = map::page_size();
    match stack.soft_guard() {
        Some(guard) if addr.wrapping_sub(guard as usize) < page => {
            let step = place_next_guard(stack);
            // SAFETY: the soft guard stands: the stack is in a step that has one, and `step` is not stored yet.
            if !unsafe { guard::remove(guard, page) } {
                return Fault::Foreign;
            }
            stack.set_step(step);
            GROWTH_FAULTS.fetch_add(1, Ordering::Relaxed); // Relaxed: a statistic, pairs with `growth_faults`.
            Fault::Grown
        }
        _ => Fault::Foreign,
    }
}

/// Places the soft guard of the next step that can have one, and returns that step: the last one has none.
fn place_next_guard(stack: &Stack) -> Step {
    let mut step = stack.step();
    loop {
        step = step.next();
        let Some(place) = stack.soft_guard_place(step) else {
            break;
        };
        if guard::in_use(place) {
            continue;
        }
        // SAFETY: the page is in this thread's stack, below the fault, and holds no data.
        if unsafe { guard::place(place, map::page_size()) } {
            return step;
        }
    }
    // Also where the kernel refuses: a stack without a soft guard is whole, it only grows unseen.
    Step::last(stack.class())
}

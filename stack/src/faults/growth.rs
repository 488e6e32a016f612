//! Growth of guarded stacks: what a fault in a guard does. Runs in the signal handler, on the signal stack.
//!
//! Nothing is moved and nothing is scheduled. The soft guard goes to the end of the next step, the handler returns, and
//! the instruction that faulted runs again.
//!
//! A guard frees what is in its page, so it may only be placed where nothing is alive: below the stack pointer of what was
//! interrupted. Code that was compiled without stack probes (usually C) can step over a soft guard, and use memory below
//! the *next* one's place before it touches this one; then the stack moves to a step that ends below it. Whether a page is
//! in memory does not tell that: one that was swapped out looks as if it had never been used. Where the stack pointer is on
//! another stack (a handler on the signal stack, a segment of `grow`), it is not known how far this one is in use; then it
//! becomes paged.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::faults::sigstack;
use crate::memory::guard;
use crate::memory::map;
use crate::memory::step::Step;
use crate::windows::window::{RED_ZONE, Stack};

/// What a fault was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// It was in the soft guard, which is now further down: run the instruction again.
    Grown,
    /// It was in the soft guard, which the kernel refuses to remove: errno.
    Refused(i32),
    /// It was in the hard guard.
    Overflow,
    /// The kernel had no room above the hard guard for the frame of a handler without SA_ONSTACK.
    NoRoomForFrame,
    /// It has nothing to do with this stack.
    Foreign,
}

static GROWTH_FAULTS: AtomicU64 = AtomicU64::new(0);

/// How many times a stack of this process has grown by a step because its soft guard was hit.
pub fn growth_faults() -> u64 {
    GROWTH_FAULTS.load(Ordering::Relaxed) // Relaxed: a statistic, pairs with the addition in `fault`.
}

/// Returns what a fault at `addr` means for the stack that runs on this thread, and lets it grow. `sp` is the stack pointer
/// of the interrupted code.
///
/// Async-signal-safe: no lock, no allocation, up to three system calls.
pub(crate) fn fault(stack: &Stack, addr: usize, sp: usize) -> Fault {
    if !stack.contains(addr) {
        return Fault::Foreign;
    }
    if addr - (stack.base() as usize) < stack.class().hard_guard() {
        return Fault::Overflow;
    }
    match stack.soft_guard() {
        Some(guard) if addr.wrapping_sub(guard as usize) < map::page_size() => {
            match move_guard(stack, guard, live_from(stack, sp)) {
                Ok(()) => {
                    // Relaxed: a statistic, pairs with `growth_faults`.
                    GROWTH_FAULTS.fetch_add(1, Ordering::Relaxed);
                    Fault::Grown
                }
                Err(errno) => Fault::Refused(errno),
            }
        }
        _ => Fault::Foreign,
    }
}

/// The kernel raised SIGSEGV without an access, in code whose stack pointer is `sp`. It does so when it cannot write the
/// frame of a handler to the stack that was interrupted, which is what handlers without SA_ONSTACK run on; the signal it
/// was to tell of is lost. It also does so for addresses that are none, on some CPUs; then a guard that moves is moved for
/// nothing, and the fault comes again.
pub(crate) fn unwritten_frame(stack: &Stack, sp: usize) -> Fault {
    if !stack.contains(sp) {
        return Fault::Foreign;
    }
    let low = sp.saturating_sub(RED_ZONE + sigstack::frame_size());
    let base = stack.base().addr();
    if stack.soft_guard().is_some_and(|guard| {
        let end = guard.addr() + map::page_size();
        end > low && end <= sp
    }) {
        // SAFETY: `sp`, of the code that this handler interrupted, is on the stack, so this thread owns it; `low` is a red
        // zone and a frame below `sp`.
        return match unsafe { stack.reserve(std::ptr::with_exposed_provenance(low)) } {
            Ok(()) => Fault::Grown,
            Err(error) => Fault::Refused(error.raw_os_error().unwrap_or(0)),
        };
    }
    match low < base + stack.class().hard_guard() {
        true => Fault::NoRoomForFrame,
        false => Fault::Foreign,
    }
}

/// Makes sure that the frames of code that was interrupted on `stack`, at `sp`, have no guard in them: one may stand in a
/// frame that stepped over it. Async-signal-safe. Where the kernel refuses it stays.
pub(crate) fn make_readable(stack: &Stack, sp: usize) {
    let live = live_from(stack, sp);
    if live != 0 {
        // SAFETY: `live` is not 0, so the code that this handler interrupted runs on the stack, and `live` is a red zone below
        // its stack pointer.
        let _ = unsafe { stack.reserve(std::ptr::with_exposed_provenance(live)) };
    }
}

/// The address from which up `stack` may be in use by code whose stack pointer is `sp`; 0 if `sp` is not on it.
fn live_from(stack: &Stack, sp: usize) -> usize {
    match stack.contains(sp) {
        true => sp - RED_ZONE,
        false => 0,
    }
}

/// Moves the soft guard, which stands at `guard`, to the first step that ends below `floor`. The errno if the kernel
/// refuses; then the guard stands where it stood.
fn move_guard(stack: &Stack, guard: *mut u8, floor: usize) -> Result<(), i32> {
    let step = place_next_guard(stack, floor);
    // SAFETY: `guard` is the soft guard of the step in which the stack is: `install` has placed it, and it is removed only
    // where another step is stored.
    if unsafe { guard::remove(guard, map::page_size()) } {
        stack.set_step(step);
        return Ok(());
    }
    Err(nix::errno::Errno::last_raw())
}

/// Places the soft guard of the next step that ends below `floor`, and returns that step.
fn place_next_guard(stack: &Stack, floor: usize) -> Step {
    let mut step = stack.step();
    loop {
        step = step.next(stack.class());
        let Some(place) = stack.soft_guard_place(step) else {
            return Step::PAGED;
        };
        if place.addr() + map::page_size() > floor {
            continue;
        }
        // SAFETY: the page is one of this window, between its hard guard and `floor`, below which nothing is in use.
        if unsafe { guard::install(place, map::page_size()) }.is_ok() {
            return step;
        }
        // A stack without a soft guard is whole, it only grows unseen.
        return Step::PAGED;
    }
}

impl Stack {
    /// Makes sure that no soft guard stands at `low` or above, as if the stack had grown that far. A paged stack has
    /// none, and nothing happens.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to remove the guard.
    ///
    /// # Safety
    ///
    /// The caller runs on the stack, or nothing does. Nothing below `low` is in use.
    pub unsafe fn reserve(&self, low: *const u8) -> io::Result<()> {
        let page = map::page_size();
        match self.soft_guard() {
            Some(guard) if guard.addr() + page > low.addr() => {
                move_guard(self, guard, low.addr()).map_err(io::Error::from_raw_os_error)
            }
            _ => Ok(()),
        }
    }
}

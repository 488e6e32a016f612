//! AddressSanitizer: each switch is announced before, with the bounds of the stack that is switched to, and confirmed
//! after it, on that stack.
//!
//! ```text
//!  on A                                            on B
//!  start_switch_fiber(&fake of A, bounds of B)
//!  switch ───────────────────────────────────────► finish_switch_fiber(fake of B, bounds of A)
//! ```
//!
//! A *fake stack* is where instrumented code keeps its locals when use after return is looked for. It
//! belongs to a stack and not to what runs there: the last act of a goroutine is a commit that lies among
//! its locals, so its fake stack cannot go with it. It stays with the stack, for the next goroutine there.
//! (The handbook's way, a null pointer for the last departure, would free it under the commit.)
//!
//! Stacks that are copied out are not supported: the copy reads the red zones between locals.

use std::{
    cell::Cell,
    collections::HashMap,
    ffi::c_void,
    ptr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use goroutines_stack::Stack;

use super::Extent;

unsafe extern "C" {
    fn __sanitizer_start_switch_fiber(
        fake_stack_save: *mut *mut c_void,
        bottom: *const c_void,
        size: usize,
    );
    fn __sanitizer_finish_switch_fiber(
        fake_stack: *mut c_void,
        bottom_old: *mut *const c_void,
        size_old: *mut usize,
    );
    fn __asan_unpoison_memory_region(start: *const c_void, size: usize);
}

/// The fake stack of each stack that has one and does not run, under the stack's lower end.
static FAKES: Mutex<Option<HashMap<usize, usize>>> = Mutex::new(None);

/// The size in bytes of what the last frames of a goroutine may have left poisoned.
const LAST_FRAMES: usize = 32 << 10;

/// The bounds of a stack as AddressSanitizer reported them: of an M's g0, or of the stack below a segment.
pub(crate) struct Bounds {
    low: Cell<*const c_void>,
    size: Cell<usize>,
}

impl Bounds {
    pub(crate) const fn new() -> Bounds {
        Bounds {
            low: Cell::new(ptr::null()),
            size: Cell::new(0),
        }
    }

    fn extent(&self) -> Extent {
        (self.low.get().addr(), self.size.get())
    }
}

/// Where the fake stack of the stack that was left is kept.
pub(crate) enum Departure {
    /// In the frame that waits: of a g0, or of the stack below a segment.
    Here(*mut c_void),
    /// With the stack, under its lower end.
    Of(usize),
}

/// The code that ran here last did not return from its frames.
pub(super) fn begin(stack: &Stack) {
    let size = LAST_FRAMES.min(stack.limit());
    // SAFETY: the bytes below `top` are the stack's, on which nothing lives.
    unsafe { __asan_unpoison_memory_region(stack.top().wrapping_sub(size).cast(), size) };
}

fn start(fake: &mut *mut c_void, (low, size): Extent) {
    // SAFETY: the bounds are those of the stack that the caller switches to next.
    unsafe { __sanitizer_start_switch_fiber(fake, low as *const c_void, size) };
}

fn finish(fake: *mut c_void, bounds: &Bounds) {
    // SAFETY: `fake` was saved when this stack was left, or is null on its first use.
    unsafe {
        __sanitizer_finish_switch_fiber(fake, bounds.low.as_ptr(), bounds.size.as_ptr());
    }
}

fn fakes() -> MutexGuard<'static, Option<HashMap<usize, usize>>> {
    FAKES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep(low: usize, fake: *mut c_void) {
    fakes().get_or_insert_default().insert(low, fake as usize);
}

fn kept(low: usize) -> *mut c_void {
    fakes()
        .as_ref()
        .and_then(|fakes| fakes.get(&low))
        .map_or(ptr::null_mut(), |&fake| fake as *mut c_void)
}

pub(crate) fn leave_to_goroutine(to: impl FnOnce() -> Extent) -> Departure {
    let mut fake = ptr::null_mut();
    start(&mut fake, to());
    Departure::Here(fake)
}

/// `g0` was filled when the stack that is left was entered.
pub(crate) fn leave_to_g0(from: impl FnOnce() -> Extent, g0: &Bounds) -> Departure {
    let mut fake = ptr::null_mut();
    let (low, _) = from();
    start(&mut fake, g0.extent());
    keep(low, fake);
    Departure::Of(low)
}

pub(crate) fn leave_to_segment(to: impl FnOnce() -> Extent) -> Departure {
    let mut fake = ptr::null_mut();
    start(&mut fake, to());
    Departure::Here(fake)
}

/// The last act on a segment, whose `below` was filled when it was entered.
pub(crate) fn leave_segment(from: impl FnOnce() -> Extent, below: &Bounds) {
    let mut fake = ptr::null_mut();
    let (low, _) = from();
    start(&mut fake, below.extent());
    keep(low, fake);
}

/// The last half of a switch back to where [`Departure`] was made. A goroutine comes back from the g0 of its M, whose
/// bounds are needed for the next switch: `g0` returns the place for them.
pub(crate) fn arrive(departure: Departure, g0: impl FnOnce() -> &'static Bounds) {
    match departure {
        Departure::Here(fake) => finish(fake, &Bounds::new()),
        Departure::Of(low) => finish(kept(low), g0()),
    }
}

/// The first act of a goroutine.
pub(crate) fn arrive_on_goroutine(
    here: impl FnOnce() -> Extent,
    g0: impl FnOnce() -> &'static Bounds,
) {
    finish(kept(here().0), g0());
}

/// The first act on a segment.
pub(crate) fn arrive_on_segment(here: impl FnOnce() -> Extent, below: &Bounds) {
    finish(kept(here().0), below);
}

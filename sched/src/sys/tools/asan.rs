//! AddressSanitizer: each switch is announced before, with the bounds of the stack it goes to, and
//! confirmed after, on that stack.
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

use std::{cell::Cell, collections::HashMap, ffi::c_void, ptr, sync::Mutex};

use goroutines_stack::Stack;

use crate::{
    gmp::{
        g::GRef,
        m::M,
        segment::{Segment, low, top_of},
    },
    protocol::sync::lock,
    stacks::fault_hooks,
    switch::thread_word::current_m,
    sys::fatal,
};

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

/// What the frames of a goroutine's end may have left poisoned.
const LAST_FRAMES: usize = 32 << 10;

/// The bounds of a stack that AddressSanitizer told: of an M's g0, or of what is below a segment.
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
}

/// Where the fake stack of the departed is kept.
pub(crate) enum Departure {
    /// In the frame that waits: a g0's, or one below a segment.
    Here(*mut c_void),
    /// With the stack, under its lower end.
    Of(usize),
}

/// The code that ran here last was left in the midst of its frames.
pub(super) fn begin(stack: &Stack) {
    let size = LAST_FRAMES.min(stack.limit());
    // SAFETY: the bytes below `top` are the stack's, on which nothing lives.
    unsafe { __asan_unpoison_memory_region(stack.top().wrapping_sub(size).cast(), size) };
}

/// The bounds of what `g` runs on.
fn bounds(g: GRef) -> (usize, usize) {
    if let Some(segment) = g.get().segments.running() {
        return segment_bounds(segment);
    }
    // SAFETY: the caller is about to run `g`, or `g` runs here.
    match unsafe { fault_hooks::own_stack(g).as_ref() } {
        Some(stack) => (low(stack), stack.limit()),
        None => fatal::throw(format_args!("a goroutine without a stack")),
    }
}

fn segment_bounds(segment: &Segment) -> (usize, usize) {
    (segment.low, top_of(segment).addr() - segment.low)
}

fn start(fake: &mut *mut c_void, (low, size): (usize, usize)) {
    // SAFETY: the bounds are those of the stack that the caller switches to next.
    unsafe { __sanitizer_start_switch_fiber(fake, low as *const c_void, size) };
}

fn finish(fake: *mut c_void, bounds: &Bounds) {
    // SAFETY: `fake` was saved when this stack was left, or is null on its first use.
    unsafe {
        __sanitizer_finish_switch_fiber(fake, bounds.low.as_ptr(), bounds.size.as_ptr());
    }
}

fn keep(low: usize, fake: *mut c_void) {
    lock(&FAKES)
        .get_or_insert_default()
        .insert(low, fake as usize);
}

fn kept(low: usize) -> *mut c_void {
    let fakes = lock(&FAKES);
    fakes
        .as_ref()
        .and_then(|fakes| fakes.get(&low))
        .map_or(ptr::null_mut(), |&fake| fake as *mut c_void)
}

pub(crate) fn leave_to_goroutine(g: GRef) -> Departure {
    let mut fake = ptr::null_mut();
    start(&mut fake, bounds(g));
    Departure::Here(fake)
}

pub(crate) fn leave_to_g0(m: &M, g: GRef) -> Departure {
    let mut fake = ptr::null_mut();
    let (low, _) = bounds(g);
    start(
        &mut fake,
        (m.g0_bounds.low.get() as usize, m.g0_bounds.size.get()),
    );
    keep(low, fake);
    Departure::Of(low)
}

pub(crate) fn leave_to_segment(segment: &Segment) -> Departure {
    let mut fake = ptr::null_mut();
    start(&mut fake, segment_bounds(segment));
    Departure::Here(fake)
}

/// The last act on a segment.
pub(crate) fn leave_segment(segment: &Segment) {
    let mut fake = ptr::null_mut();
    let below = &segment.below;
    start(&mut fake, (below.low.get() as usize, below.size.get()));
    keep(segment.low, fake);
}

/// Back where [`Departure`] was made.
pub(crate) fn arrive(departure: Departure) {
    match departure {
        Departure::Here(fake) => finish(fake, &Bounds::new()),
        Departure::Of(low) => finish_from_g0(kept(low)),
    }
}

/// The first act of a goroutine.
pub(crate) fn arrive_on_goroutine(g: GRef) {
    finish_from_g0(kept(bounds(g).0));
}

/// On a goroutine: whoever was left is the g0 of this M, whose bounds are needed for the way back.
fn finish_from_g0(fake: *mut c_void) {
    match current_m() {
        Some(m) => finish(fake, &m.g0_bounds),
        None => fatal::throw(format_args!("a goroutine without an M")),
    }
}

/// The first act on a segment.
pub(crate) fn arrive_on_segment(segment: &Segment) {
    finish(kept(segment.low), &segment.below);
}

//! Growing by segments: more stack for a recursion that outgrows its own.
//!
//! A goroutine's window ends where its class ends, a thread's stack where the system put its end. Code that checks
//! before it recurses deeper ([`has_stack`]) can continue elsewhere ([`on_segment`]): on a further, larger stack,
//! linked to the one it came from.
//!
//! ```text
//!   own stack              segment 1                segment 2
//!  ┌──────────────┐       ┌──────────────┐         ┌──────────────┐
//!  │ frames       │    ┌──│ Segment      │◄────────│ Segment      │◄── the G: it runs on a segment
//!  │ on_segment   │◄───┘  │ enter        │  prev   │ enter        │
//!  │  Call: f, R  │ back  │ f, frames    │         │ f, frames    │
//!  └──────────────┘       │ on_segment   │         │ ...          │
//!                         └──────────────┘         └──────────────┘
//! ```
//!
//! 1. `on_segment` leaves the closure in its own frame and switches to [`enter`], at the top of the
//!    segment.
//! 2. `enter` tells the G that it runs here, so that a fault finds the right stack. It does that, and the opposite at
//!    the end, while it runs on a page that is there: the switch itself pushes on the *older* stack, which may have
//!    to grow for it.
//! 3. The closure runs; its result or panic goes into the frame of `on_segment`. It may park and resume on another
//!    thread: the scheduler only sees a stack pointer.
//! 4. `enter` switches back. `on_segment` returns the result or continues the panic.
//!
//! # Crossing back and forth
//!
//! A loop at the edge of a stack may cross it at each turn. So the segment that was left last stays linked as the
//! *spare* of the older stack; the next crossing finds it there and costs two switches and no system call. Each stack
//! of the chain has at most one spare. What lies beyond is released, and so is a spare that holds much memory: the
//! kernel is asked when a segment is left for the first time, and from time to time later. What a parked goroutine's
//! segments do not need goes back to the kernel as that of its own stack does (shrink.rs).
//!
//! # Where it ends
//!
//! Each segment is of a larger class than the stack before it, up to the largest; after that each is of the largest,
//! until a chain has [`LIMIT`] bytes. Then `on_segment` calls the closure where it is, and the guard of the last
//! segment ends an endless recursion as it does on any stack.

use std::{
    io,
    mem::{ManuallyDrop, MaybeUninit},
    panic::{self, AssertUnwindSafe},
    thread as os_thread,
};

use goroutines_stack::{self as stack, Class};

use crate::{
    gmp::{
        g::GRef,
        segment::{Link, Segment, low, place, release},
        trace_event::EventKind,
        tracer,
    },
    stacks::fault_hooks,
    switch::{
        self,
        attach::{self, StackEnd},
        current::current,
        extents,
        thread_word::current_m,
    },
    sys::asm,
};

/// The windows of a chain have at least this many bytes when it gets no further segment.
const LIMIT: usize = 1 << 30;

/// A segment that is found to have been used beyond this is not kept as a spare.
const SPARE: usize = 1 << 20;

/// The number of crossings between two checks of what a segment holds.
const CROSSINGS: u32 = 64;

/// The bytes that the first segment of a plain thread must hold.
const FIRST_OF_A_THREAD: usize = 1 << 20;

/// The bytes that the crossing itself, and a panic that says why it is impossible, need of the older stack.
pub(crate) const CROSSING: usize = 8 << 10;

/// The bytes that a segment needs for its header and for [`enter`].
const HEADER: usize = 4 << 10;

/// Returns whether `red_zone` bytes are left of the stack that runs here, besides what [`on_segment`] needs.
///
/// On a stack that is neither a goroutine's nor the one that the system gave to the thread (another library's
/// coroutine) the answer means nothing, and is usually true.
#[inline]
pub fn has_stack(red_zone: usize) -> bool {
    stack_left() >= red_zone.saturating_add(CROSSING)
}

#[inline]
pub(crate) fn stack_left() -> usize {
    let sp = asm::stack_pointer().addr();
    let Some(m) = current_m() else {
        return stack_left_of_thread(sp);
    };
    let Some(g) = m.current.get() else {
        return usize::MAX; // g0 runs no user code
    };
    let g = g.get();
    if let Some(segment) = g.segments.running() {
        return sp.wrapping_sub(segment.low);
    }
    // SAFETY: the G runs here, so only this code uses its cell; the reference ends below.
    match unsafe { g.stack.get() } {
        Some(stack) => sp.wrapping_sub(low(stack)),
        None => stack_left_of_thread(sp),
    }
}

/// The bytes left where the G has no stack of its own: it stands for a thread, or runs in a shared window.
fn stack_left_of_thread(sp: usize) -> usize {
    let g = current();
    // SAFETY: the G runs here, so the stack, if there is one, is valid for the call.
    if let Some(stack) = unsafe { g.get().own_stack().as_ref() } {
        return sp.wrapping_sub(low(stack));
    }
    match attach::stack_end() {
        // Far above or below the known end: this is not the system's stack.
        StackEnd::Known(low) => sp.wrapping_sub(low),
        StackEnd::Assumed(low) => sp.saturating_sub(low),
    }
}

/// Returns whether it is known where the stack that runs here ends.
pub(crate) fn has_known_end() -> bool {
    let g = current();
    g.id() != 0
        || g.get().segments.running().is_some()
        || matches!(attach::stack_end(), StackEnd::Known(_))
}

/// Calls `f` on a linked segment, of which at least `red_zone` bytes are usable. Where the chain has reached its
/// limit, calls it on the running stack.
///
/// # Panics
///
/// With the panic of `f`. When `red_zone` is more than the largest stack has, and when there is no
/// memory or address space for a segment.
///
/// # Parks
///
/// If `f` does.
#[cold]
#[inline(never)]
pub fn on_segment<F: FnOnce() -> R, R>(red_zone: usize, f: F) -> R {
    let g = current();
    let Some(segment) = take(g, red_zone) else {
        return f();
    };
    let mut call = Call {
        f: ManuallyDrop::new(f),
        outcome: MaybeUninit::uninit(),
    };
    let work = Work {
        g,
        segment,
        run: run::<F, R>,
        call: (&raw mut call).cast(),
    };
    // SAFETY: nothing runs on the segment; `work` and `call` stay in this frame until `enter` is back.
    unsafe { switch::to_segment(segment, enter, &raw const work as usize) };
    leave(g, segment);
    // SAFETY: `enter` came back, so `run` has written the outcome.
    match unsafe { call.outcome.assume_init() } {
        Ok(result) => result,
        Err(payload) => panic::resume_unwind(payload),
    }
}

/// The closure and its outcome, in the frame of `on_segment`.
struct Call<F, R> {
    f: ManuallyDrop<F>,
    outcome: MaybeUninit<os_thread::Result<R>>,
}

/// What `enter` has to do, without types.
struct Work {
    g: GRef,
    segment: &'static Segment,
    run: unsafe fn(*mut ()),
    call: *mut (),
}

/// The first function on a segment.
///
/// # Safety
///
/// Only as the entry that `on_segment` prepares; `work` is the address of its [`Work`].
unsafe extern "C" fn enter(work: usize) -> ! {
    // SAFETY: `on_segment` waits with its frame in place.
    let work = unsafe { &*(work as *const Work) };
    let segments = &work.g.get().segments;
    segments.set_running(work.segment);
    extents::arrive_on_segment(work.segment);
    // SAFETY: `call` is what `run` was made for, and is used once.
    unsafe { (work.run)(work.call) };
    match work.segment.prev.get() {
        Some(older) => segments.set_running(older),
        None => segments.set_idle(None),
    }
    // SAFETY: this is the segment's first frame, and `back` was saved when it was entered.
    unsafe { switch::from_segment(work.segment) }
}

/// # Safety
///
/// `call` is a `Call<F, R>` that was not run yet.
unsafe fn run<F: FnOnce() -> R, R>(call: *mut ()) {
    // SAFETY: `call` is the address of a `Call<F, R>` in the frame of `on_segment`, which waits on the older stack
    // until `enter` has come back.
    let call = unsafe { &mut *call.cast::<Call<F, R>>() };
    // SAFETY: taken once: the call is run once.
    let f = unsafe { ManuallyDrop::take(&mut call.f) };
    call.outcome.write(panic::catch_unwind(AssertUnwindSafe(f)));
}

/// The segment for the next part of `g`: its spare, or a new one. `None` at the limit.
fn take(g: GRef, red_zone: usize) -> Link {
    let segments = &g.get().segments;
    let running = segments.running();
    let (before, class, number) = match running {
        Some(segment) => (
            segment.total.get(),
            Some(segment.stack.class()),
            segment.number.get(),
        ),
        // SAFETY: the G runs here, so the stack, if there is one, is valid for the call.
        None => match unsafe { g.get().own_stack().as_ref() } {
            Some(stack) => (0, Some(stack.class()), 0),
            None => (0, None, 0),
        },
    };
    if before >= LIMIT {
        return None;
    }
    let spare = match running {
        Some(segment) => segment.spare.take(),
        None => segments.idle(),
    };
    if running.is_none() {
        segments.set_idle(None);
    }
    let segment = match spare {
        Some(spare) if usable(spare.stack.class()) >= red_zone => spare,
        spare => {
            spare.inspect(|spare| release(spare));
            create(g, larger(class, red_zone), red_zone)
        }
    };
    segment.prev.set(running);
    segment.number.set(number + 1);
    segment.total.set(before + segment.stack.class().window());
    Some(segment)
}

/// Back on the older stack: `segment` becomes its spare.
fn leave(g: GRef, segment: &'static Segment) {
    if let Some(beyond) = segment.spare.take() {
        release(beyond);
    }
    if holds_much(segment) {
        return release(segment);
    }
    match segment.prev.get() {
        Some(older) => older.spare.set(Some(segment)),
        None => g.get().segments.set_idle(Some(segment)),
    }
}

/// Returns whether the frames on `segment`, which is left, have reached far down. Checked in some crossings only,
/// because it takes a system call.
fn holds_much(segment: &Segment) -> bool {
    let crossing = segment.crossings.get();
    segment.crossings.set(crossing.wrapping_add(1));
    crossing.is_multiple_of(CROSSINGS)
        && segment.stack.limit() > SPARE
        && segment.stack.has_used_beyond(SPARE)
}

/// The class after `class` that has room for `red_zone`.
fn larger(class: Option<Class>, red_zone: usize) -> Class {
    let least = match class {
        Some(class) => class.next_larger().unwrap_or(Class::LARGEST).window(),
        None => FIRST_OF_A_THREAD,
    };
    let fits = |class: &&Class| class.window() >= least && usable(**class) >= red_zone;
    match Class::usable().iter().find(fits) {
        Some(class) => *class,
        None => panic!(
            "goroutines::grow: a red zone of {red_zone} bytes is above the largest stack: ask for at \
             most {} bytes",
            usable(Class::LARGEST)
        ),
    }
}

/// The bytes that code can use of a segment of `class`, whatever its colour.
fn usable(class: Class) -> usize {
    const COLOUR: usize = 2 << 10; // at most
    class.window() - class.hard_guard() - COLOUR - HEADER - CROSSING
}

/// Makes a segment, and prepares the thread for faults on it.
fn create(g: GRef, class: Class, red_zone: usize) -> &'static Segment {
    let made = match g.id() {
        0 => prepare_thread().and_then(|()| stack::acquire(class)),
        _ => stack::acquire(class),
    };
    match made {
        Ok(stack) => {
            tracer::note(EventKind::Segment, class.window() as u64);
            place(stack)
        }
        Err(error) => no_segment(class, red_zone, &error),
    }
}

/// Before the first segment of a plain thread: a fault on it needs the handler, and a signal stack.
fn prepare_thread() -> io::Result<()> {
    fault_hooks::install()?;
    attach::keep_signal_stack()
}

#[cold]
fn no_segment(class: Class, red_zone: usize, error: &io::Error) -> ! {
    panic!(
        "goroutines::grow: less than {red_zone} bytes are left, and there is no further stack of {} \
         bytes to continue on: {error}",
        class.window()
    );
}

//! The wing `switch`: which M and G run here, and the switch between a goroutine and g0.
//!
//! Imported by all wings after `gmp`.
//!
//! | file | what it has |
//! |---|---|
//! | mod.rs | resuming a goroutine, leaving it, and crossing to a segment |
//! | thread_word.rs, current.rs, attach.rs | the M of this thread, the G that runs here, threads that are not the runtime's |
//! | call_on.rs | calling a function on another stack |
//! | commit.rs | what g0 runs once the goroutine that parks is off its stack |
//! | extents.rs | the stacks of a switch, for tools |
//! | fork_check.rs, signal_check.rs | calls from places where none is allowed: the child of a fork, a signal handler |
//! | panic_count.rs | moving the count of panics of a thread |
//! | random.rs | pseudo-random numbers, a sequence for each thread |
//!
//! Essays: [`fork_check`], [`signal_check`], [`panic_count`].

#![cfg(not(goroutines_loom))]

pub(crate) mod attach;
pub(crate) mod call_on;
pub(crate) mod commit;
pub(crate) mod current;
pub(crate) mod extents;
pub(crate) mod fork_check;
pub(crate) mod panic_count;
pub(crate) mod random;
pub(crate) mod signal_check;
pub(crate) mod thread_word;

use std::cell::Cell;

use goroutines_stack::Stack;

use crate::{
    gmp::{
        g::GRef,
        m::M,
        segment::{Segment, top_of},
    },
    protocol::wait_reason::WaitFor,
    switch::commit::Commit,
    sys::{
        asm::{self, Context, Native, Port},
        tools,
    },
};

// A number for each direction, so that the CPU predicts their jumps separately (`asm::switch_at`).
const TO_GOROUTINE: usize = 1;
const TO_G0: usize = 2;
const TO_SEGMENT: usize = 3;
const FROM_SEGMENT: usize = 4;

/// Returns whether the code at `ip` is that of a switch, in which the registers are of two computations.
pub(crate) fn is_switching(ip: usize) -> bool {
    [
        Native::body_range::<0>(),
        Native::body_range::<TO_GOROUTINE>(),
        Native::body_range::<TO_G0>(),
        Native::body_range::<TO_SEGMENT>(),
        Native::body_range::<FROM_SEGMENT>(),
    ]
    .iter()
    .any(|body| body.contains(&ip))
}

/// On g0: runs `g` until it leaves, and returns the commit it left behind.
///
/// # Safety
///
/// The caller is the g0 of `m`; `g` is off every stack and taken from a queue by the caller, and its context is not
/// null.
#[inline(always)]
pub(crate) unsafe fn resume(m: &M, g: GRef) -> *const Commit {
    let ctx = g.get().ctx.get();
    let departure = tools::leave_to_goroutine(|| extents::of(g));
    // SAFETY: `ctx` was prepared or saved and not resumed since (the caller took `g` from a queue, so no other M
    // resumes it); `m.g0` is written before the goroutine runs.
    let commit =
        unsafe { asm::switch_at::<TO_GOROUTINE>(m.g0.as_ptr(), ctx, g.to_word()) as *const Commit };
    tools::arrive(departure, extents::g0);
    commit
}

/// On a goroutine: leaves to g0, which runs `commit`. Without a wait the goroutine does not wait: it yields, or has
/// ended.
///
/// # Safety
///
/// The caller is the goroutine `g` on `m`; `commit` stays valid until it was run.
#[inline(always)]
pub(crate) unsafe fn leave(m: &M, g: GRef, wait: Option<WaitFor>, commit: *const Commit) {
    if let Some(wait) = wait {
        g.get().waits(wait);
    }
    let departure = tools::leave_to_g0(|| extents::of(g), &m.g0_bounds);
    // SAFETY: g0 of `m` is suspended in `resume`, because `g` runs on `m`.
    unsafe { asm::switch_at::<TO_G0>(g.get().ctx.as_ptr(), m.g0.get(), commit as usize) };
    tools::arrive(departure, extents::g0);
}

/// Makes the stack of `g` ready for its first run.
///
/// # Safety
///
/// `g` owns a stack on which nothing lives, and the caller owns `g`.
#[inline]
pub(crate) unsafe fn prepare(g: GRef, stack: &Stack, entry: asm::Entry) {
    tools::begin(stack);
    // SAFETY: its top is the 16-aligned end of a stack that is `g`'s alone.
    g.get().ctx.set(unsafe { asm::prepare(stack.top(), entry) });
}

/// As [`prepare`], for a stack that belongs to no goroutine.
///
/// # Safety
///
/// Nothing lives on `stack`, and the caller owns it.
pub(crate) unsafe fn prepare_on(stack: &Stack, entry: asm::Entry) -> Context {
    // SAFETY: its top is the 16-aligned end of a stack that only the caller uses.
    unsafe { asm::prepare(stack.top(), entry) }
}

/// Leaves the running stack, which resumes from `save`, for the one whose context is `load`.
///
/// # Safety
///
/// `load` was prepared or saved and not entered since, and its stack stays. The code that enters `save` does so once.
pub(crate) unsafe fn cross(save: &Cell<Context>, load: Context, arg: usize) {
    // SAFETY: `load` was not entered since it was made, as the caller owes; `save` is written before it is entered.
    unsafe { asm::switch(save.as_ptr(), load, arg) };
}

/// Prefetches the cache lines that resuming the G behind `word` will touch: its descriptor.
///
/// # Safety
///
/// `word` came from [`GRef::to_word`].
#[inline(always)]
pub(crate) unsafe fn prefetch_g(word: usize) {
    asm::prefetch(word as *const u8);
}

/// As [`prefetch_g`], when the descriptor was prefetched some time ago: prefetches the top of its live stack.
///
/// # Safety
///
/// `word` came from [`GRef::to_word`].
#[inline(always)]
pub(crate) unsafe fn prefetch_stack(word: usize) {
    // SAFETY: the word is a G's, and a G is never freed.
    asm::prefetch_frame(unsafe { GRef::from_word(word) }.get().ctx_hint());
}

/// Leaves the running stack for `segment`, whose first function is `entry`. Returns when that function calls
/// [`from_segment`].
///
/// # Safety
///
/// Nothing lives on the segment, and nothing else enters it until this returns. `entry` ends in [`from_segment`].
#[inline(always)]
pub(crate) unsafe fn to_segment(segment: &'static Segment, entry: asm::Entry, arg: usize) {
    let departure = tools::leave_to_segment(|| extents::of_segment(segment));
    // SAFETY: the top is below a header that is aligned to 16, in a stack on which nothing lives, and
    // the header begins with `back`, which is written before the segment runs.
    unsafe {
        let fresh = asm::prepare_linked(top_of(segment), entry);
        asm::switch_at::<TO_SEGMENT>(segment.back.as_ptr(), fresh, arg);
    }
    tools::arrive(departure, extents::g0);
}

/// Ends the first function of `segment`: the older stack resumes.
///
/// # Safety
///
/// The caller is that function, and needs nothing of its frame any more.
pub(crate) unsafe fn from_segment(segment: &'static Segment) -> ! {
    tools::leave_segment(|| extents::of_segment(segment), &segment.below);
    // SAFETY: `back` was saved in `to_segment`, and each entry comes back once.
    unsafe { asm::switch_at::<FROM_SEGMENT>(segment.left.as_ptr(), segment.back.get(), 0) };
    crate::sys::fatal::throw(format_args!("a segment ran on after its end"));
}

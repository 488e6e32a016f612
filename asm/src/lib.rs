//! The context switch of `goroutines`: one file per CPU, nothing else.
//!
//! # What a switch is
//!
//! A thread has one stack pointer. To *switch* is to write down where the code that runs now must resume, to put another
//! stack pointer in place, and to jump to where the code on that other stack had stopped. Nothing is copied, the kernel
//! is not asked, and to both sides it looks like a function call that took a while:
//!
//! ```text
//!      A                                                      B
//!      switch(&mut a, b, 7) ──────── a := Context of A ────►  (B's own switch returns 7)
//!                                                             ...
//!      (A's switch returns 9) ◄───── b := Context of B ─────  switch(&mut b, a, 9)
//! ```
//!
//! A suspended computation is a [`Context`]: the stack pointer with which it resumes. Right below lies its saved
//! [`Frame`](Port::Frame), the lower end of its live stack. From there up to the top of the stack everything is live.
//!
//! # Why so little is saved by hand
//!
//! A library function that switches has to save every callee-saved register, needed or not. [`switch`] is inline
//! assembly that declares *every* register overwritten instead. The compiler then keeps exactly the values that are
//! still needed, in the stack slots they often have already. Two registers cannot be declared, because the compiler
//! reserves them (frame pointer and base pointer); these and the address to resume at are the whole `Frame`.
//!
//! The switch ends in an indirect jump. A `ret` would pop an address that the CPU's return predictor never saw pushed:
//! wrong this time, and the return predictions of all callers are shifted after it.
//!
//! # What is not saved
//!
//! Rounding modes, exception masks and the like (MXCSR and the x87 control word on x86_64, FPCR on aarch64) belong to
//! the thread. Code that changes one must change it back before it switches. Signal masks, and everything else the
//! kernel keeps, belong to the thread as well.
//!
//! # The thread word
//!
//! [`thread_word`] is a word of thread-local storage that is read anew each time it is asked for. A
//! `thread_local!` cannot serve code that switches: the compiler takes for granted that a function stays on one thread
//! and may reuse the old thread's address after the computation has moved to another.
//!
//! # Where to read on
//!
//! [`Port`] is the contract between this crate and a CPU, and the guide to writing the next port.
//! `tests/conformance` holds every port to it.
//!
//! # Example
//!
//! ```
//! use goroutines_asm::{Context, prepare, switch};
//!
//! struct Pair {
//!     inside: Context,
//!     outside: Context,
//! }
//!
//! unsafe extern "C" fn double(pair: usize) -> ! {
//!     let pair = pair as *mut Pair;
//!     let mut number = 0;
//!     loop {
//!         // SAFETY: outside waits in its switch to us, which has written `outside`.
//!         number = unsafe { switch(&raw mut (*pair).inside, (*pair).outside, number * 2) };
//!     }
//! }
//!
//! let mut stack = vec![0_u128; 4096];
//! let top = stack.as_mut_ptr_range().end.cast();
//! // SAFETY: `top` is aligned to 16; the 64 KiB below it are the vector's, and suffice.
//! let inside = unsafe { prepare(top, double) };
//! let pair = &raw mut *Box::leak(Box::new(Pair { inside, outside: Context::NULL }));
//!
//! // SAFETY: inside is suspended, at first in its fresh context, then in its switch to us.
//! let resume = |arg| unsafe { switch(&raw mut (*pair).outside, (*pair).inside, arg) };
//! resume(pair as usize); // the argument of the entry
//! assert_eq!(resume(21), 42);
//! assert_eq!(resume(4), 8);
//! ```
#![no_std]

#[cfg(not(any(target_pointer_width = "64", target_pointer_width = "32")))]
compile_error!("goroutines-asm is written for CPUs of 32 and 64 bits");

mod arch;
mod context;
mod interrupted;
mod port;
mod unsupported;
#[cfg(feature = "valgrind")]
pub mod valgrind;

pub use arch::{Native, TLS_BELOW_THREAD_POINTER, UNWIND_REGISTERS, UnwindRegisters};
pub use context::{Context, Suspended};
pub use interrupted::{Interrupted, SignalLayout, interrupted, interrupted_sp};
pub use port::{Chain, Entry, FrameLayout, Port, Probe, Root, Saved};

/// Returns whether the CPU keeps a shadow stack for this thread, as far as an instruction tells: see
/// [`Port::has_shadow_stack`]. A switch under one ends the process.
#[must_use]
pub fn has_shadow_stack() -> bool {
    Native::has_shadow_stack()
}

/// Makes a fresh stack into a context whose first resumption calls `entry`: see [`Port::prepare`].
///
/// # Safety
///
/// As for [`Port::prepare`].
#[inline(always)]
pub unsafe fn prepare(top: *mut u8, entry: Entry) -> Context {
    // SAFETY: `top` is an aligned end of a writable stack that nothing else uses, as this function and the port demand.
    unsafe { Native::prepare(top, entry) }
}

/// Makes a fresh stack into a context whose backtraces continue in another's: see [`Port::prepare_linked`].
///
/// # Safety
///
/// As for [`Port::prepare_linked`].
#[inline(always)]
pub unsafe fn prepare_linked(top: *mut u8, entry: Entry) -> Context {
    // SAFETY: `top` is the aligned end of an unused stack, and the word at it a suspended context while the new one runs.
    unsafe { Native::prepare_linked(top, entry) }
}

/// Suspends the running computation into `*save` and resumes `load`, handing it `arg`: see [`Port::switch`].
///
/// # Safety
///
/// As for [`Port::switch`].
#[inline(always)]
pub unsafe fn switch(save: *mut Context, load: Context, arg: usize) -> usize {
    // SAFETY: `load` is suspended and intact, `save` is writable, and the computation holds nothing of its thread.
    unsafe { switch_at::<0>(save, load, arg) }
}

/// [`switch`] for programs that count nanoseconds: each place that switches takes a number of its own, from 1, and the CPU
/// predicts it by itself. `port.rs` says why.
///
/// # Safety
///
/// As for [`Port::switch`].
#[inline(always)]
pub unsafe fn switch_at<const PLACE: usize>(
    save: *mut Context,
    load: Context,
    arg: usize,
) -> usize {
    // SAFETY: `load` is suspended and intact, `save` is writable, and the computation holds nothing of its thread, as this
    // function and the port demand.
    unsafe { Native::switch::<PLACE>(save, load, arg) }
}

/// This thread's word, null until it is set: see [`Port::thread_word`].
#[inline(always)]
pub fn thread_word() -> *mut () {
    Native::thread_word()
}

/// Sets this thread's word: see [`Port::set_thread_word`].
#[inline(always)]
pub fn set_thread_word(word: *mut ()) {
    Native::set_thread_word(word);
}

/// The stack pointer, as it is where this is inlined: see [`Port::stack_pointer`].
#[inline(always)]
pub fn stack_pointer() -> *const u8 {
    Native::stack_pointer()
}

/// A counter that goes up with the time: see [`Port::ticks`].
#[inline(always)]
#[must_use]
pub fn ticks() -> u64 {
    Native::ticks()
}

/// Returns whether [`ticks`] can serve as a clock: see [`Port::ticks_are_steady`].
#[must_use]
pub fn ticks_are_steady() -> bool {
    Native::ticks_are_steady()
}

/// Asks for the cache line at `addr`, to be written soon: see [`Port::prefetch`].
#[inline(always)]
pub fn prefetch(addr: *const u8) {
    Native::prefetch::<0>(addr);
}

/// Asks for the saved registers of the [`Context`] that is `context` as an address: see [`Port::prefetch`].
#[inline(always)]
pub fn prefetch_frame(context: *const u8) {
    Native::prefetch::<{ size_of::<<Native as Port>::Frame>() }>(context);
}

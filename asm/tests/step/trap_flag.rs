//! Stops after each instruction: the trap flag.

use crate::{below, cpu, walk};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Calls `scenes`; between `on` and `off` the CPU stops after each instruction.
pub(crate) fn everywhere(scenes: &mut dyn FnMut()) {
    scenes();
}

static IS_ON: AtomicBool = AtomicBool::new(false);

#[inline(always)]
pub(crate) fn on() {
    IS_ON.store(true, Relaxed);
    cpu::set_trap_flag();
}

/// The next stop is the last one. Here the stack pointer must not move: the compiler's tables would not know.
#[inline(always)]
pub(crate) fn off() {
    IS_ON.store(false, Relaxed);
}

/// Stops at the place again.
#[inline(always)]
pub(crate) fn again() {}

/// Returns whether the compiler's tables are right where the code was stopped.
fn is_precise(context: &libc::ucontext_t) -> bool {
    let [ip, ..] = cpu::registers(context);
    !cpu::is_imprecise(ip)
}

/// The handler calls this before it unwinds. `context` is the kernel's, of the code that was stopped.
pub(crate) unsafe extern "C" fn begin(context: *mut libc::ucontext_t) {
    // SAFETY: of a handler that has not returned.
    unsafe {
        walk::begin(context);
        if is_precise(&*context) {
            below::overwrite(&*context);
        }
    }
}

/// The handler calls this when it has unwound.
pub(crate) unsafe extern "C" fn end(context: *mut libc::ucontext_t) {
    // SAFETY: of a handler that has not returned.
    let context = unsafe { &mut *context };
    if is_precise(context) {
        below::restore(context);
        walk::end();
    }
    if !IS_ON.load(Relaxed) {
        context.uc_mcontext.gregs[libc::REG_EFL as usize] &= !0x100;
    }
}

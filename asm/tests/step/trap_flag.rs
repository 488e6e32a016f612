//! Stops after each instruction: the trap flag.

use crate::{cpu, walk};
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

/// The handler calls this before it unwinds. `context` is the kernel's, of the code that was stopped.
pub(crate) unsafe extern "C" fn begin(context: *mut libc::ucontext_t) {
    // SAFETY: of a handler that has not returned.
    unsafe { walk::begin(context) };
}

/// The handler calls this when it has unwound.
pub(crate) unsafe extern "C" fn end(context: *mut libc::ucontext_t) {
    // SAFETY: of a handler that has not returned.
    let [ip, ..] = cpu::registers(unsafe { &*context });
    if !cpu::is_imprecise(ip) {
        walk::end();
    }
    if !IS_ON.load(Relaxed) {
        // SAFETY: it lies in the handler's frame and is put back into the registers when that returns.
        unsafe { (*context).uc_mcontext.gregs[libc::REG_EFL as usize] &= !0x100 };
    }
}

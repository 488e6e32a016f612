//! Stops after each instruction: the trap flag.

use crate::walk;
use goroutines_asm::interrupted;
use std::arch::{asm, naked_asm};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Calls `scenes`; between `on` and `off` the CPU stops after each instruction.
pub(crate) fn everywhere(scenes: &mut dyn FnMut()) {
    scenes();
}

static IS_ON: AtomicBool = AtomicBool::new(false);

#[inline(always)]
pub(crate) fn on() {
    IS_ON.store(true, Relaxed);
    // SAFETY: sets the trap flag; the handler is installed. The stack is declared to be used.
    unsafe { asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
}

/// The next stop is the last one. Here the stack pointer must not move: the compiler's tables would not know.
#[inline(always)]
pub(crate) fn off() {
    IS_ON.store(false, Relaxed);
}

/// Stops at the place again.
#[inline(always)]
pub(crate) fn again() {}

/// `context` is the kernel's, of the code that was stopped.
unsafe extern "C" fn end(context: *mut libc::ucontext_t) {
    walk::end();
    // SAFETY: the kernel's context, of a handler that has not returned.
    let (found, registers) =
        unsafe { (interrupted(context.cast()), &(*context).uc_mcontext.gregs) };
    let [ip, sp, fp] =
        [libc::REG_RIP, libc::REG_RSP, libc::REG_RBP].map(|at| registers[at as usize] as usize);
    assert_eq!((found.ip, found.sp, found.fp, found.link), (ip, sp, fp, ip));
    if !IS_ON.load(Relaxed) {
        // SAFETY: it lies in the handler's frame and is put back into the registers when that returns.
        unsafe { (*context).uc_mcontext.gregs[libc::REG_EFL as usize] &= !0x100 };
    }
}

/// The handler. It has tables, whatever the rest of the program has: walks begin in it.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn handler(_: i32, _: *mut c_void, _: *mut c_void) {
    naked_asm!(
        ".cfi_startproc",
        "push rdx", // the interrupted context, and the stack is aligned
        ".cfi_adjust_cfa_offset 8",
        "call {begin}",
        "lea rdi, [rip + {visit}]",
        "xor esi, esi",
        "call {unwind}",
        "pop rdi",
        ".cfi_adjust_cfa_offset -8",
        "jmp {end}",
        ".cfi_endproc",
        begin = sym walk::begin,
        visit = sym walk::visit,
        unwind = sym walk::_Unwind_Backtrace,
        end = sym end,
    )
}

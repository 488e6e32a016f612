//! What stops, instructions and registers are on aarch64.

use crate::stop::{self, Instruction};
use crate::{unwinder, walk};
use std::arch::{asm, naked_asm};
use std::ffi::c_void;

/// The number that unwinders have for a callee-saved register; none for those that hold no addresses.
pub(crate) fn number(name: &str) -> Option<i32> {
    name.strip_prefix('x')?.parse().ok()
}

/// Instruction pointer, stack pointer, frame pointer and link register of the code that was stopped.
pub(crate) fn registers(context: &libc::ucontext_t) -> [usize; 4] {
    let all = &context.uc_mcontext;
    [all.pc, all.sp, all.regs[29], all.regs[30]].map(|register| register as usize)
}

/// The instruction at `place`, and `brk #0`.
pub(crate) fn instruction(_place: *const u8) -> Instruction {
    Instruction {
        length: 4,
        breakpoint: const { &0xd420_0000_u32.to_le_bytes() },
    }
}

/// Tells the caches that the code at `place` has changed.
pub(crate) fn code_has_changed(place: *const u8) {
    // SAFETY: an address of this program.
    unsafe { asm!("dc cvau, {0}", "dsb ish", "ic ivau, {0}", "dsb ish", "isb", in(reg) place) };
}

/// The handler. It has tables, whatever the rest of the program has: walks begin in it.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn handler(_: i32, _: *mut c_void, _: *mut c_void) {
    naked_asm!(
        ".cfi_startproc",
        "stp x2, x30, [sp, #-16]!", // x2 is the interrupted context
        ".cfi_def_cfa_offset 16",
        ".cfi_offset x30, -8",
        "mov x0, x2",
        "bl {begin}",
        "adrp x0, {visit}",
        "add x0, x0, :lo12:{visit}",
        "mov x1, xzr",
        "bl {unwind}",
        "ldp x0, x30, [sp], #16",
        ".cfi_def_cfa_offset 0",
        ".cfi_restore x30",
        "b {end}",
        ".cfi_endproc",
        begin = sym stop::begin,
        visit = sym walk::visit,
        unwind = sym unwinder::_Unwind_Backtrace,
        end = sym stop::end,
    )
}

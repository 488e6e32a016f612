//! What stops, and registers, are on x86_64.

use crate::stop;
use crate::{unwinder, walk};
use std::arch::{asm, naked_asm};
use std::ffi::c_void;

/// The number that unwinders have for a callee-saved register.
pub(crate) fn number(name: &str) -> Option<i32> {
    match name {
        "rbx" => Some(3),
        "rbp" => Some(6),
        _ => name.strip_prefix('r')?.parse().ok(),
    }
}

/// Instruction pointer, stack pointer, frame pointer and link register of the code that was stopped.
pub(crate) fn registers(context: &libc::ucontext_t) -> [usize; 4] {
    [libc::REG_RIP, libc::REG_RSP, libc::REG_RBP, libc::REG_RIP]
        .map(|register| context.uc_mcontext.gregs[register as usize] as usize)
}

#[inline(always)]
pub(crate) fn set_trap_flag() {
    // SAFETY: the handler of the stops is installed. The stack is declared to be used.
    unsafe { asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
}

/// Returns whether the compiler's own tables are imprecise at `ip`.
pub(crate) fn is_imprecise(_ip: usize) -> bool {
    false
}

/// The handler. It has tables, whatever the rest of the program has: walks begin in it.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn handler(_: i32, _: *mut c_void, _: *mut c_void) {
    naked_asm!(
        ".cfi_startproc",
        "push rdx", // the interrupted context, and the stack is aligned
        ".cfi_adjust_cfa_offset 8",
        "mov rdi, rdx",
        "call {begin}",
        "lea rdi, [rip + {visit}]",
        "xor esi, esi",
        "call {unwind}",
        "pop rdi",
        ".cfi_adjust_cfa_offset -8",
        "jmp {end}",
        ".cfi_endproc",
        begin = sym stop::begin,
        visit = sym walk::visit,
        unwind = sym unwinder::_Unwind_Backtrace,
        end = sym stop::end,
    )
}

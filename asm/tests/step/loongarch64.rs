//! What stops, instructions and registers are on loongarch64.

use crate::stop::{self, Instruction};
use crate::{unwinder, walk};
use goroutines_asm::{Native, Port};
use std::arch::{asm, naked_asm};
use std::ffi::c_void;

/// The number that unwinders have for a callee-saved register; none for those that hold no addresses.
pub(crate) fn number(name: &str) -> Option<i32> {
    name.strip_prefix('r')?.parse().ok()
}

/// Instruction pointer, stack pointer, frame pointer and link register of the code that was stopped.
pub(crate) fn registers(context: &libc::ucontext_t) -> [usize; 4] {
    let all = &context.uc_mcontext;
    [all.__pc, all.__gregs[3], all.__gregs[22], all.__gregs[1]].map(|register| register as usize)
}

/// The instruction at `place`, and `break 0`. LLVM writes no tables for the end of a function: from where the stack pointer is
/// put back, after frame pointer and ra, to the return. There is no breakpoint there.
pub(crate) fn instruction(place: *const u8) -> Instruction {
    const RETURN: u32 = 0x4c00_0020;
    let next = place.cast::<u32>();
    // SAFETY: code of this program, which does not end with a function of the tests.
    let is_end = (0..3).any(|ahead| unsafe { next.add(ahead).read() } == RETURN);
    let is_ours = unwinder::function(place as usize) == Native::PROBE as usize;
    Instruction {
        length: 4,
        breakpoint: match is_end && !is_ours {
            true => &[],
            false => const { &0x002a_0000_u32.to_le_bytes() },
        },
    }
}

/// Tells the caches that the code at `place` has changed: those of all CPUs are coherent, what is fetched already is not.
pub(crate) fn code_has_changed(_place: *const u8) {
    // SAFETY: changes nothing that a program can observe but the code that runs.
    unsafe { asm!("ibar 0") };
}

/// The handler. It has tables, whatever the rest of the program has: walks begin in it.
///
/// They say that the handler was called by the code that was stopped, with the registers that the kernel has saved: pc at 176
/// bytes from the start of its context, r0 to r31 behind it. What returns from a signal is left out: in qemu 10 its tables
/// take r2 for the stack pointer. A caller needs its ra, so pc goes by way of r0.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn handler(_: i32, _: *mut c_void, _: *mut c_void) {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_signal_frame",
        ".cfi_return_column $zero",
        "addi.d $sp, $sp, -16",
        "st.d $ra, $sp, 8",
        "st.d $a2, $sp, 0",                 // the interrupted context
        ".cfi_escape 0x0f, 3, 0x73, 0, 6", // DW_CFA_def_cfa_expression: DW_OP_breg3 (sp) 0, DW_OP_deref
        ".cfi_offset $zero, 176",
        ".irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
        ".cfi_offset $r\\n, 184 + 8 * \\n",
        ".endr",
        "move $a0, $a2",
        "call36 {begin}",
        "la.local $a0, {visit}",
        "move $a1, $zero",
        "call36 {unwind}",
        "ld.d $a0, $sp, 0",
        "ld.d $ra, $sp, 8",
        "addi.d $sp, $sp, 16",
        "tail36 $t0, {end}",
        ".cfi_endproc",
        begin = sym stop::begin,
        visit = sym walk::visit,
        unwind = sym unwinder::_Unwind_Backtrace,
        end = sym stop::end,
    )
}

//! What stops, instructions and registers are on powerpc64le.

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
    [32, 1, 31, 36].map(|register| context.uc_mcontext.gp_regs[register] as usize)
}

/// The instruction at `place`, and `trap`.
///
/// The compiler's own tables are imprecise where functions begin and end: they tell of a stack pointer that has not moved
/// yet, or is back already. In compiled functions we stop in inlined switches alone.
pub(crate) fn instruction(place: *const u8) -> Instruction {
    // `bcl 20, 31`; `mflr 6`; `addi 6, 6`, of any number; `b` to anywhere.
    const INLINED: [[u32; 2]; 4] = [
        [!0, 0x429f_0005],
        [!0, 0x7cc8_02a6],
        [0xffff_0000, 0x38c6_0000],
        [0xfc00_0003, 0x4800_0000],
    ];
    const TRAP: [u8; 4] = 0x7fe0_0008_u32.to_le_bytes();
    // SAFETY: code of this program.
    let code = unsafe { place.cast::<u32>().read() };
    let ours = [
        Native::body::<0>() as usize,
        Native::ROOT as usize,
        Native::LINKED_ROOT as usize,
        Native::PROBE as usize,
    ];
    let stops = ours.contains(&unwinder::function(place as usize))
        || INLINED.iter().any(|[mask, is]| code & mask == *is);
    Instruction {
        length: 4,
        breakpoint: if stops { &TRAP } else { &[] },
    }
}

/// Tells the caches that the code at `place` has changed.
pub(crate) fn code_has_changed(place: *const u8) {
    // SAFETY: an address of this program.
    unsafe { asm!("dcbst 0, {0}", "sync", "icbi 0, {0}", "sync", "isync", in(reg) place) };
}

/// The handler. Its tables do not say that the kernel has called it, but that the code that was stopped has: all registers are
/// where the kernel has put them, in the structure that r5 points at, and later the word 32 bytes above r1. So walks do not
/// depend on what the kernel, or an emulator, makes for the return of handlers.
///
/// The escapes are `DW_CFA_def_cfa_expression` (15) and `DW_CFA_expression` (16): `DW_OP_breg1` 32, `DW_OP_deref`,
/// `DW_OP_plus_uconst` of two bytes, and for the frame address `DW_OP_deref`. The return column is that of ctr, for lr is one
/// of the registers.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn handler(_: i32, _: *mut c_void, _: *mut c_void) {
    naked_asm!(
        ".macro is_at column, index", // the register of a column, in the array of the kernel's structure
        ".cfi_escape 16, \\column, 6, 0x71, 32, 0x06, 0x23, 0x80 | ((232 + 8 * \\index) & 127), (232 + 8 * \\index) >> 7",
        ".endm",
        "2: addis 2, 12, .TOC.-2b@ha",
        "addi 2, 2, .TOC.-2b@l",
        ".cfi_startproc",
        ".cfi_signal_frame",
        ".cfi_return_column 66",
        ".cfi_escape 15, 7, 0x71, 32, 0x06, 0x23, 0x80 | (240 & 127), 240 >> 7, 0x06",
        ".irp n, 0,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
        "is_at \\n, \\n",
        ".endr",
        "is_at 66, 32",
        "is_at 65, 36",
        ".purgem is_at",
        "mflr 0",
        "std 0, 16(1)",
        "stdu 1, -48(1)",
        "std 5, 32(1)",
        "mr 3, 5",
        "bl {begin}",
        "nop",
        "addis 3, 2, {visit}@toc@ha",
        "addi 3, 3, {visit}@toc@l",
        "li 4, 0",
        "bl {unwind}",
        "nop",
        "ld 3, 32(1)",
        "bl {end}",
        "nop",
        "addi 1, 1, 48",
        "ld 0, 16(1)",
        "mtlr 0",
        "blr",
        ".cfi_endproc",
        begin = sym stop::begin,
        visit = sym walk::visit,
        unwind = sym unwinder::_Unwind_Backtrace,
        end = sym stop::end,
    )
}

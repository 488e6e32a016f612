//! What stops, instructions and registers are on riscv64.

use crate::stop::{self, Instruction};
use crate::{unwinder, walk};
use std::arch::{asm, naked_asm};
use std::ffi::c_void;

/// The number that unwinders have for a callee-saved register; none for those that hold no addresses.
pub(crate) fn number(name: &str) -> Option<i32> {
    match name {
        "s0" => Some(8),
        "s1" => Some(9),
        _ => name.strip_prefix('s')?.parse().map(|n: i32| n + 16).ok(),
    }
}

/// Instruction pointer, stack pointer, frame pointer and link register of the code that was stopped.
pub(crate) fn registers(context: &libc::ucontext_t) -> [usize; 4] {
    // pc stands for x0.
    [0, 2, 8, 1].map(|register| context.uc_mcontext.__gregs[register] as usize)
}

/// The instruction at `place`, which is compressed if its lowest bits are not both set, and `ebreak`.
pub(crate) fn instruction(place: *const u8) -> Instruction {
    // SAFETY: code of this program.
    let is_long = unsafe { place.read() } & 3 == 3;
    match is_long {
        true => Instruction {
            length: 4,
            breakpoint: const { &0x0010_0073_u32.to_le_bytes() },
        },
        false => Instruction {
            length: 2,
            breakpoint: const { &0x9002_u16.to_le_bytes() },
        },
    }
}

/// Tells the caches that the code at `place` has changed: those of all CPUs, for the thread may move. The emulator does not
/// know the call, and needs none.
pub(crate) fn code_has_changed(place: *const u8) {
    const FLUSH: libc::c_long = 259;
    // SAFETY: neither changes anything that a program can observe but the code that runs.
    unsafe {
        asm!("fence.i");
        libc::syscall(FLUSH, place, place.wrapping_add(4), 0);
    }
}

/// The handler. It has tables, whatever the rest of the program has: walks begin in it.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn handler(_: i32, _: *mut c_void, _: *mut c_void) {
    naked_asm!(
        ".cfi_startproc",
        "addi sp, sp, -16",
        ".cfi_def_cfa_offset 16",
        "sd ra, 8(sp)",
        ".cfi_offset ra, -8",
        "sd a2, (sp)", // the interrupted context
        "mv a0, a2",
        "call {begin}",
        "lla a0, {visit}",
        "li a1, 0",
        "call {unwind}",
        "ld a0, (sp)",
        "ld ra, 8(sp)",
        "addi sp, sp, 16",
        ".cfi_def_cfa_offset 0",
        ".cfi_restore ra",
        "tail {end}",
        ".cfi_endproc",
        begin = sym stop::begin,
        visit = sym walk::visit,
        unwind = sym unwinder::_Unwind_Backtrace,
        end = sym stop::end,
    )
}

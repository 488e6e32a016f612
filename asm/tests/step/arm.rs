//! What stops, instructions and registers are on arm.

use crate::stop::{self, Instruction};
use crate::unwinder;
use crate::walk;
use goroutines_asm::{Native, Port};
use std::arch::naked_asm;
use std::ffi::c_void;

/// The number that unwinders have for a callee-saved register; none for those that hold no addresses.
pub(crate) fn number(name: &str) -> Option<i32> {
    name.strip_prefix('r')?.parse().ok()
}

/// Instruction pointer, stack pointer, frame pointer and link register of the code that was stopped.
pub(crate) fn registers(context: &libc::ucontext_t) -> [usize; 4] {
    let all = &context.uc_mcontext;
    [all.arm_pc, all.arm_sp, all.arm_fp, all.arm_lr].map(|register| register as usize)
}

/// The instruction at `place`, and that which Linux takes for a breakpoint.
///
/// Tables of EHABI are right at calls. So there is none in compiled functions but for the jump to the body, and in the root of
/// a linked context none before its record is whole.
pub(crate) fn instruction(place: *const u8) -> Instruction {
    const RECORD: usize = 5 * 4;
    // SAFETY: code of this program.
    let word = unsafe { place.cast::<i32>().read() };
    let function = unwinder::function(place as usize);
    let is_described = if function == Native::LINKED_ROOT as usize {
        place as usize - function >= RECORD
    } else if function == Native::ROOT as usize || function == Native::body::<0>() as usize {
        true
    } else {
        // A jump: its target, in words from two instructions further on.
        let target = place.wrapping_offset(8 + ((word << 8) >> 6) as isize);
        word.cast_unsigned() >> 24 == 0xea && target == Native::body::<0>().wrapping_add(4)
    };
    Instruction {
        length: 4,
        breakpoint: match is_described {
            true => const { &0xe7f0_01f0_u32.to_le_bytes() },
            false => &[],
        },
    }
}

/// Tells the caches that the code at `place` has changed.
pub(crate) fn code_has_changed(place: *const u8) {
    const FLUSH: libc::c_long = 0xf_0002;
    // SAFETY: changes nothing that a program can observe but the code that runs.
    unsafe { libc::syscall(FLUSH, place, place.wrapping_add(4), 0) };
}

/// The handler. It has tables, whatever the rest of the program has: walks begin in it.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn handler(_: i32, _: *mut c_void, _: *mut c_void) {
    naked_asm!(
        ".fnstart",
        "push {{r4, lr}}",
        ".save {{r4, lr}}",
        "mov r4, r2", // the interrupted context
        "mov r0, r2",
        "bl {begin}",
        "ldr r0, 3f",
        "2: add r0, pc, r0",
        "mov r1, #0",
        "bl {unwind}",
        "mov r0, r4",
        "pop {{r4, lr}}",
        "b {end}",
        "3: .word {visit} - (2b + 8)",
        ".fnend",
        begin = sym stop::begin,
        visit = sym walk::visit,
        unwind = sym unwinder::_Unwind_Backtrace,
        end = sym stop::end,
    )
}

//! What stops, instructions and registers are on s390x.

use crate::stop::{self, Instruction};
use crate::{unwinder, walk};
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
    [all.psw.addr, all.gregs[15], all.gregs[11], all.gregs[14]].map(|register| register as usize)
}

/// The instruction at `place`, whose highest bits tell its length, and one that is no instruction.
///
/// The compiler's own tables are imprecise at the end of a function: they do not tell that the registers are the caller's
/// already. There we do not stop.
pub(crate) fn instruction(place: *const u8) -> Instruction {
    const RETURN: [u8; 2] = [0x07, 0xfe];
    // SAFETY: code of this program, of which an instruction is at least as long.
    let bytes = unsafe { place.cast::<[u8; 2]>().read() };
    let is_ours = unwinder::function(place as usize) == Native::PROBE as usize;
    Instruction {
        length: match bytes[0] >> 6 {
            0 => 2,
            1 | 2 => 4,
            _ => 6,
        },
        breakpoint: if bytes == RETURN && !is_ours {
            &[]
        } else {
            &[0, 0]
        },
    }
}

/// The CPU sees by itself that code has changed.
pub(crate) fn code_has_changed(_place: *const u8) {}

/// The CPU says that it was stopped behind the instruction.
unsafe extern "C" fn end(context: *mut libc::ucontext_t) {
    // SAFETY: the kernel's context, of a handler that has not returned, which gives it back to the CPU.
    unsafe {
        stop::end(context);
        (*context).uc_mcontext.psw.addr = stop::place() as u64;
    }
}

/// The handler. It has tables, whatever the rest of the program has: walks begin in it.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn handler(_: i32, _: *mut c_void, _: *mut c_void) {
    naked_asm!(
        ".cfi_startproc",
        "stmg %r14, %r15, 112(%r15)",
        ".cfi_offset %r14, -48",
        ".cfi_offset %r15, -40",
        "aghi %r15, -168",
        ".cfi_adjust_cfa_offset 168",
        "stg %r4, 160(%r15)", // the interrupted context
        "lgr %r2, %r4",
        "brasl %r14, {begin}",
        "larl %r2, {visit}",
        "lghi %r3, 0",
        "brasl %r14, {unwind}@plt",
        "lg %r2, 160(%r15)",
        "aghi %r15, 168",
        ".cfi_adjust_cfa_offset -168",
        "lmg %r14, %r15, 112(%r15)",
        ".cfi_restore %r14",
        ".cfi_restore %r15",
        "jg {end}",
        ".cfi_endproc",
        begin = sym stop::begin,
        visit = sym walk::visit,
        unwind = sym unwinder::_Unwind_Backtrace,
        end = sym end,
    )
}

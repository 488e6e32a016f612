//! What stops, and registers, are on i686.

use crate::{stop, unwinder, walk};
use goroutines_asm::{Native, Port};
use std::arch::{asm, naked_asm};
use std::ffi::c_void;

/// The number that unwinders have for a callee-saved register.
pub(crate) fn number(name: &str) -> Option<i32> {
    ["ebx", "", "ebp", "esi", "edi"]
        .iter()
        .position(|register| *register == name)
        .map(|index| index as i32 + 3)
}

/// Instruction pointer, stack pointer, frame pointer and link register of the code that was stopped.
pub(crate) fn registers(context: &libc::ucontext_t) -> [usize; 4] {
    [libc::REG_EIP, libc::REG_ESP, libc::REG_EBP, libc::REG_EIP]
        .map(|register| context.uc_mcontext.gregs[register as usize] as usize)
}

#[inline(always)]
pub(crate) fn set_trap_flag() {
    // SAFETY: the handler of the stops is installed. The stack is declared to be used.
    unsafe { asm!("pushfd", "or dword ptr [esp], 0x100", "popfd") };
}

/// Returns whether the compiler's own tables are imprecise at `ip`: behind a call that has taken an argument off the stack,
/// until `sub esp, 4` puts it back; and in an epilogue, for they say that the registers lie where pops have been already.
pub(crate) fn is_imprecise(ip: usize) -> bool {
    let ours = [
        Native::body::<0>() as usize,
        Native::ROOT as usize,
        Native::LINKED_ROOT as usize,
        Native::PROBE as usize,
    ];
    // SAFETY: an instruction was about to run there, and what follows in a section of code may be read.
    let byte = |offset: isize| unsafe { *(ip as *const u8).offset(offset) };
    let is_behind_call =
        [0, 1, 2].map(byte) == [0x83, 0xec, 4] && (byte(-5) == 0xe8 || byte(-6) == 0xff);
    let is_pop = |offset: &isize| (0x58..0x60).contains(&byte(*offset));
    let pops = (0..4).take_while(is_pop).count() as isize;
    !ours.contains(&unwinder::function(ip))
        && (is_behind_call || [0xc2, 0xc3].contains(&byte(pops)))
}

/// The type of `_Unwind_Backtrace`.
type Unwinder =
    unsafe extern "C" fn(extern "C" fn(*mut c_void, *mut c_void) -> i32, *mut c_void) -> i32;

/// The handler. It has tables, whatever the rest of the program has: walks begin in it.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn handler(_: i32, _: *mut c_void, _: *mut c_void) {
    naked_asm!(
        ".cfi_startproc",
        "push ebx",
        ".cfi_adjust_cfa_offset 4",
        ".cfi_offset ebx, -8",
        "mov ebx, [esp + 16]", // the interrupted context
        "sub esp, 8",          // two arguments, and the stack is aligned
        ".cfi_adjust_cfa_offset 8",
        "mov [esp], ebx",
        "call {begin}",
        "call {visit}",
        "mov [esp], eax",
        "mov dword ptr [esp + 4], 0",
        "call {backtrace}",
        "call eax",
        "mov [esp], ebx",
        "call {end}",
        "add esp, 8",
        ".cfi_adjust_cfa_offset -8",
        "pop ebx",
        ".cfi_adjust_cfa_offset -4",
        ".cfi_restore ebx",
        "ret",
        ".cfi_endproc",
        begin = sym stop::begin,
        visit = sym visit,
        backtrace = sym backtrace,
        end = sym stop::end,
    )
}

/// The function that the unwinder is to call: the CPU has no addresses relative to the instruction.
extern "C" fn visit() -> extern "C" fn(*mut c_void, *mut c_void) -> i32 {
    walk::visit
}

/// `_Unwind_Backtrace`. Not by a call from the handler's text: what a linker makes of one to another library needs ebx.
extern "C" fn backtrace() -> Unwinder {
    unwinder::_Unwind_Backtrace
}

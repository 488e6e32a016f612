//! Stops at one instruction after another: breakpoints, written over the code.

use crate::{scenes, walk};
use goroutines_asm::interrupted;
use std::arch::{asm, naked_asm};
use std::ffi::c_void;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

/// `brk #0`.
const BREAKPOINT: u32 = 0xd420_0000;

/// Where we stop, and what the program has there. Relaxed everywhere: handler and test are one thread.
static PLACE: AtomicUsize = AtomicUsize::new(0);
static INSTRUCTION: AtomicU32 = AtomicU32::new(0);
static IS_ON: AtomicUsize = AtomicUsize::new(0);

fn write(instruction: u32) {
    let place = PLACE.load(Relaxed);
    // SAFETY: `everywhere` has made the page writable, and no other thread runs this code. Caches are told.
    unsafe {
        (place as *mut u32).write_volatile(instruction);
        asm!("dc cvau, {0}", "dsb ish", "ic ivau, {0}", "dsb ish", "isb", in(reg) place);
    }
}

/// Calls `scenes` for each instruction of all functions that count, with stops at that instruction.
pub(crate) fn everywhere(scenes: &mut dyn FnMut()) {
    const PAGE: usize = 64 << 10;
    for function in scenes::functions() {
        let mut place = function;
        while walk::function(place) == function {
            let access = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
            // SAFETY: sysconf has no preconditions.
            let done = unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize };
            let page = place & !(done - 1);
            assert!(done <= PAGE);
            // SAFETY: the page holds code of this program, and stays readable and executable.
            let result = unsafe { libc::mprotect(page as *mut c_void, done, access) };
            assert_eq!(result, 0, "mprotect: {}", io::Error::last_os_error());
            PLACE.store(place, Relaxed);
            // SAFETY: an instruction, aligned.
            INSTRUCTION.store(unsafe { (place as *const u32).read() }, Relaxed);
            scenes();
            write(INSTRUCTION.load(Relaxed));
            place += 4;
        }
    }
}

pub(crate) fn on() {
    IS_ON.store(1, Relaxed);
    write(BREAKPOINT);
}

pub(crate) fn off() {
    IS_ON.store(0, Relaxed);
    write(INSTRUCTION.load(Relaxed));
}

/// Stops at the place again.
pub(crate) fn again() {
    if IS_ON.load(Relaxed) == 1 {
        write(BREAKPOINT);
    }
}

/// `context` is the kernel's, of the code that was stopped.
///
/// The memory below its stack pointer is not in use. The kernel's own frame begins there if the handler has no stack, but
/// leaves the first words as they were: so they are overwritten here, up to the link at its top.
unsafe extern "C" fn begin(context: *mut libc::ucontext_t) {
    walk::begin();
    // SAFETY: the kernel's structure, in the handler's frame.
    let (found, registers) = unsafe { (interrupted(context.cast()), (*context).uc_mcontext) };
    let [ip, sp, fp, link] = [
        registers.pc,
        registers.sp,
        registers.regs[29],
        registers.regs[30],
    ]
    .map(|register| register as usize);
    assert_eq!(
        (found.ip, found.sp, found.fp, found.link),
        (ip, sp, fp, link)
    );
    if (context as usize..context as usize + (16 << 10)).contains(&sp) {
        // SAFETY: the end of the structure's reserved space, which no record reaches.
        unsafe { ((sp - 32) as *mut [usize; 2]).write_volatile([8; 2]) };
    }
}

extern "C" fn end() {
    walk::end();
    write(INSTRUCTION.load(Relaxed));
}

/// The handler. It has tables, whatever the rest of the program has: walks begin in it.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn handler(_: i32, _: *mut c_void, _: *mut c_void) {
    naked_asm!(
        ".cfi_startproc",
        "stp x29, x30, [sp, #-16]!",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset x30, -8",
        ".cfi_offset x29, -16",
        "mov x0, x2",
        "bl {begin}",
        "adrp x0, {visit}",
        "add x0, x0, :lo12:{visit}",
        "mov x1, xzr",
        "bl {unwind}",
        "bl {end}",
        "ldp x29, x30, [sp], #16",
        ".cfi_def_cfa_offset 0",
        ".cfi_restore x29",
        ".cfi_restore x30",
        "ret",
        ".cfi_endproc",
        begin = sym begin,
        visit = sym walk::visit,
        unwind = sym walk::_Unwind_Backtrace,
        end = sym end,
    )
}

//! arm, ARMv7 with hard float, in ARM state. `common.rs` has the drawing.
//!
//! | | |
//! |---|---|
//! | [`Frame`] | r6 (the base register), r11 (the frame pointer), `resume`, a word that keeps sp a multiple of 8 |
//! | during a switch | r0 carries the argument, r1 is `save`, r2 is `load`, r3 holds where the suspended code resumes, r12 is free and then the jump's target |
//! | not saved | FPSCR |
//! | not supported | Thumb state: there the compiler reserves r7, which the list of clobbers has, and refuses it |
//!
//! The tables of this CPU, of EHABI, say one thing of a whole function, and cannot say that the return address is in a
//! register. So backtraces that begin in `switch_body` end there. Unwinders look an address up minus two, that of a signal
//! as well: the first instruction of a function belongs to the function before. So a trap begins the body, like the roots.
//! It is entered behind it.

use super::common::{Native, frame, prefetch, register, roots, thread_word};
use crate::port::{Probe, Root, compiled_switch};
use crate::{Context, Port, SignalLayout};
use core::arch::{asm, naked_asm};

// `resume` behind a trap: an unwinder looks it up minus two, and is to find the root.
frame!(align(8) base, fp, resume; root + 4);

// SAFETY: `switch` declares clobbered, or saves, every register of the ABI; tests/conformance runs all promises.
unsafe impl Port for Native {
    type Frame = Frame;
    const NAME: &'static str = "arm";
    // uc_flags, uc_link, uc_stack: 20 bytes; then three words, r0 to r10, fp, ip, sp, lr, pc.
    const SIGNAL_CONTEXT: SignalLayout = SignalLayout::words_from(20, [18, 16, 14, 17]);
    const RED_ZONE: usize = 0;
    const STACK_ALIGN: usize = 8;
    const UNWINDS_IN_SWITCH: bool = false;
    const CALLEE_SAVED: &'static [&'static str] = &[
        "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "d8", "d9", "d10", "d11", "d12", "d13",
        "d14", "d15",
    ];
    const ROOT: Root = root;
    const LINKED_ROOT: Root = linked_root;
    const PROBE: Probe = probe;
    const ROOT_LENGTH: usize = 12;
    const LINKED_ROOT_LENGTH: usize = 32;
    const BODY_LENGTH: usize = 15 * 4;

    #[inline(always)]
    unsafe fn switch<const PLACE: usize>(save: *mut Context, load: Context, arg: usize) -> usize {
        let received;
        // SAFETY: moving sp is allowed as `nostack` is not given. Every register is an operand, a clobber, or restored
        // from the frame before the code at 2 runs. `load` is a frame that nothing else uses (`Port::switch`).
        unsafe {
            asm!(
                "adr r3, 2f",
                "b {body} + 4", // behind the trap
                "2:",
                body = sym switch_body::<PLACE>,
                inlateout("r0") arg => received,
                in("r1") save,
                in("r2") load.top_of_frame(),
                // What a call may overwrite: r0-r3, r12, lr, d0-d7, d16-d31.
                clobber_abi("C"),
                // What a call may not overwrite, except r6 and r11, which the compiler reserves.
                out("r4") _, out("r5") _, out("r7") _, out("r8") _, out("r9") _, out("r10") _,
                out("d8") _, out("d9") _, out("d10") _, out("d11") _, out("d12") _, out("d13") _,
                out("d14") _, out("d15") _,
            );
        }
        received
    }

    fn body<const PLACE: usize>() -> *const u8 {
        switch_body::<PLACE> as *const u8
    }

    register!(stack_pointer, "mov {}, sp");
    register!(frame_pointer, "mov {}, r11");
    prefetch!("pld [{}, #-{}]");

    /// The monotonic clock, by a system call: not all CPUs have a counter that programs may read.
    fn ticks() -> u64 {
        let mut time = [0_u32; 2];
        // SAFETY: `clock_gettime` of CLOCK_MONOTONIC writes seconds and nanoseconds to `time`.
        unsafe {
            asm!("svc 0", in("r7") 263, inlateout("r0") 1 => _, in("r1") &raw mut time, options(nostack));
        }
        u64::from(time[0]) * 1_000_000_000 + u64::from(time[1])
    }

    fn ticks_are_steady() -> bool {
        false
    }

    // The offset of the word from the thread pointer is in the table to which a literal behind the code leads.
    thread_word!(
        load(at) "ldr {at}, 3f", "2: ldr {at}, [pc, {at}]", "mrc p15, 0, {word}, c13, c0, 3", "ldr {word}, [{word}, {at}]",
            "b 4f", "3: .word {name}.thread_word(GOTTPOFF) + (. - 2b - 8)", "4:";
        store(at thread) "ldr {at}, 3f", "2: ldr {at}, [pc, {at}]", "mrc p15, 0, {thread}, c13, c0, 3",
            "str {word}, [{thread}, {at}]", "b 4f", "3: .word {name}.thread_word(GOTTPOFF) + (. - 2b - 8)", "4:";
    );
}

/// The switch. Jumped to, not called; to an unwinder the outermost frame: 0x80, 0 is the instruction that refuses.
#[unsafe(naked)]
unsafe extern "C" fn switch_body<const PLACE: usize>() {
    naked_asm!(
        ".fnstart",
        ".unwind_raw 0, 0x80, 0",
        "udf #0",
        "mov r12, sp",
        "sub sp, sp, #16",
        "stm sp, {{r6, r11}}",
        "str r3, [sp, #8]",
        "str r12, [r1]",
        "ldmdb r2, {{r6, r11, r12, lr}}", // r12 gets `resume`, lr what is not used
        // "Why registers are cleared" in port.rs. It is nearly free.
        ".irp n, 4,5,7,8,9,10",
        "mov r\\n, #0",
        ".endr",
        "mov sp, r2",
        "bx r12",
        ".fnend",
    )
}

// The first trap never runs. Behind that of a linked root comes its record. Unwinders read the bytes: 0x80, 0 refuses; else
// they pass the record, take the context for the stack pointer by way of r4, go to its frame, and load r6, r11 and pc.
roots! {
    begin: "udf #0";
    code: "blx r6", "udf #0", ".fnend";
    outermost: ".cfi_undefined lr", ".fnstart", ".unwind_raw 0, 0x80, 0";
    linked: ".cfi_escape 0x0f, 3, 0x7d, 0, 0x06", ".cfi_offset lr, -8", ".cfi_offset r11, -12", ".cfi_offset r6, -16",
        ".fnstart", ".unwind_raw 0, 0x01, 0xa0, 0x94, 0x43, 0x88, 0x84, 0x00";
    record: "ldr r12, [sp]", "ldr r3, [r12, #-12]", "ldr lr, [r12, #-8]", "push {{r3, lr}}",
        ".cfi_escape 0x0f, 3, 0x7d, 8, 0x06", "mov r11, sp";
}

/// [`Port::probe`]. The callee-saved registers of the caller are kept on the stack meanwhile.
#[unsafe(naked)]
unsafe extern "C" fn probe(_: *mut Context, _: Context, _: usize, _: *mut u64) -> usize {
    naked_asm!(
        ".macro each op, fop", // r4 to r11, d8 to d15: CALLEE_SAVED
        ".irp n, 4,5,6,7,8,9,10,11",
        "\\op r\\n, [r3, #8 * (\\n - 4)]",
        ".endr",
        ".irp n, 8,9,10,11,12,13,14,15",
        "\\fop d\\n, [r3, #8 * \\n]",
        ".endr",
        ".endm",
        ".fnstart",
        "push {{r4-r11, lr}}",
        ".save {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        ".vsave {{d8-d15}}",
        "push {{r3}}", // `registers`
        ".pad #4",
        "each ldr, vldr",
        "bl {switch}",
        "pop {{r3}}",
        "each str, vstr",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
        ".fnend",
        ".purgem each",
        switch = sym compiled_switch,
    )
}

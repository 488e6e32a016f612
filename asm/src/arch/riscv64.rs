//! riscv64 with the extensions of RV64GC, LP64D. `common.rs` has the drawing.
//!
//! | | |
//! |---|---|
//! | [`Frame`] | s1 (the base register), s0 (the frame pointer), `resume`, a word that keeps sp a multiple of 16 |
//! | during a switch | a0 carries the argument, a1 is `save`, a2 is `load`, t3 holds where the suspended code resumes, t1 and t2 are free, t4 is the jump's target: jumps through ra and t0 are returns to the CPU's predictor |
//! | not saved | fcsr: the rounding mode and the flags |
//! | code | without compressed instructions, so that its length is known |
//!
//! Signals are delivered right below sp: "Where the frame can be overwritten" in `mod.rs`.

use super::common::{Native, counter, frame, prefetch, register, roots, thread_word};
use crate::port::{Probe, Root, compiled_switch};
use crate::{Context, Port, SignalLayout};
use core::arch::{asm, naked_asm};

// `resume` behind a trap: an unwinder looks it up minus one, and is to find the root.
frame!(align(16) base, fp, resume; root + 4);

// SAFETY: `switch` declares clobbered, or saves, every register of the ABI; tests/conformance runs all promises.
unsafe impl Port for Native {
    type Frame = Frame;
    const NAME: &'static str = "riscv64";
    // uc_flags, uc_link, uc_stack, and uc_sigmask with its reserve: 168 bytes, and 8 up to the alignment of mcontext_t;
    // there pc stands for x0, and x1 to x31 follow.
    const SIGNAL_CONTEXT: SignalLayout = SignalLayout::words_from(176, [0, 2, 8, 1]);
    const RED_ZONE: usize = 0;
    const STACK_ALIGN: usize = 16;
    const RECORD_BELOW_FRAME_POINTER: usize = 16;
    const CALLEE_SAVED: &'static [&'static str] = &[
        "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "fs0", "fs1",
        "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9", "fs10", "fs11",
    ];
    const ROOT: Root = root;
    const LINKED_ROOT: Root = linked_root;
    const PROBE: Probe = probe;
    const ROOT_LENGTH: usize = 12;
    const LINKED_ROOT_LENGTH: usize = 40;
    const BODY_LENGTH: usize = 21 * 4;

    #[inline(always)]
    unsafe fn switch<const PLACE: usize>(save: *mut Context, load: Context, arg: usize) -> usize {
        let received;
        // SAFETY: moving sp is allowed as `nostack` is not given. Every register is an operand, a clobber, or restored
        // from the frame before the code at 2 runs. `load` is a frame that nothing else uses (`Port::switch`).
        unsafe {
            asm!(
                "lla t3, 2f",
                "tail {body}", // by way of t1
                "2:",
                body = sym switch_body::<PLACE>,
                inlateout("a0") arg => received,
                in("a1") save,
                in("a2") load.top_of_frame(),
                // What a call may overwrite: ra, t0-t6, a0-a7, ft0-ft11, fa0-fa7, all vector registers.
                clobber_abi("C"),
                // What a call may not overwrite, except s0 and s1, which the compiler reserves.
                out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _,
                out("s7") _, out("s8") _, out("s9") _, out("s10") _, out("s11") _,
                out("fs0") _, out("fs1") _, out("fs2") _, out("fs3") _, out("fs4") _, out("fs5") _,
                out("fs6") _, out("fs7") _, out("fs8") _, out("fs9") _, out("fs10") _, out("fs11") _,
            );
        }
        received
    }

    fn body<const PLACE: usize>() -> *const u8 {
        switch_body::<PLACE> as *const u8
    }

    register!(stack_pointer, "mv {}, sp");
    register!(frame_pointer, "mv {}, s0");
    // prefetch.w of Zicbop, at a multiple of 32: to a CPU without the extension an instruction that does nothing.
    prefetch!(".insn i 0x13, 6, x0, {}, 3 - (({} + 31) / 32) * 32");
    counter!("rdtime {}");
    thread_word!(
        load() "la.tls.ie {word}, {name}.thread_word", "add {word}, {word}, tp", "ld {word}, ({word})";
        store(at) "la.tls.ie {at}, {name}.thread_word", "add {at}, {at}, tp", "sd {word}, ({at})";
    );
}

/// The switch. Jumped to, not called; to an unwinder it is a call that the suspended code made, to return at t3, and at
/// its last instruction one that the resumed code made.
#[unsafe(naked)]
unsafe extern "C" fn switch_body<const PLACE: usize>() {
    naked_asm!(
        ".option push",
        ".option norvc",
        ".cfi_startproc",
        ".cfi_register ra, t3",
        "mv t2, sp",
        "addi sp, sp, -32",
        ".cfi_def_cfa_offset 32",
        "sd s1, 0(sp)",
        "sd s0, 8(sp)",
        ".cfi_offset s1, -32",
        ".cfi_offset s0, -24",
        "sd t3, 16(sp)",
        "sd t2, (a1)",
        "ld t4, -16(a2)",
        "ld s1, -32(a2)",
        "ld s0, -24(a2)",
        // "Why registers are cleared" in port.rs. It is nearly free.
        ".irp n, 2,3,4,5,6,7,8,9,10,11",
        "li s\\n, 0",
        ".endr",
        "mv sp, a2",
        // Here the resumed code's: "Where the frame can be overwritten" in mod.rs.
        ".cfi_def_cfa sp, 0",
        ".cfi_register ra, t4",
        ".cfi_same_value s0",
        ".cfi_same_value s1",
        "jr t4",
        ".cfi_endproc",
        ".option pop",
    )
}

// The first trap never runs. Behind that of a linked root comes its record, in which the frame pointer points
// at the end of the record.
roots! {
    begin: ".option push", ".option norvc", "ebreak";
    code: "jalr s1", "ebreak", ".option pop";
    outermost: ".cfi_undefined ra";
    linked: ".cfi_escape 0x0f, 3, 0x72, 0, 0x06", ".cfi_offset ra, -16", ".cfi_offset s0, -24", ".cfi_offset s1, -32";
    record: "ld t4, (sp)", "ld t5, -24(t4)", "ld t6, -16(t4)", "addi sp, sp, -16", ".cfi_escape 0x0f, 3, 0x72, 16, 0x06",
        "sd t5, (sp)", "sd t6, 8(sp)", "addi s0, sp, 16";
}

/// [`Port::probe`]. The callee-saved registers of the caller are kept on the stack meanwhile.
#[unsafe(naked)]
unsafe extern "C" fn probe(_: *mut Context, _: Context, _: usize, _: *mut u64) -> usize {
    naked_asm!(
        ".option push",
        ".option arch, +d", // The assembler does not know here what the target has.
        ".macro each op, fop, base", // s0 to s11, fs0 to fs11: CALLEE_SAVED
        ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11",
        "\\op s\\n, 8 * \\n(\\base)",
        "\\fop fs\\n, 96 + 8 * \\n(\\base)",
        ".endr",
        ".endm",
        ".cfi_startproc",
        "addi sp, sp, -208",
        ".cfi_def_cfa_offset 208",
        "each sd, fsd, sp",
        "sd a3, 192(sp)", // `registers`
        "sd ra, 200(sp)",
        ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11",
        ".cfi_offset s\\n, 8 * \\n - 208",
        ".endr",
        ".cfi_offset ra, -8",
        "each ld, fld, a3",
        "call {switch}",
        "ld a3, 192(sp)",
        "each sd, fsd, a3",
        "each ld, fld, sp",
        "ld ra, 200(sp)",
        "addi sp, sp, 208",
        ".cfi_def_cfa_offset 0",
        ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11",
        ".cfi_restore s\\n",
        ".endr",
        ".cfi_restore ra",
        "ret",
        ".cfi_endproc",
        ".purgem each",
        ".option pop",
        switch = sym compiled_switch,
    )
}

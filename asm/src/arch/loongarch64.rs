//! loongarch64, LP64D. `common.rs` has the drawing.
//!
//! | | |
//! |---|---|
//! | [`Frame`] | s8 (the base register), fp, `resume`, a word that keeps sp a multiple of 16 |
//! | during a switch | a0 carries the argument, a1 is `save`, a2 is `load`, t3 holds where the suspended code resumes, t1 and t2 are free, t4 is the jump's target |
//! | not saved | fcsr: the rounding mode, the flags and the traps |
//!
//! Signals are delivered right below sp: "Where the frame can be overwritten" in `mod.rs`. The vector registers of LSX and
//! LASX begin with the floating-point registers, and count as lost with these. The ABI keeps no vector across a call: of f24 to
//! f31 only the 64 bits that the floating-point registers have.

use super::common::{Native, counter, frame, prefetch, register, roots, thread_word};
use crate::port::{Probe, Root, compiled_switch};
use crate::{Context, Port, SignalLayout};
use core::arch::{asm, naked_asm};

// `resume` behind a trap: an unwinder looks it up minus one, and is to find the root.
frame!(align(16) base, fp, resume; root + 4);

// SAFETY: `switch` declares clobbered, or saves, every register of the ABI; tests/conformance runs all promises.
unsafe impl Port for Native {
    type Frame = Frame;
    const NAME: &'static str = "loongarch64";
    // uc_flags, uc_link, uc_stack, and uc_sigmask with its reserve: 168 bytes, and 8 up to the alignment of mcontext_t;
    // there pc comes before r0 to r31.
    const SIGNAL_CONTEXT: SignalLayout = SignalLayout::words_from(176, [0, 4, 23, 2]);
    const RED_ZONE: usize = 0;
    const STACK_ALIGN: usize = 16;
    const RECORD_BELOW_FRAME_POINTER: usize = 16;
    // fp, s0 to s8, fs0 to fs7.
    const CALLEE_SAVED: &'static [&'static str] = &[
        "r22", "r23", "r24", "r25", "r26", "r27", "r28", "r29", "r30", "r31", "f24", "f25", "f26",
        "f27", "f28", "f29", "f30", "f31",
    ];
    const ROOT: Root = root;
    const LINKED_ROOT: Root = linked_root;
    const PROBE: Probe = probe;
    const ROOT_LENGTH: usize = 12;
    const LINKED_ROOT_LENGTH: usize = 40;
    const BODY_LENGTH: usize = 19 * 4;

    #[inline(always)]
    unsafe fn switch<const PLACE: usize>(save: *mut Context, load: Context, arg: usize) -> usize {
        let received;
        // SAFETY: moving sp is allowed as `nostack` is not given. Every register is an operand, a clobber, or restored
        // from the frame before the code at 2 runs. `load` is a frame that nothing else uses (`Port::switch`).
        unsafe {
            asm!(
                "la.local $t3, 2f",
                "tail36 $t1, {body}",
                "2:",
                body = sym switch_body::<PLACE>,
                inlateout("$a0") arg => received,
                in("$a1") save,
                in("$a2") load.top_of_frame(),
                // What a call may overwrite: ra, a0-a7, t0-t8, f0-f23.
                clobber_abi("C"),
                // What a call may not overwrite, except fp and s8, which the compiler reserves.
                out("$s0") _, out("$s1") _, out("$s2") _, out("$s3") _, out("$s4") _, out("$s5") _,
                out("$s6") _, out("$s7") _,
                out("$fs0") _, out("$fs1") _, out("$fs2") _, out("$fs3") _, out("$fs4") _, out("$fs5") _,
                out("$fs6") _, out("$fs7") _,
            );
        }
        received
    }

    fn body<const PLACE: usize>() -> *const u8 {
        switch_body::<PLACE> as *const u8
    }

    register!(stack_pointer, "move {}, $sp");
    register!(frame_pointer, "move {}, $fp");
    prefetch!("preld 8, {}, -{}");
    counter!("rdtime.d {}, $zero");
    thread_word!(
        load() "la.tls.ie {word}, {name}.thread_word", "ldx.d {word}, {word}, $tp";
        store(at) "la.tls.ie {at}, {name}.thread_word", "stx.d {word}, {at}, $tp";
    );
}

/// The switch. Jumped to, not called; to an unwinder it is a call that the suspended code made, to return at t3, and at
/// its last instruction one that the resumed code made.
#[unsafe(naked)]
unsafe extern "C" fn switch_body<const PLACE: usize>() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_register $ra, $t3",
        "move $t2, $sp",
        "addi.d $sp, $sp, -32",
        ".cfi_def_cfa_offset 32",
        "st.d $s8, $sp, 0",
        "st.d $fp, $sp, 8",
        ".cfi_offset $s8, -32",
        ".cfi_offset $fp, -24",
        "st.d $t3, $sp, 16",
        "st.d $t2, $a1, 0",
        "ld.d $t4, $a2, -16",
        "ld.d $s8, $a2, -32",
        "ld.d $fp, $a2, -24",
        // "Why registers are cleared" in port.rs. It is nearly free.
        ".irp n, 0,1,2,3,4,5,6,7",
        "move $s\\n, $zero",
        ".endr",
        "move $sp, $a2",
        // Here the resumed code's: "Where the frame can be overwritten" in mod.rs.
        ".cfi_def_cfa $sp, 0",
        ".cfi_register $ra, $t4",
        ".cfi_same_value $fp",
        ".cfi_same_value $s8",
        "jr $t4",
        ".cfi_endproc",
    )
}

// The first trap never runs. Behind that of a linked root comes its record, in which the frame pointer points at the end of
// the record.
roots! {
    begin: "break 0";
    code: "jirl $ra, $s8, 0", "break 0";
    outermost: ".cfi_undefined $ra";
    linked: ".cfi_escape 0x0f, 3, 0x73, 0, 0x06", ".cfi_offset $ra, -16", ".cfi_offset $fp, -24", ".cfi_offset $s8, -32";
    record: "ld.d $t4, $sp, 0", "ld.d $t5, $t4, -24", "ld.d $t6, $t4, -16", "addi.d $sp, $sp, -16",
        ".cfi_escape 0x0f, 3, 0x73, 16, 0x06", "st.d $t5, $sp, 0", "st.d $t6, $sp, 8", "addi.d $fp, $sp, 16";
}

/// [`Port::probe`]. The callee-saved registers of the caller are kept on the stack meanwhile.
#[unsafe(naked)]
unsafe extern "C" fn probe(_: *mut Context, _: Context, _: usize, _: *mut u64) -> usize {
    naked_asm!(
        ".macro each op, fop, base", // r22 to r31, f24 to f31: CALLEE_SAVED
        ".irp n, 22,23,24,25,26,27,28,29,30,31",
        "\\op $r\\n, \\base, 8 * (\\n - 22)",
        ".endr",
        ".irp n, 24,25,26,27,28,29,30,31",
        "\\fop $f\\n, \\base, 80 + 8 * (\\n - 24)",
        ".endr",
        ".endm",
        ".cfi_startproc",
        "addi.d $sp, $sp, -160",
        ".cfi_def_cfa_offset 160",
        "each st.d, fst.d, $sp",
        "st.d $a3, $sp, 144", // `registers`
        "st.d $ra, $sp, 152",
        ".irp n, 22,23,24,25,26,27,28,29,30,31",
        ".cfi_offset $r\\n, 8 * (\\n - 22) - 160",
        ".endr",
        ".cfi_offset $ra, -8",
        "each ld.d, fld.d, $a3",
        "call36 {switch}",
        "ld.d $a3, $sp, 144",
        "each st.d, fst.d, $a3",
        "each ld.d, fld.d, $sp",
        "ld.d $ra, $sp, 152",
        "addi.d $sp, $sp, 160",
        ".cfi_def_cfa_offset 0",
        ".irp n, 1,22,23,24,25,26,27,28,29,30,31",
        ".cfi_restore $r\\n",
        ".endr",
        "ret",
        ".cfi_endproc",
        ".purgem each",
        switch = sym compiled_switch,
    )
}

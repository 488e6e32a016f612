//! aarch64, AAPCS64. `common.rs` has the drawing.
//!
//! | | |
//! |---|---|
//! | [`Frame`] | x19 (the base register), x29, `resume`, a word that keeps sp a multiple of 16 |
//! | during a switch | x0 carries the argument, x1 is `save`, x2 is `load`, x3 holds where the suspended code resumes, x4 is free, x5 is the jump's target |
//! | not saved | FPCR |
//! | under BTI | `hint #36` (`bti j`) is where the jump may go: behind the inlined jump, and where a root begins |
//! | under PAC | `resume` is not signed; return addresses on a stack are, by sp, which is the same when it resumes |
//!
//! Linux delivers signals right below sp, so sp moves before the frame is written and after it has been read: then the
//! frame may be overwritten at once, and with it what a segment's backtrace continues with. The tables therefore tell of
//! the resumed code as soon as sp has moved.

use super::common::{
    Native, client_request, counter, frame, prefetch, register, roots, thread_word,
};
use crate::port::{Probe, Root, compiled_switch};
use crate::{Context, Port, SignalLayout};
use core::arch::{asm, naked_asm};

// `resume` behind a trap: an unwinder looks it up minus one, and is to find the root.
frame!(align(16) base, fp, resume; root + 4);

// SAFETY: `switch` declares clobbered, or saves, every register of the ABI; tests/conformance runs all promises.
unsafe impl Port for Native {
    type Frame = Frame;
    const NAME: &'static str = "aarch64";
    // uc_flags, uc_link, uc_stack, and uc_sigmask with its reserve: 168 bytes, and 8 up to the alignment of mcontext_t;
    // there the fault's address and x0 to x30 come before sp and pc.
    const SIGNAL_CONTEXT: SignalLayout = SignalLayout::words_from(176 + 8, [32, 31, 29, 30]);
    const RED_ZONE: usize = 0;
    const STACK_ALIGN: usize = 16;
    const CALLEE_SAVED: &'static [&'static str] = &[
        "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "d8", "d9",
        "d10", "d11", "d12", "d13", "d14", "d15",
    ];
    const ROOT: Root = root;
    const LINKED_ROOT: Root = linked_root;
    const PROBE: Probe = probe;
    const ROOT_LENGTH: usize = 16;
    const LINKED_ROOT_LENGTH: usize = 32;
    const BODY_LENGTH: usize = 17 * 4;

    #[inline(always)]
    unsafe fn switch<const PLACE: usize>(save: *mut Context, load: Context, arg: usize) -> usize {
        let received;
        // SAFETY: moving sp is allowed as `nostack` is not given. Every register is an operand, a clobber, or restored
        // from the frame before the code at 2 runs. `load` is a frame that nothing else uses (`Port::switch`).
        unsafe {
            asm!(
                "adr x3, 2f",
                "b {body}",
                "2:",
                "hint #36",
                body = sym switch_body::<PLACE>,
                inlateout("x0") arg => received,
                in("x1") save,
                in("x2") load.top_of_frame(),
                // What a call may overwrite: x0-x18, x30, and v0-v31 (of v8-v15 the upper halves; all counts as lost).
                clobber_abi("C"),
                // What a call may not overwrite, except x19 and x29, which the compiler reserves.
                out("x20") _, out("x21") _, out("x22") _, out("x23") _, out("x24") _,
                out("x25") _, out("x26") _, out("x27") _, out("x28") _,
            );
        }
        received
    }

    fn body<const PLACE: usize>() -> *const u8 {
        switch_body::<PLACE> as *const u8
    }

    register!(stack_pointer, "mov {}, sp");
    register!(frame_pointer, "mov {}, x29");
    prefetch!("prfum pstl1keep, [{}, #-{}]");
    counter!("mrs {}, cntvct_el0");
    fn has_shadow_stack() -> bool {
        let disabled: usize;
        // SAFETY: CHKFEAT clears bit 0 of x16 if guarded control stacks are on. On older CPUs the hint does nothing.
        unsafe {
            asm!("mov x16, #1", "hint #40", out("x16") disabled, options(nomem, nostack, preserves_flags));
        }
        disabled == 0
    }

    thread_word!(
        load(at) "adrp {at}, :gottprel:{name}.thread_word", "ldr {at}, [{at}, :gottprel_lo12:{name}.thread_word]",
            "mrs {word}, tpidr_el0", "ldr {word}, [{word}, {at}]";
        store(at thread) "adrp {at}, :gottprel:{name}.thread_word", "ldr {at}, [{at}, :gottprel_lo12:{name}.thread_word]",
            "mrs {thread}, tpidr_el0", "str {word}, [{thread}, {at}]";
    );
    client_request!("x4", "x3": "ror x12, x12, #3", "ror x12, x12, #13", "ror x12, x12, #51", "ror x12, x12, #61", "orr x10, x10, x10");
}

/// The switch. Jumped to, not called; to an unwinder it is a call that the suspended code made, to return at x3, and at
/// its last instruction one that the resumed code made.
#[unsafe(naked)]
unsafe extern "C" fn switch_body<const PLACE: usize>() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_register x30, x3",
        "mov x4, sp",
        "stp x19, x29, [sp, #-32]!",
        ".cfi_def_cfa_offset 32",
        ".cfi_offset x29, -24",
        ".cfi_offset x19, -32",
        "str x3, [sp, #16]",
        "str x4, [x1]",
        "ldr x5, [x2, #-16]",
        "ldp x19, x29, [x2, #-32]",
        // "Why registers are cleared" in port.rs. It is nearly free.
        ".irp n, 20,21,22,23,24,25,26,27,28",
        "mov x\\n, xzr",
        ".endr",
        "mov sp, x2",
        // Here the resumed code's: "Where the frame can be overwritten" in mod.rs.
        ".cfi_def_cfa sp, 0",
        ".cfi_register x30, x5",
        ".cfi_same_value x29",
        ".cfi_same_value x19",
        "br x5",
        ".cfi_endproc",
    )
}

// The first trap never runs. Behind that of a linked root comes its record.
roots! {
    begin: "brk #1\nhint #36";
    code: "blr x19", "brk #1";
    outermost: ".cfi_undefined x30";
    linked: ".cfi_escape 0x0f, 3, 0x8f, 0, 0x06", ".cfi_offset x30, -16", ".cfi_offset x29, -24", ".cfi_offset x19, -32";
    record: "ldr x4, [sp]", "ldp x5, x6, [x4, #-24]", "stp x5, x6, [sp, #-16]!", ".cfi_escape 0x0f, 3, 0x8f, 16, 0x06",
        "mov x29, sp";
}

/// [`Port::probe`]. The callee-saved registers of the caller are kept on the stack meanwhile.
#[unsafe(naked)]
unsafe extern "C" fn probe(_: *mut Context, _: Context, _: usize, _: *mut u64) -> usize {
    naked_asm!(
        ".macro each op, base", // x19 to x29, d8 to d15: CALLEE_SAVED
        ".irp n, 19,20,21,22,23,24,25,26,27,28,29",
        "\\op x\\n, [\\base, #8 * (\\n - 19)]",
        ".endr",
        ".irp n, 8,9,10,11,12,13,14,15",
        "\\op d\\n, [\\base, #88 + 8 * (\\n - 8)]",
        ".endr",
        ".endm",
        ".cfi_startproc",
        "hint #34", // `bti c`: called by its address
        "sub sp, sp, #176",
        ".cfi_def_cfa_offset 176",
        "each str, sp",
        "stp x3, x30, [sp, #152]", // x3 is `registers`
        ".irp n, 19,20,21,22,23,24,25,26,27,28,29",
        ".cfi_offset x\\n, 8 * (\\n - 19) - 176",
        ".endr",
        ".cfi_offset x30, -16",
        "each ldr, x3",
        "bl {switch}",
        "ldr x3, [sp, #152]",
        "each str, x3",
        "each ldr, sp",
        "ldr x30, [sp, #160]",
        "add sp, sp, #176",
        ".cfi_def_cfa_offset 0",
        ".irp n, 19,20,21,22,23,24,25,26,27,28,29,30",
        ".cfi_restore x\\n",
        ".endr",
        "ret",
        ".cfi_endproc",
        ".purgem each",
        switch = sym compiled_switch,
    )
}

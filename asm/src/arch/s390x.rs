//! s390x (z/Architecture), ELF ABI. `common.rs` has the drawing.
//!
//! | | |
//! |---|---|
//! | [`Frame`] | r10 (takes the place of a base register), r11 (the frame pointer), `resume` |
//! | during a switch | r2 carries the argument, r3 is `save`, r4 is `load`, r1 holds where the suspended code resumes, r0 is free, r5 is the jump's target |
//! | headroom | 160 bytes, in which the function that is called saves registers |
//! | not saved | fpc: the rounding mode, masks and flags |
//!
//! r5, and not r14: a jump through that is a return to the CPU's predictor. Compiled code keeps no back chains, so there is
//! nothing to continue without tables. To these, the stack pointer is 160 bytes below the canonical frame address.
//!
//! Linux delivers signals right below r15, so r15 moves before the frame is written and after it has been read: then the
//! frame may be overwritten at once. The tables therefore tell of the resumed code as soon as r15 has moved.

use super::common::{Native, frame, prefetch, register, roots, thread_word};
use crate::port::{Chain, Probe, Root, compiled_switch};
use crate::{Context, Port, SignalLayout};
use core::arch::{asm, naked_asm};

// `resume` behind a trap: an unwinder looks it up minus one, and is to find the root.
frame!(align(8) base, fp, resume; root + 2);

// SAFETY: `switch` declares clobbered, or saves, every register of the ABI; tests/conformance runs all promises.
unsafe impl Port for Native {
    type Frame = Frame;
    const NAME: &'static str = "s390x";
    // uc_flags, uc_link, uc_stack: 40 bytes; then the mask and the address of the PSW, and r0 to r15.
    const SIGNAL_CONTEXT: SignalLayout = SignalLayout::words_from(40, [1, 17, 13, 16]);
    const RED_ZONE: usize = 0;
    const STACK_ALIGN: usize = 8;
    const HEADROOM: usize = 160;
    const FAULT_GRAIN: usize = 4096;
    const CHAIN: Chain = Chain::None;
    const CALLEE_SAVED: &'static [&'static str] = &[
        "r6", "r7", "r8", "r9", "r10", "r11", "r12", "r13", "f8", "f9", "f10", "f11", "f12", "f13",
        "f14", "f15",
    ];
    const ROOT: Root = root;
    const LINKED_ROOT: Root = linked_root;
    const PROBE: Probe = probe;
    const ROOT_LENGTH: usize = 6;
    const LINKED_ROOT_LENGTH: usize = 6;
    // Between registers 4 bytes, to and from memory 6, the jump 2.
    const BODY_LENGTH: usize = 9 * 4 + 5 * 6 + 2;

    #[inline(always)]
    unsafe fn switch<const PLACE: usize>(save: *mut Context, load: Context, arg: usize) -> usize {
        let received;
        // SAFETY: moving r15 is allowed as `nostack` is not given. Every register is an operand, a clobber, or restored
        // from the frame before the code at 2 runs. `load` is a frame that nothing else uses (`Port::switch`).
        unsafe {
            asm!(
                "larl %r1, 2f",
                "jg {body}",
                "2:",
                body = sym switch_body::<PLACE>,
                inlateout("r2") arg => received,
                in("r3") save,
                in("r4") load.top_of_frame(),
                // What a call may overwrite: r0-r5, r14, f0-f7, all vector registers (of v8-v15 the upper halves).
                clobber_abi("C"),
                // What a call may not overwrite, except r10, which the frame has, and r11, which the compiler reserves.
                out("r6") _, out("r7") _, out("r8") _, out("r9") _, out("r12") _, out("r13") _,
                out("f8") _, out("f9") _, out("f10") _, out("f11") _,
                out("f12") _, out("f13") _, out("f14") _, out("f15") _,
            );
        }
        received
    }

    fn body<const PLACE: usize>() -> *const u8 {
        switch_body::<PLACE> as *const u8
    }

    register!(stack_pointer, "lgr {}, %r15");
    register!(frame_pointer, "lgr {}, %r11");
    prefetch!(reg_addr: "pfd 2, -{1}({0})");

    #[inline(always)]
    fn ticks() -> u64 {
        let mut clock = 0_u64;
        // SAFETY: the instruction stores a counter, which Linux lets programs read, to the variable.
        unsafe { asm!("stckf 0({})", in(reg_addr) &raw mut clock, options(nostack)) };
        clock
    }

    thread_word!(
        reg_addr(): load(at) "ear {at}, %a0", "sllg {at}, {at}, 32", "ear {at}, %a1", "larl {word}, {name}.thread_word@indntpoff",
            "lg {word}, 0({word})", "lg {word}, 0({word},{at})";
        store(at thread) "ear {thread}, %a0", "sllg {thread}, {thread}, 32", "ear {thread}, %a1",
            "larl {at}, {name}.thread_word@indntpoff", "lg {at}, 0({at})", "stg {word}, 0({at},{thread})";
    );
}

/// The switch. Jumped to, not called; to an unwinder it is a call that the suspended code made, to return at r1, and at
/// its last instruction one that the resumed code made.
#[unsafe(naked)]
unsafe extern "C" fn switch_body<const PLACE: usize>() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_register %r14, %r1",
        "lgr %r0, %r15",
        "aghi %r15, -24",
        ".cfi_adjust_cfa_offset 24",
        ".cfi_escape 0x14, 15, 20", // DW_CFA_val_offset: r15 is 20 words below the frame address
        "stmg %r10, %r11, 0(%r15)",
        ".cfi_offset %r10, -184",
        ".cfi_offset %r11, -176",
        "stg %r1, 16(%r15)",
        "stg %r0, 0(%r3)",
        "lg %r5, -8(%r4)",
        "lmg %r10, %r11, -24(%r4)",
        // "Why registers are cleared" in port.rs. It is nearly free.
        ".irp n, 6,7,8,9,12,13",
        "lghi %r\\n, 0",
        ".endr",
        "lgr %r15, %r4",
        // Here the resumed code's: "Where the frame can be overwritten" in mod.rs.
        ".cfi_def_cfa %r15, 160",
        ".cfi_register %r14, %r5",
        ".cfi_same_value %r10; .cfi_same_value %r11", // r15 is 160 bytes below the frame address, as before
        "br %r5",
        ".cfi_endproc",
    )
}

// The first trap never runs. Behind a link, DW_OP_breg15 160, DW_OP_deref, DW_OP_plus_uconst 160; then r15 as above.
roots! {
    begin: ".short 0";
    code: "basr %r14, %r10", ".short 0";
    outermost: ".cfi_undefined %r14";
    linked: ".cfi_escape 0x0f, 7, 0x7f, 0xa0, 1, 0x06, 0x23, 0xa0, 1", ".cfi_escape 0x14, 15, 20",
        ".cfi_offset %r14, -168", ".cfi_offset %r11, -176", ".cfi_offset %r10, -184";
    record: "";
}

/// [`Port::probe`]. The callee-saved registers of the caller are kept on the stack meanwhile.
#[unsafe(naked)]
unsafe extern "C" fn probe(_: *mut Context, _: Context, _: usize, _: *mut u64) -> usize {
    naked_asm!(
        ".macro each op, fop, at, base", // r6 to r13, f8 to f15: CALLEE_SAVED
        "\\op %r6, %r13, \\at(\\base)",
        ".irp n, 8,9,10,11,12,13,14,15",
        "\\fop %f\\n, \\at+8*\\n(\\base)",
        ".endr",
        ".endm",
        ".cfi_startproc",
        "stmg %r14, %r15, 112(%r15)",
        ".cfi_offset %r14, -48; .cfi_offset %r15, -40",
        "aghi %r15, -296",
        ".cfi_adjust_cfa_offset 296",
        "each stmg, std, 160, %r15",
        ".irp n, 6,7,8,9,10,11,12,13",
        ".cfi_offset %r\\n, 8 * (\\n - 6) - 296",
        ".endr",
        "stg %r5, 288(%r15)", // `registers`
        "each lmg, ld, 0, %r5",
        "brasl %r14, {switch}",
        "lg %r5, 288(%r15)",
        "each stmg, std, 0, %r5",
        "each lmg, ld, 160, %r15",
        "aghi %r15, 296",
        ".cfi_adjust_cfa_offset -296",
        "lmg %r14, %r15, 112(%r15)",
        ".irp n, 6,7,8,9,10,11,12,13,14,15",
        ".cfi_restore %r\\n",
        ".endr",
        "br %r14",
        ".cfi_endproc",
        ".purgem each",
        switch = sym compiled_switch,
    )
}

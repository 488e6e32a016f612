//! powerpc64le, ELF ABI v2. `common.rs` has the drawing.
//!
//! | | |
//! |---|---|
//! | [`Frame`] | r30 (the base register), r31 (the frame pointer), r2 (where the module's table of contents is), `resume` |
//! | during a switch | r3 carries the argument, r4 is `save`, r5 is `load`, r6 holds where the suspended code resumes, ctr is the jump's target |
//! | headroom | 32 bytes: the back chain, and where the function that is called keeps cr, lr and r2 |
//! | not saved | fpscr: the rounding mode, masks and flags |
//! | not supported | big-endian programs: their pointers to functions are no addresses of code |
//!
//! ctr, and not lr: a jump through that is a return to the CPU's predictor, but for the `bcl` by which code learns its address.
//! Frames are linked at r1. r1 moves once, from one stack to the other. The frame lies below it on either side, in the red
//! zone: signals skip these 288 bytes, and the compiler keeps nothing there as `nostack` is not given.

use super::common::{Native, counter, frame, register, roots, thread_word};
use crate::port::{Chain, Probe, Root, compiled_switch};
use crate::{Context, Port, SignalLayout};
use core::arch::{asm, naked_asm};

#[cfg(not(target_endian = "little"))]
compile_error!("goroutines-asm knows powerpc64 as little-endian only: build for powerpc64le");

frame!(align(16) base, fp, toc, resume; root + 0);

// SAFETY: `switch` declares clobbered, or saves, every register of the ABI; tests/conformance runs all promises.
unsafe impl Port for Native {
    type Frame = Frame;
    const NAME: &'static str = "powerpc64";
    // uc_flags, uc_link, uc_stack, uc_sigmask with its reserve: 168 bytes; then eight words, r0 to r31, the address of the
    // instruction, msr, the former r3, ctr and lr.
    const SIGNAL_CONTEXT: SignalLayout = SignalLayout::words_from(168 + 64, [32, 1, 31, 36]);
    const RED_ZONE: usize = 288;
    const STACK_ALIGN: usize = 16;
    const HEADROOM: usize = 32;
    const CHAIN: Chain = Chain::BackChains { link: 16 };
    // A vector has two slots, cr2 to cr4 one.
    const CALLEE_SAVED: &'static [&'static str] = &[
        "r14", "r15", "r16", "r17", "r18", "r19", "r20", "r21", "r22", "r23", "r24", "r25", "r26",
        "r27", "r28", "r29", "r30", "r31", "f14", "f15", "f16", "f17", "f18", "f19", "f20", "f21",
        "f22", "f23", "f24", "f25", "f26", "f27", "f28", "f29", "f30", "f31", "v20", "v20", "v21",
        "v21", "v22", "v22", "v23", "v23", "v24", "v24", "v25", "v25", "v26", "v26", "v27", "v27",
        "v28", "v28", "v29", "v29", "v30", "v30", "v31", "v31", "cr2-cr4",
    ];
    const ROOT: Root = root;
    const LINKED_ROOT: Root = linked_root;
    const PROBE: Probe = probe;
    const ROOT_LENGTH: usize = 16;
    const LINKED_ROOT_LENGTH: usize = 32;
    const BODY_LENGTH: usize = 28 * 4;

    #[inline(always)]
    unsafe fn switch<const PLACE: usize>(save: *mut Context, load: Context, arg: usize) -> usize {
        let received;
        // SAFETY: `nostack` is not given, so the red zone is free for the frame. Every register is an operand, a clobber, or
        // restored from the frame before the code at 3 runs. `load` is a frame that nothing else uses (`Port::switch`).
        unsafe {
            asm!(
                "bcl 20, 31, 2f",
                "2: mflr 6",
                "addi 6, 6, 3f - 2b",
                "b {body}",
                "3:",
                body = sym switch_body::<PLACE>,
                inlateout("r3") arg => received,
                in("r4") save,
                in("r5") load.top_of_frame(),
                // What a call may overwrite: r0, r3-r12, f0-f13, v0-v19, the other fields of cr, ctr, lr, xer.
                clobber_abi("C"),
                // What a call may not overwrite, except r2, r30 and r31, which the compiler reserves.
                out("r14") _, out("r15") _, out("r16") _, out("r17") _, out("r18") _, out("r19") _, out("r20") _, out("r21") _,
                out("r22") _, out("r23") _, out("r24") _, out("r25") _, out("r26") _, out("r27") _, out("r28") _, out("r29") _,
                out("f14") _, out("f15") _, out("f16") _, out("f17") _, out("f18") _, out("f19") _, out("f20") _, out("f21") _,
                out("f22") _, out("f23") _, out("f24") _, out("f25") _, out("f26") _, out("f27") _, out("f28") _, out("f29") _,
                out("f30") _, out("f31") _,
                out("v20") _, out("v21") _, out("v22") _, out("v23") _, out("v24") _, out("v25") _, out("v26") _, out("v27") _,
                out("v28") _, out("v29") _, out("v30") _, out("v31") _,
                out("cr2") _, out("cr3") _, out("cr4") _,
            );
        }
        received
    }

    fn body<const PLACE: usize>() -> *const u8 {
        switch_body::<PLACE> as *const u8
    }

    register!(stack_pointer, "mr {}, 1");
    register!(frame_pointer, "mr {}, 31");

    #[inline(always)]
    fn prefetch<const BELOW: usize>(addr: *const u8) {
        // SAFETY: a prefetch changes nothing that a program can observe, and ignores bad addresses.
        unsafe {
            asm!("dcbtst 0, {}", in(reg) addr.wrapping_sub(BELOW), options(nomem, nostack, preserves_flags))
        };
    }

    counter!("mftb {}");
    // Not by r2, which a function that does not use it need not have set.
    thread_word!(
        reg_nonzero("lr"): load(at) "bcl 20, 31, 2f; 2: mflr {at}", "addis {at}, {at}, .TOC.-2b@ha; addi {at}, {at}, .TOC.-2b@l",
            "addis {at}, {at}, {name}.thread_word@got@tprel@ha; ld {at}, {name}.thread_word@got@tprel@l({at})",
            "ldx {word}, {at}, {name}.thread_word@tls";
        store(at) "bcl 20, 31, 2f; 2: mflr {at}", "addis {at}, {at}, .TOC.-2b@ha; addi {at}, {at}, .TOC.-2b@l",
            "addis {at}, {at}, {name}.thread_word@got@tprel@ha; ld {at}, {name}.thread_word@got@tprel@l({at})",
            "stdx {word}, {at}, {name}.thread_word@tls";
    );
}

/// The switch. Jumped to, not called; to an unwinder it is a call that the suspended code made, to return at r6.
#[unsafe(naked)]
unsafe extern "C" fn switch_body<const PLACE: usize>() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_register lr, 6",
        "std 6, -8(1); std 2, -16(1); std 31, -24(1); std 30, -32(1)",
        "std 1, 0(4)",
        // From here to the jump by `*save`, which belongs to us until the jump. r6 stays. DW_CFA_def_cfa_expression of 3
        // bytes: DW_OP_breg4 0, DW_OP_deref.
        ".cfi_escape 0x0f, 3, 0x74, 0, 0x06",
        ".cfi_offset 31, -24",
        ".cfi_offset 30, -32",
        "ld 7, -8(5); ld 2, -16(5); ld 31, -24(5); ld 30, -32(5)",
        "mtctr 7",
        // "Why registers are cleared" in port.rs. It is nearly free.
        ".irp n, 14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29",
        "li \\n, 0",
        ".endr",
        "mr 1, 5",
        "bctr",
        ".cfi_endproc",
    )
}

// `entry` is called through r12, as the ABI has it for pointers to functions. The record of a linked root is the back chain,
// and the return address in the headroom of the code that waits, which every function with a switch has: it loses lr.
roots! {
    begin: "";
    code: "mr 12, 30", "mtctr 12", "bctrl", "trap";
    outermost: ".cfi_undefined lr";
    linked: ".cfi_escape 0x0f, 3, 0x71, 32, 0x06", ".cfi_offset lr, -8", ".cfi_offset 31, -24", ".cfi_offset 30, -32";
    record: "ld 6, 32(1)", "ld 7, -8(6)", "std 7, 16(6)", "std 6, 0(1)";
}

/// [`Port::probe`]. The callee-saved registers of the caller are kept on the stack meanwhile.
#[unsafe(naked)]
unsafe extern "C" fn probe(_: *mut Context, _: Context, _: usize, _: *mut u64) -> usize {
    naked_asm!(
        ".macro each op, fop, vop, at, base", // CALLEE_SAVED, without cr
        ".irp n, 14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
        "\\op \\n, \\at + 8 * (\\n - 14)(\\base)",
        "\\fop \\n, \\at + 144 + 8 * (\\n - 14)(\\base)",
        ".endr",
        ".irp n, 52,53,54,55,56,57,58,59,60,61,62,63", // v20 to v31, to instructions that need no alignment
        "li 11, \\at + 288 + 16 * (\\n - 52)",
        "\\vop \\n, \\base, 11",
        ".endr",
        ".endm",
        ".cfi_startproc",
        "mflr 0; std 0, 16(1); mfcr 11; stw 11, 8(1)",
        "stdu 1, -528(1)",
        ".cfi_def_cfa_offset 528",
        ".cfi_offset lr, 16",
        "each std, stfd, stxvd2x, 32, 1",
        ".irp n, 14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
        ".cfi_offset \\n, 32 + 8 * (\\n - 14) - 528",
        ".endr",
        "std 6, 512(1)", // `registers`
        "each ld, lfd, lxvd2x, 0, 6",
        "ld 11, 480(6); mtcrf 0x38, 11", // cr2 to cr4
        "bl {switch}",
        "ld 6, 512(1)",
        "each std, stfd, stxvd2x, 0, 6",
        "mfcr 11; ld 12, 480(6); rlwimi 12, 11, 0, 8, 19; std 12, 480(6)",
        "each ld, lfd, lxvd2x, 32, 1",
        "addi 1, 1, 528",
        ".cfi_def_cfa_offset 0",
        ".irp n, 14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
        ".cfi_restore \\n",
        ".endr",
        "lwz 11, 8(1); mtcrf 0x38, 11; ld 0, 16(1); mtlr 0",
        ".cfi_restore lr",
        "blr",
        ".cfi_endproc",
        ".purgem each",
        switch = sym compiled_switch,
    )
}

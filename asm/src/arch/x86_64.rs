//! x86_64, System V ABI. `common.rs` has the drawing.
//!
//! | | |
//! |---|---|
//! | [`Frame`] | `resume`, rbx (the base register), rbp |
//! | during a switch | rax carries the argument, rdi is `save`, rsi is `load`, r8 holds where the suspended code resumes |
//! | not saved | MXCSR and the x87 control word |
//! | not supported | `-C target-feature=+egpr`: the compiler's list of clobbers lacks the sixteen registers of APX |
//!
//! rsp moves once, from one stack to the other. The frame lies below it on either side, in the red zone: signals skip these
//! 128 bytes, and the compiler keeps nothing there as `nostack` is not given.

use super::common::{
    Native, client_request, counter, frame, prefetch, register, roots, thread_word,
};
use crate::port::{Probe, Root, compiled_switch};
use crate::{Context, Port, SignalLayout};
use core::arch::{asm, naked_asm, x86_64::__cpuid};

frame!(align(8) resume, base, fp; root + 0);

// SAFETY: `switch` declares clobbered, or saves, every register of the ABI; tests/conformance runs all promises.
unsafe impl Port for Native {
    type Frame = Frame;
    const NAME: &'static str = "x86_64";
    // uc_flags, uc_link, uc_stack: 40 bytes; then 64-bit registers: rbp the eleventh, rsp the sixteenth, rip.
    const SIGNAL_CONTEXT: SignalLayout = SignalLayout::words_from(40, [16, 15, 10, 16]);
    const RED_ZONE: usize = 128;
    const STACK_ALIGN: usize = 16;
    const CALLEE_SAVED: &'static [&'static str] = &["rbx", "rbp", "r12", "r13", "r14", "r15"];
    const ROOT: Root = root;
    const LINKED_ROOT: Root = linked_root;
    const PROBE: Probe = probe;
    // Instructions of 3, 2 and 2 bytes.
    const ROOT_LENGTH: usize = 7;
    // Before them 4, 3, 3 and 3.
    const LINKED_ROOT_LENGTH: usize = 20;
    // Stores of 5, 5, 5 and 3 bytes, loads of 4, 4 and 3, four clears of 3, the jump of 3.
    const BODY_LENGTH: usize = 44;

    #[inline(always)]
    unsafe fn switch<const PLACE: usize>(save: *mut Context, load: Context, arg: usize) -> usize {
        let received;
        // SAFETY: `nostack` is not given, so the red zone is free for the frame. Every register is an operand, a clobber, or
        // restored from the frame before the code at 2 runs. `load` is a frame that nothing else uses (`Port::switch`).
        unsafe {
            asm!(
                "lea r8, [rip + 2f]",
                "jmp {body}",
                "2:",
                body = sym switch_body::<PLACE>,
                inlateout("rax") arg => received,
                in("rdi") save,
                in("rsi") load.top_of_frame(),
                // What a call may overwrite: rax, rcx, rdx, rsi, rdi, r8-r11, all vector, mask, x87 and MMX registers.
                clobber_abi("sysv64"),
                // What a call may not overwrite, except rbx and rbp, which the compiler reserves.
                out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            );
        }
        received
    }

    fn body<const PLACE: usize>() -> *const u8 {
        switch_body::<PLACE> as *const u8
    }

    register!(stack_pointer, "mov {}, rsp");
    register!(frame_pointer, "mov {}, rbp");
    prefetch!("prefetchw [{} - {}]");
    counter!("rdtsc", "shl rdx, 32", "lea {}, [rax + rdx]", out("rax") _, out("rdx") _);

    fn ticks_are_steady() -> bool {
        // Leaf 0x8000_0007, edx bit 8: the counter is invariant.
        const LEAF: u32 = 0x8000_0007;
        __cpuid(0x8000_0000).eax >= LEAF && __cpuid(LEAF).edx & 1 << 8 != 0
    }

    fn has_shadow_stack() -> bool {
        let pointer: usize;
        // SAFETY: reads the pointer of the shadow stack. Without one, and on older CPUs, the instruction does nothing.
        unsafe {
            asm!("xor {0:e}, {0:e}", "rdsspq {0}", out(reg) pointer, options(nomem, nostack));
        }
        pointer != 0
    }

    thread_word!(
        load() "mov {word}, qword ptr [rip + {name}.thread_word@gottpoff]", "mov {word}, qword ptr fs:[{word}]";
        store(at) "mov {at}, qword ptr [rip + {name}.thread_word@gottpoff]", "mov qword ptr fs:[{at}], {word}";
    );
    client_request!("rax", "rdx": "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx");
}

/// The switch. Jumped to, not called; to an unwinder it is a call that the suspended code made, to return at r8.
#[unsafe(naked)]
unsafe extern "C" fn switch_body<const PLACE: usize>() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_def_cfa rsp, 0",
        ".cfi_register rip, r8",
        "mov [rsp - 24], r8",
        "mov [rsp - 16], rbx",
        "mov [rsp - 8], rbp",
        "mov [rdi], rsp",
        // From here to the jump by `*save`, which belongs to us until the jump. r8 stays. DW_CFA_def_cfa_expression of 3
        // bytes: DW_OP_breg5 (rdi) 0, DW_OP_deref.
        ".cfi_escape 0x0f, 3, 0x75, 0, 0x06",
        ".cfi_offset rbx, -16",
        ".cfi_offset rbp, -8",
        "mov rbx, [rsi - 16]",
        "mov rbp, [rsi - 8]",
        "mov rsp, rsi",
        // "Why registers are cleared" in port.rs. It is free.
        ".irp n, 12,13,14,15",
        "xor r\\n\\()d, r\\n\\()d",
        ".endr",
        "jmp [rsi - 24]",
        ".cfi_endproc",
    )
}

roots! {
    begin: "";
    code: "mov rdi, rax", "call rbx", "ud2";
    outermost: ".cfi_undefined rip";
    linked: ".cfi_escape 0x0f, 3, 0x77, 0, 0x06", ".cfi_offset rbp, -8", ".cfi_offset rbx, -16", ".cfi_offset rip, -24";
    record: "mov rcx, [rsp]",
        "push [rcx - 24]", ".cfi_escape 0x0f, 3, 0x77, 8, 0x06",
        "push [rcx - 8]", ".cfi_escape 0x0f, 3, 0x77, 16, 0x06",
        "mov rbp, rsp";
}

/// [`Port::probe`]. The callee-saved registers of the caller are kept on the stack meanwhile.
#[unsafe(naked)]
unsafe extern "C" fn probe(_: *mut Context, _: Context, _: usize, _: *mut u64) -> usize {
    naked_asm!(
        ".cfi_startproc",
        ".irp register, rbx,rbp,r12,r13,r14,r15",
        "push \\register",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset \\register, 0",
        ".endr",
        "push rcx", // `registers`; with the return address 64 bytes, so the call below is aligned
        ".cfi_adjust_cfa_offset 8",
        "mov rbx, [rcx]; mov rbp, [rcx + 8]; mov r12, [rcx + 16]",
        "mov r13, [rcx + 24]; mov r14, [rcx + 32]; mov r15, [rcx + 40]",
        "call {switch}",
        "pop rcx",
        ".cfi_adjust_cfa_offset -8",
        "mov [rcx], rbx; mov [rcx + 8], rbp; mov [rcx + 16], r12",
        "mov [rcx + 24], r13; mov [rcx + 32], r14; mov [rcx + 40], r15",
        ".irp register, r15,r14,r13,r12,rbp,rbx",
        "pop \\register",
        ".cfi_adjust_cfa_offset -8",
        ".cfi_restore \\register",
        ".endr",
        "ret",
        ".cfi_endproc",
        switch = sym compiled_switch,
    )
}
